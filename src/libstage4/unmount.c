/* ISC license. */

/*
  Unmounting by passes: the table is read, a plan made, a worker walks it; again until a pass brings
  nothing. What hangs is left behind and never tried again. What is busy is tried again for a while,
  because references outlive a killed process by milliseconds, but not for what a living process holds.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

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

 /* --- what is known of mounts that did not go --- */

struct stuck
{
  unsigned int id ;
  int told ;                  /* the errno that was reported */
  s4_ms since ;               /* when it was found busy, or something else went last */
  unsigned int pass ;         /* the last one that found it busy */
  unsigned int hung : 1 ;     /* given up, and not tried again */
  unsigned int looked : 1 ;   /* for who holds it */
  unsigned int held : 1 ;     /* by a process */
} ;

static int compare_stuck (void const *a, void const *b)
{
  unsigned int x = ((struct stuck const *)a)->id, y = ((struct stuck const *)b)->id ;
  return x < y ? -1 : x > y ;
}

static struct stuck *stuck_find (s4_unmount const *u, unsigned int id)
{
  struct stuck const key = { .id = id } ;
  return u->nstuck ? bsearch(&key, u->stuck.s, u->nstuck, sizeof key, &compare_stuck) : 0 ;
}

 /* New ones stand at the end until the pass is over. */

static struct stuck *stuck_note (s4_unmount *u, unsigned int id)
{
  struct stuck const fresh = { .id = id } ;
  struct stuck *x = stuck_find(u, id) ;
  if (x) return x ;
  if (!genalloc_append(struct stuck, &u->stuck, &fresh)) return 0 ;
  return genalloc_s(struct stuck, &u->stuck) + genalloc_len(struct stuck, &u->stuck) - 1 ;
}

static void stuck_sort (s4_unmount *u)
{
  u->nstuck = genalloc_len(struct stuck, &u->stuck) ;
  if (u->nstuck) qsort(u->stuck.s, u->nstuck, sizeof(struct stuck), &compare_stuck) ;
}

int s4_unmount_hangs (s4_unmount const *u, unsigned int id)
{
  struct stuck const *x = stuck_find(u, id) ;
  return x && x->hung ;
}

static int some_hang (s4_unmount const *u)
{
  for (size_t k = 0 ; k < u->nstuck ; k++) if (genalloc_s(struct stuck, &u->stuck)[k].hung) return 1 ;
  return 0 ;
}

 /* --- the plan --- */

static int place_tasks (s4_unmount *u)
{
  free(u->task_of) ;
  u->task_of = s4_numbers(u->ms.n) ;
  if (!u->task_of) return 0 ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++) u->task_of[i] = S4_NONE ;
  for (unsigned int t = 0 ; t < u->plan.n ; t++) u->task_of[u->plan.order[t]] = t ;
  return 1 ;
}

static int collect_ids (s4_unmount const *u, genalloc *kept, genalloc *hung)
{
  struct stuck const *x = genalloc_s(struct stuck, &u->stuck) ;
  for (size_t i = 0 ; i < genalloc_len(s4_kept, &u->kept) ; i++)
    if (!genalloc_append(unsigned int, kept, &genalloc_s(s4_kept, &u->kept)[i].id)) return 0 ;
  for (size_t i = 0 ; i < u->nstuck ; i++)
    if (x[i].hung && !genalloc_append(unsigned int, hung, &x[i].id)) return 0 ;
  return 1 ;
}

int s4_unmount_plan (s4_unmount *u)
{
  genalloc kept = GENALLOC_ZERO, hung = GENALLOC_ZERO ;   /* ids */
  int ok ;
  s4_mountplan_free(&u->plan) ;
  s4_storage_free(&u->st) ;
  u->gone = u->surprised = 0 ;
  ok = s4_mounts_load(&u->ms) && s4_storage_find(&u->st, &u->ms) && collect_ids(u, &kept, &hung) ;
  if (ok)
  {
    s4_wish const wish =
    {
      .keep = genalloc_s(unsigned int, &kept), .nkeep = (unsigned int)genalloc_len(unsigned int, &kept),
      .hung = genalloc_s(unsigned int, &hung), .nhung = (unsigned int)genalloc_len(unsigned int, &hung),
      .edges = genalloc_s(s4_edge, &u->st.edges), .nedges = (unsigned int)genalloc_len(s4_edge, &u->st.edges),
      .types = u->types
    } ;
    ok = s4_mountplan_make(&u->plan, &u->st.tree, &wish) && place_tasks(u) ;
  }
  genalloc_free(unsigned int, &kept) ;
  genalloc_free(unsigned int, &hung) ;
  return ok ;
}

 /* --- one pass --- */

static s4_mount const *mount_of (s4_unmount const *u, unsigned int t)
{
  return u->ms.m + u->plan.order[t] ;
}

 /* Given up, it outlives its program: its name tells the later ones, and people, what it is still at. */

static void take_name (char const *prefix, char const *dir)
{
  char name[16] = "" ;
  strncat(name, prefix, 15) ;
  strncat(name, dir, 15 - strlen(name)) ;
  prctl(PR_SET_NAME, name, 0, 0, 0) ;
}

static int run_umount (unsigned int t, void *data)
{
  s4_unmount const *u = data ;
  char const *dir = mount_of(u, t)->dir ;
  int lossy = u->st.lossy[u->plan.order[t]] ;
  int e ;
  u->doers[t] = getpid() ;
  if (lossy) take_name(S4_UNMOUNTING, dir) ;
  e = umount2(dir, UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
  if (lossy) take_name("stage4-umountall", "") ;
  return e ;
}

 /* When all that must go first is gone. */

static int is_free (unsigned int t, s4_task const *tasks, void *data)
{
  s4_unmount const *u = data ;
  unsigned int i = u->plan.order[t] ;
  for (unsigned int k = u->plan.needs_at[i] ; k < u->plan.needs_at[i+1] ; k++)
  {
    unsigned int need = u->task_of[u->plan.needs[k]] ;
    if (need == S4_NONE || !s4_task_done(tasks + need)) return 0 ;
  }
  return 1 ;
}

static uint64_t progress_of (unsigned int t, void *data)
{
  s4_unmount const *u = data ;
  return s4_storage_progress(&u->st, u->plan.order[t]) ;
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

static int given_up (s4_unmount *u, unsigned int i, pid_t doer)
{
  s4_mount const *m = u->ms.m + i ;
  struct stuck *x = stuck_note(u, m->id) ;
  s4_adrift a = { .id = m->id, .doer = doer } ;
  stralloc sa = STRALLOC_ZERO ;
  if (!x) return 0 ;
  x->hung = 1 ;
  if (!u->st.lossy[i]) return 1 ;
  if (!stralloc_cats(&sa, m->dir) || !stralloc_cats(&sa, " (") || !stralloc_cats(&sa, m->type)
   || !stralloc_cats(&sa, " on ") || !stralloc_cats(&sa, m->source) || !stralloc_cats(&sa, ")") || !stralloc_0(&sa))
    return 0 ;
  a.what = sa.s ;
  a.dirlen = strlen(m->dir) ;
  return genalloc_append(s4_adrift, &u->adrift, &a) ;
}

static int is_busy (s4_unmount *u, unsigned int i)
{
  struct stuck *x = stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  if (!x->since) x->since = s4_now() ;
  x->pass = u->pass ;
  return 1 ;
}

static int failed (s4_unmount *u, unsigned int i, int e)
{
  struct stuck *x = stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  u->surprised = 1 ;
  if (e == EINVAL || e == ENOENT || x->told == e) return 1 ;   /* those two: the table has changed */
  s4_warnerr(e, "unable to unmount ", u->ms.m[i].dir) ;
  x->told = e ;
  return 1 ;
}

static int collect_one (s4_unmount *u, unsigned int t, s4_task const *x)
{
  unsigned int i = u->plan.order[t] ;
  s4_mount const *m = u->ms.m + i ;
  if (x->state == S4_ABANDONED)
  {
    s4_warn("gave up unmounting ", m->dir, " (", m->type, " on ", m->source, ") after ", S4_MS(x->ended - x->began)) ;
    return given_up(u, i, u->doers[t]) ;
  }
  if (x->state != S4_FINISHED) return 1 ;
  if (x->err) return x->err == EBUSY ? is_busy(u, i) : failed(u, i, x->err) ;
  u->gone++ ;
  s4_verbose("unmounted ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(x->ended - x->began)) ;
  return 1 ;
}

static int work_plan (s4_unmount *u)
{
  s4_job const job = { .n = u->plan.n, .timeout = u->timeout, .run = &run_umount, .ready = &is_free,
    .progress = &progress_of, .slow = &say_slow, .data = u } ;
  size_t size = job.n * sizeof(pid_t) ;
  s4_task const *t ;
  int ok = 0 ;
  if (!job.n) return 1 ;
  u->doers = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ;
  if (u->doers == MAP_FAILED) return 0 ;
  t = s4_work(&job) ;
  if (t) for (unsigned int k = 0 ; k < job.n && (ok = collect_one(u, k, t + k)) ; k++) ;
  munmap(u->doers, size) ;
  return ok ;
}

static int run_pass (s4_unmount *u)
{
  int ok ;
  u->pass++ ;
  if (!s4_unmount_plan(u)) return 0 ;
  ok = work_plan(u) ;
  stuck_sort(u) ;
  u->unmounted += u->gone ;
  return ok ;
}

 /* --- passes --- */

static int is_waited_for (s4_unmount const *u, struct stuck const *x, s4_ms now)
{
  return x->pass == u->pass && !x->held && now - x->since < BACKOFF_ALL ;
}

 /* Those that the kernel alone should have let go of by now. */

static int look_for_holders (s4_unmount *u, s4_ms now)
{
  struct stuck *x = genalloc_s(struct stuck, &u->stuck) ;
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  s4_holder const *h ;
  int ok = 1 ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
  {
    unsigned int i = s4_tree_find(&u->st.tree, x[k].id) ;
    if (!is_waited_for(u, x + k, now) || now - x[k].since < BACKOFF_QUICK || x[k].looked || i == S4_NONE) continue ;
    x[k].looked = 1 ;
    if (!(ok = genalloc_append(unsigned int, &which, &i))) break ;
  }
  if (genalloc_len(unsigned int, &which))
    s4_holders_find(&u->ms, genalloc_s(unsigned int, &which), (unsigned int)genalloc_len(unsigned int, &which),
      LOOK_TIMEOUT, &holders) ;
  h = genalloc_s(s4_holder, &holders) ;
  for (size_t k = 0 ; k < genalloc_len(s4_holder, &holders) ; k++)
    stuck_find(u, u->ms.m[h[k].mount].id)->held = 1 ;
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_holder, &holders) ;
  return ok ;
}

 /* Whether there is something to wait for. Whenever something goes, what no process holds may go next. */

static int find_waiting (s4_unmount *u)
{
  struct stuck *x = genalloc_s(struct stuck, &u->stuck) ;
  s4_ms const now = s4_now() ;
  int some = 0 ;
  if (u->gone) for (size_t k = 0 ; k < u->nstuck ; k++) x[k].since = x[k].since ? now : 0 ;
  else if (!look_for_holders(u, now)) return 0 ;
  for (size_t k = 0 ; k < u->nstuck && !some ; k++) some = is_waited_for(u, x + k, now) ;
  return some ;
}

int s4_unmount_all (s4_unmount *u)
{
  s4_ms nap = BACKOFF_FIRST ;
  int reread = 0 ;
  s4_ms const limit = s4_limit(PASSES_MAX) ;
  for (;;)
  {
    int waiting ;
    if (!run_pass(u)) return 0 ;
    if (s4_now() >= limit)
    {
      if (u->gone) s4_warn("somebody mounts again and again, or there is no end to it: going on") ;
      return 1 ;
    }
    waiting = find_waiting(u) ;
    if (u->gone)
    {
      nap = BACKOFF_FIRST ;
      reread = 0 ;
      continue ;
    }
    if (u->surprised && !reread++) continue ;
    if (!waiting || s4_limit(nap) < s4_now() + nap) return 1 ;
    s4_poll(0, 0, s4_now() + nap) ;
    nap = nap * 3 / 2 > BACKOFF_MAX ? BACKOFF_MAX : nap * 3 / 2 ;
  }
}

int s4_unmount_has_new (s4_unmount const *u)
{
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    unsigned int i = u->plan.order[t] ;
    if (u->plan.needs_at[i] == u->plan.needs_at[i+1] && !stuck_find(u, u->ms.m[i].id)) return 1 ;
  }
  return 0 ;
}

 /* --- flushes that go on --- */

static int is_in_table (s4_unmount const *u, s4_adrift const *a)
{
  unsigned int i = s4_tree_find(&u->st.tree, a->id) ;
  return i != S4_NONE && strlen(u->ms.m[i].dir) == a->dirlen && !strncmp(u->ms.m[i].dir, a->what, a->dirlen) ;
}

void s4_unmount_see_adrift (s4_unmount *u)
{
  s4_adrift *a = genalloc_s(s4_adrift, &u->adrift) ;
  unsigned int all = s4_unmounts_count(0), ours = 0 ;
  size_t n = 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_adrift, &u->adrift) ; k++)
  {
    s4_process p ;
    int alive = s4_process_read(a[k].doer, &p) && !p.dead ;
    ours += (unsigned int)alive ;
    if (is_in_table(u, a + k)) continue ;   /* named as any other */
    if (alive) a[n++] = a[k] ;
    else
    {
      u->unmounted++ ;
      s4_verbose("unmounted ", a[k].what, " after all") ;
    }
  }
  genalloc_setlen(s4_adrift, &u->adrift, n) ;
  u->earlier = all > ours ? all - ours : 0 ;
}

 /* --- force --- */

struct force
{
  s4_unmount *u ;
  genalloc which ;          /* mount indices */
  unsigned char *seen ;     /* of each mount */
  unsigned char *carries ;  /* of each mount: a disk that would be lost from sight with it */
  int flags ;
} ;

static int run_force (unsigned int k, void *data)
{
  struct force const *f = data ;
  char const *dir = f->u->ms.m[genalloc_s(unsigned int, &f->which)[k]].dir ;
  return umount2(dir, f->flags | UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

 /*
   A disk that is mounted on what is forced or detached goes out of sight with it (the kernel lets a forced FUSE
   forget its names), still writable if it is busy. Unless it is in sight elsewhere, or the host's.
 */

static int would_be_lost (s4_storage const *st, unsigned int i)
{
  return !s4.container && st->lossy[i] && st->reach[st->first[st->sb[i]]] & S4_REACH_REMOTE ;
}

static void find_carriers (struct force *f)
{
  s4_unmount const *u = f->u ;
  for (unsigned int j = 0 ; j < u->ms.n ; j++) if (would_be_lost(&u->st, j))
    for (unsigned int i = u->st.tree.parent[j] ; i != S4_NONE && !f->carries[i] ; i = u->st.tree.parent[i])
      f->carries[i] = 1 ;
}

static int add_if_forceable (struct force *f, unsigned int i)
{
  s4_unmount *u = f->u ;
  s4_mount const *m = u->ms.m + i ;
  enum s4_fsclass_e c = s4_fsclass(m->type) ;
  f->seen[i] = 1 ;
  if (c != S4_FS_NETWORK && c != S4_FS_FUSE) return 1 ;
  if (s4_kept_find(&u->kept, m->id) >= 0 || !s4_type_wanted(u->types, m->type)) return 1 ;
  if (f->carries[i])
  {
    u->put_off = 1 ;
    return 1 ;
  }
  return genalloc_append(unsigned int, &f->which, &i) ;
}

 /* What hangs, and what the path of a hung one leads through, if it is of a kind that forcing does something for. */

static int find_forceable (struct force *f)
{
  s4_unmount const *u = f->u ;
  struct stuck const *x = genalloc_s(struct stuck, &u->stuck) ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
    for (unsigned int i = x[k].hung ? s4_tree_find(&u->st.tree, x[k].id) : S4_NONE ; i != S4_NONE && !f->seen[i] ;
      i = u->st.tree.parent[i]) if (!add_if_forceable(f, i)) return 0 ;
  return 1 ;
}

static void say_force (struct force const *f, unsigned int k, char const *what)
{
  s4_mount const *m = f->u->ms.m + genalloc_s(unsigned int, &f->which)[k] ;
  s4_warn(what, m->dir, " (", m->type, " on ", m->source, ")") ;
}

static int run_forces (struct force *f)
{
  s4_unmount *u = f->u ;
  s4_job job = { .timeout = FORCE_TIMEOUT, .run = &run_force, .data = f } ;
  s4_task const *t ;
  job.n = (unsigned int)genalloc_len(unsigned int, &f->which) ;
  for (unsigned int k = 0 ; k < job.n && f->flags & MNT_FORCE ; k++) say_force(f, k, "forcing ") ;
  t = s4_work(&job) ;
  if (!t) return 0 ;
  for (unsigned int k = 0 ; k < job.n ; k++) if (s4_task_done(t + k))
  {
    if (f->flags & MNT_FORCE) u->unmounted++ ;
    else
    {
      u->detached++ ;
      say_force(f, k, "detached, not unmounted: ") ;
    }
  }
  return 1 ;
}

 /* All that hung is tried once more, with little patience. */

static int try_hung_again (s4_unmount *u)
{
  s4_ms const timeout = u->timeout ;
  int ok ;
  for (size_t k = 0 ; k < u->nstuck ; k++) genalloc_s(struct stuck, &u->stuck)[k].hung = 0 ;
  u->timeout = FORCE_TIMEOUT ;
  ok = s4_unmount_all(u) ;
  u->timeout = timeout ;
  return ok ;
}

static int force (s4_unmount *u, int flags)
{
  struct force f = { .u = u, .which = GENALLOC_ZERO, .seen = calloc(u->ms.n + 1, 1),
    .carries = calloc(u->ms.n + 1, 1), .flags = flags } ;
  int some, ok = f.seen && f.carries ;
  if (ok)
  {
    find_carriers(&f) ;
    ok = find_forceable(&f) ;
  }
  some = ok && genalloc_len(unsigned int, &f.which) ;
  if (some) ok = run_forces(&f) ;
  free(f.seen) ;
  free(f.carries) ;
  genalloc_free(unsigned int, &f.which) ;
  return ok && (!some || try_hung_again(u)) ;
}

int s4_unmount_force (s4_unmount *u)
{
  u->put_off = 0 ;
  if (!some_hang(u)) return 1 ;
  return force(u, MNT_FORCE) && force(u, MNT_DETACH) ;
}
