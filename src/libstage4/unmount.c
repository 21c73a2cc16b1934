/* ISC license. */

/*
  Unmounting by passes: the table is read, a plan made, a worker walks it; again until a pass brings
  nothing. What hangs is left behind and never tried again. What is busy is tried again for a while,
  because references outlive a killed process by milliseconds, but not when a living process holds it.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define BACKOFF_FIRST 2
#define BACKOFF_MAX 100
#define BACKOFF_QUICK 75     /* longer than references of the kernel's own: AF_UNIX in flight 12 ms, io_uring 52 ms */
#define BACKOFF_ALL 1000
#define LOOK_TIMEOUT 2000
#define FORCE_TIMEOUT 1000
#define PASSES_MAX 600000    /* passes that still bring something end at the budget, or without one after ten minutes */
#define NONE ((unsigned int)-1)

 /* --- the plan --- */

int s4_numbers_have (genalloc const *numbers, unsigned int i)
{
  for (size_t n = genalloc_len(unsigned int, numbers) ; n-- ; )
    if (genalloc_s(unsigned int, numbers)[n] == i) return 1 ;
  return 0 ;
}

static int place_tasks (s4_unmount *u)
{
  genalloc place = GENALLOC_ZERO ;
  if (!genalloc_ready(unsigned int, &place, u->ms.n + 1)) return 0 ;
  u->task_of = genalloc_s(unsigned int, &place) ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++) u->task_of[i] = NONE ;
  for (unsigned int t = 0 ; t < u->plan.n ; t++) u->task_of[u->plan.order[t]] = t ;
  return 1 ;
}

int s4_unmount_plan (s4_unmount *u)
{
  genalloc ids = GENALLOC_ZERO, edges = GENALLOC_ZERO ;   /* ids: of what is kept, and what hangs */
  u->busy.len = 0 ;
  u->gone = u->surprised = 0 ;
  if (!s4_mounts_load(&u->ms) || !s4_loop_edges(&u->ms, &edges) || !genalloc_copy(unsigned int, &ids, &u->hung))
    return 0 ;
  for (size_t i = 0 ; i < genalloc_len(s4_kept, &u->kept) ; i++)
    if (!genalloc_append(unsigned int, &ids, &genalloc_s(s4_kept, &u->kept)[i].id)) return 0 ;
  return s4_mountplan_make(&u->plan, &u->ms, genalloc_s(unsigned int, &ids),
    (unsigned int)genalloc_len(unsigned int, &ids),
    u->types, genalloc_s(s4_edge, &edges), (unsigned int)genalloc_len(s4_edge, &edges)) && place_tasks(u) ;
}

 /* --- one pass --- */

static s4_mount const *mount_of (s4_unmount const *u, unsigned int t)
{
  return u->ms.m + u->plan.order[t] ;
}

static int run_umount (unsigned int t, void *data)
{
  return umount2(mount_of(data, t)->dir, UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

 /* When all that must go first is gone. */

static int is_free (unsigned int t, s4_task const *tasks, void *data)
{
  s4_unmount const *u = data ;
  unsigned int i = u->plan.order[t] ;
  for (unsigned int k = u->plan.needs_at[i] ; k < u->plan.needs_at[i+1] ; k++)
  {
    unsigned int need = u->task_of[u->plan.needs[k]] ;
    if (need == NONE || !s4_task_done(tasks + need)) return 0 ;
  }
  return 1 ;
}

static uint64_t progress_of (unsigned int t, void *data)
{
  s4_mount const *m = mount_of(data, t) ;
  return s4_fsclass(m->type) == S4_FS_DISK ? s4_dev_progress(m->major, m->minor, m->source) : 0 ;
}

static uint64_t dirty_kib (void)
{
  stralloc sa = STRALLOC_ZERO ;
  char const *line = s4_proc_read("meminfo", &sa) ? strstr(sa.s, "\nDirty:") : 0 ;
  uint64_t kib = 0 ;
  if (line) uint64_scan(line + 7 + strspn(line + 7, " "), &kib) ;
  stralloc_free(&sa) ;
  return kib ;
}

static void say_slow (unsigned int t, s4_ms waited, void *data)
{
  s4_mount const *m = mount_of(data, t) ;
  s4_info("still unmounting ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(waited),
    ", dirty in all: ", S4_NUM((int64_t)dirty_kib()), " KiB") ;
}

static int collect_one (s4_unmount *u, unsigned int i, s4_task const *t)
{
  s4_mount const *m = u->ms.m + i ;
  if (t->state == S4_ABANDONED)
  {
    s4_warn("gave up unmounting ", m->dir, " (", m->type, " on ", m->source, ") after ", S4_MS(t->ended - t->began)) ;
    return genalloc_append(unsigned int, &u->hung, &m->id) ;
  }
  if (t->state != S4_FINISHED) return 1 ;
  if (!t->err)
  {
    u->gone++ ;
    s4_verbose("unmounted ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(t->ended - t->began)) ;
    return 1 ;
  }
  if (t->err == EBUSY) return genalloc_append(unsigned int, &u->busy, &i) ;
  u->surprised = 1 ;
   /* those two: the table has changed */
  if (t->err != EINVAL && t->err != ENOENT) s4_warnerr(t->err, "unable to unmount ", m->dir) ;
  return 1 ;
}

static int run_pass (s4_unmount *u)
{
  s4_job job = { .timeout = u->timeout, .run = &run_umount, .ready = &is_free, .progress = &progress_of,
    .slow = &say_slow, .data = u } ;
  s4_task const *t ;
  if (!s4_unmount_plan(u)) return 0 ;
  job.n = u->plan.n ;
  if (!job.n) return 1 ;
  t = s4_work(&job) ;
  if (!t) return 0 ;
  for (unsigned int k = 0 ; k < job.n ; k++) if (!collect_one(u, u->plan.order[k], t + k)) return 0 ;
  u->unmounted += u->gone ;
  return 1 ;
}

 /* --- passes --- */

static int some_process_holds (s4_unmount const *u)
{
  genalloc holders = GENALLOC_ZERO ;
  size_t n ;
  s4_holders_find(&u->ms, genalloc_s(unsigned int, &u->busy), (unsigned int)genalloc_len(unsigned int, &u->busy),
    LOOK_TIMEOUT, &holders) ;
  n = genalloc_len(s4_holder, &holders) ;
  genalloc_free(s4_holder, &holders) ;
  return !!n ;
}

int s4_unmount_all (s4_unmount *u)
{
  s4_ms nap = BACKOFF_FIRST, napped = 0 ;
  int looked = 0, reread = 0 ;
  s4_ms const limit = s4_limit(PASSES_MAX) ;
  for (;;)
  {
    if (!run_pass(u)) return 0 ;
    if (s4_now() >= limit)
    {
      if (u->gone) s4_warn("somebody mounts again and again, or there is no end to it: going on") ;
      return 1 ;
    }
    if (u->gone)
    {
      nap = BACKOFF_FIRST ;
      napped = looked = reread = 0 ;
      continue ;
    }
    if (u->surprised && !reread++) continue ;
    if (!genalloc_len(unsigned int, &u->busy) || napped >= BACKOFF_ALL) return 1 ;
    if (napped >= BACKOFF_QUICK && !looked++ && some_process_holds(u)) return 1 ;
    if (s4_limit(nap) < s4_now() + nap) return 1 ;
    s4_poll(0, 0, s4_now() + nap) ;
    napped += nap ;
    nap = nap * 3 / 2 > BACKOFF_MAX ? BACKOFF_MAX : nap * 3 / 2 ;
  }
}

 /* --- force --- */

struct force
{
  s4_mounts const *ms ;
  genalloc which ;      /* mount indices */
  int flags ;
} ;

static int run_force (unsigned int k, void *data)
{
  struct force const *f = data ;
  char const *dir = f->ms->m[genalloc_s(unsigned int, &f->which)[k]].dir ;
  return umount2(dir, f->flags | UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

static int carries_disk (s4_mounts const *ms, unsigned int i)
{
  for (unsigned int j = 0 ; j < ms->n ; j++)
    if (s4_mounts_parent(ms, (int)j) == (int)i && (s4_fsclass(ms->m[j].type) == S4_FS_DISK || carries_disk(ms, j)))
      return 1 ;
  return 0 ;
}

static int add_if_forceable (s4_unmount const *u, struct force *f, unsigned int i)
{
  enum s4_fsclass_e c = s4_fsclass(f->ms->m[i].type) ;
  if ((c != S4_FS_NETWORK && c != S4_FS_FUSE) || s4_numbers_have(&f->which, i)) return 1 ;
  if (s4_kept_find(&u->kept, f->ms->m[i].id) >= 0 || !s4_type_wanted(u->types, f->ms->m[i].type)) return 1 ;
  if (f->flags & MNT_DETACH && carries_disk(f->ms, i)) return 1 ;
  return genalloc_append(unsigned int, &f->which, &i) ;
}

 /* What hangs, and what the path of a hung one leads through, if it is of a kind that forcing does something for. */

static int find_forceable (s4_unmount const *u, struct force *f)
{
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &u->hung) ; k++)
  {
    int i = s4_mounts_find(f->ms, genalloc_s(unsigned int, &u->hung)[k]) ;
    for (; i >= 0 ; i = s4_mounts_parent(f->ms, i)) if (!add_if_forceable(u, f, (unsigned int)i)) return 0 ;
  }
  return 1 ;
}

static void say_force (struct force const *f, unsigned int k, char const *what)
{
  s4_mount const *m = f->ms->m + genalloc_s(unsigned int, &f->which)[k] ;
  s4_warn(what, m->dir, " (", m->type, " on ", m->source, ")") ;
}

 /* Then all that hung is tried once more, with little patience. */

static int force (s4_unmount *u, int flags)
{
  struct force f = { .ms = &u->ms, .which = GENALLOC_ZERO, .flags = flags } ;
  s4_job job = { .timeout = FORCE_TIMEOUT, .run = &run_force, .data = &f } ;
  s4_task const *t ;
  if (!find_forceable(u, &f)) return 0 ;
  job.n = (unsigned int)genalloc_len(unsigned int, &f.which) ;
  if (!job.n) return 1 ;
  for (unsigned int k = 0 ; k < job.n && flags & MNT_FORCE ; k++) say_force(&f, k, "forcing ") ;
  t = s4_work(&job) ;
  if (!t) return 0 ;
  for (unsigned int k = 0 ; k < job.n ; k++) if (s4_task_done(t + k))
  {
    u->unmounted++ ;
    if (flags & MNT_DETACH) say_force(&f, k, "detached, not unmounted: ") ;
  }
  u->hung.len = 0 ;
  u->timeout = FORCE_TIMEOUT ;
  return s4_unmount_all(u) ;
}

int s4_unmount_force (s4_unmount *u)
{
  return force(u, MNT_FORCE) && force(u, MNT_DETACH) ;
}
