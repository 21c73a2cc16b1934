/* ISC license. */

/*
  stage4-umountall: unmounts everything it may, pass after pass, until nothing more goes. What is busy is
  waited for while only the kernel holds it, then made read-only; what hangs is left behind; all is named.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-umountall [ -v verbosity ] [ -f ] [ -n ] [ -T types ] [ -k path ]... [ -t timeout ] prog..."
#define LOOK_TIMEOUT 2000       /* for resolving the kept paths, and for finding holders */
#define BACKOFF_FIRST 5         /* references outlive a killed process by up to 52 ms (KERNEL 3) ... */
#define BACKOFF_MAX 100
#define BACKOFF_QUICK 75        /* ... so after this it is worth to ask whether a process holds them */
#define BACKOFF_ALL 1000
#define FORCE_TIMEOUT 1000

struct options
{
  char const *types ;
  s4_ms timeout ;
  genalloc keep ;      /* char const *: paths, the given ones first */
  unsigned int ngiven ;
} ;

struct kept { int id ; unsigned int path ; } ;   /* mount id, index in keep of the path that needs it */

 /* What one pass works on. */

struct pass
{
  s4_mounts ms ;
  s4_mountplan plan ;
  genalloc edges ;             /* s4_edge: file systems in files */
  unsigned int *task_of ;      /* mount index -> its place in plan.order */
  genalloc busy ;              /* mount indices: EBUSY, although nothing is mounted on them any more */
  unsigned int gone ;
} ;

struct umountall
{
  struct options const *o ;
  genalloc kept ;              /* struct kept */
  genalloc hung ;              /* mount ids: abandoned, so not tried again */
  s4_ms timeout ;
  unsigned int unmounted ;
  int failed ;
} ;

 /* --- what is kept: the mounts that the paths lead through, resolved in a child --- */

struct resolve { int fd ; genalloc const *keep ; unsigned int path ; } ;

static int tell_mount (int fd, char const *path, struct stat const *st, void *data)
{
  struct resolve *r = data ;
  struct kept k = { .id = s4_mount_id(fd), .path = r->path } ;
  (void)path ;
  (void)st ;
  if (k.id > 0) s4_answer(r->fd, &k, sizeof k) ;
  return 1 ;
}

static int resolve_all (int fd, void *data)
{
  struct resolve *r = data ;
  r->fd = fd ;
  for (r->path = 0 ; r->path < genalloc_len(char const *, r->keep) ; r->path++)
    s4_path_walk(genalloc_s(char const *, r->keep)[r->path], &tell_mount, r) ;   /* what isn't there keeps what was passed before */
  return 0 ;
}

static void resolve_kept (struct umountall *u)
{
  struct resolve r = { .keep = &u->o->keep } ;
  if (!s4_ask(&resolve_all, &r, LOOK_TIMEOUT, &u->kept)) s4_warnsys("unable to resolve all paths to keep") ;
  genalloc_setlen(struct kept, &u->kept, genalloc_len(struct kept, &u->kept)) ;
}

static char const *kept_for (struct umountall const *u, unsigned int id)
{
  struct kept const *k = genalloc_s(struct kept, &u->kept) ;
  for (size_t i = genalloc_len(struct kept, &u->kept) ; i-- ; )
    if (k[i].id == (int)id) return genalloc_s(char const *, &u->o->keep)[k[i].path] ;
  return 0 ;
}

static int is_asked_for (struct umountall const *u, unsigned int id)
{
  struct kept const *k = genalloc_s(struct kept, &u->kept) ;
  for (size_t i = 0 ; i < genalloc_len(struct kept, &u->kept) ; i++)
    if (k[i].id == (int)id && k[i].path < u->o->ngiven) return 1 ;
  return 0 ;
}

 /* --- one pass --- */

static int pass_plan (struct umountall const *u, struct pass *p)
{
  genalloc ids = GENALLOC_ZERO ;   /* what stays: the kept ones, and those that hang */
  struct kept const *k = genalloc_s(struct kept, &u->kept) ;
  genalloc place = GENALLOC_ZERO ;
  *p = (struct pass){ .ms = S4_MOUNTS_ZERO, .edges = GENALLOC_ZERO, .busy = GENALLOC_ZERO } ;
  if (!s4_mounts_load(&p->ms) || !s4_loop_edges(&p->ms, &p->edges)) return 0 ;
  if (!genalloc_copy(unsigned int, &ids, &u->hung)) return 0 ;
  for (size_t i = 0 ; i < genalloc_len(struct kept, &u->kept) ; i++)
    if (!genalloc_append(unsigned int, &ids, &(unsigned int){ (unsigned int)k[i].id })) return 0 ;
  if (!s4_mountplan_make(&p->plan, &p->ms, genalloc_s(unsigned int, &ids), (unsigned int)genalloc_len(unsigned int, &ids), u->o->types,
    genalloc_s(s4_edge, &p->edges), (unsigned int)genalloc_len(s4_edge, &p->edges))) return 0 ;
  if (!genalloc_ready(unsigned int, &place, p->ms.n + 1)) return 0 ;
  p->task_of = genalloc_s(unsigned int, &place) ;
  for (unsigned int t = 0 ; t < p->plan.n ; t++) p->task_of[p->plan.order[t]] = t ;
  genalloc_free(unsigned int, &ids) ;
  return 1 ;
}

static int run_umount (unsigned int t, void *data)
{
  struct pass const *p = data ;
  return umount2(p->ms.m[p->plan.order[t]].dir, UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

 /* When all that must go first is gone. It all has a task: a mount that carries something that stays is not in the order. */

static int is_free (unsigned int t, s4_task const *tasks, void *data)
{
  struct pass const *p = data ;
  unsigned int i = p->plan.order[t] ;
  for (unsigned int k = p->plan.needs_at[i] ; k < p->plan.needs_at[i+1] ; k++)
  {
    s4_task const *need = tasks + p->task_of[p->plan.needs[k]] ;
    if (__atomic_load_n(&need->state, __ATOMIC_ACQUIRE) != S4_FINISHED || need->err) return 0 ;
  }
  return 1 ;
}

static uint64_t progress_of (unsigned int t, void *data)
{
  struct pass const *p = data ;
  s4_mount const *m = p->ms.m + p->plan.order[t] ;
  return s4_fsclass(m->type) == S4_FS_DISK ? s4_dev_progress(m->major, m->minor, m->source) : 0 ;
}

static void say_slow (unsigned int t, s4_ms waited, void *data)
{
  struct pass const *p = data ;
  s4_mount const *m = p->ms.m + p->plan.order[t] ;
  stralloc sa = STRALLOC_ZERO ;
  char const *dirty = s4_proc_read("meminfo", &sa) ? strstr(sa.s, "\nDirty:") : 0 ;
  uint64_t kib = 0 ;
  if (dirty) uint64_scan(dirty + 7 + strspn(dirty + 7, " "), &kib) ;
  s4_info("still unmounting ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(waited), ", dirty in all: ", S4_NUM((int64_t)kib), " KiB") ;
  stralloc_free(&sa) ;
}

static void pass_collect (struct umountall *u, struct pass *p, s4_task const *t)
{
  for (unsigned int k = 0 ; k < p->plan.n ; k++)
  {
    unsigned int i = p->plan.order[k] ;
    s4_mount const *m = p->ms.m + i ;
    if (t[k].state == S4_ABANDONED)
    {
      s4_warn("gave up unmounting ", m->dir, " (", m->type, " on ", m->source, ") after ", S4_MS(t[k].ended - t[k].began)) ;
      genalloc_append(unsigned int, &u->hung, &m->id) ;
    }
    else if (t[k].state != S4_FINISHED) continue ;
    else if (!t[k].err)
    {
      p->gone++ ;
      s4_verbose("unmounted ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(t[k].ended - t[k].began)) ;
    }
    else if (t[k].err == EBUSY) genalloc_append(unsigned int, &p->busy, &i) ;
    else if (t[k].err != EINVAL && t[k].err != ENOENT) s4_warnerr(t[k].err, "unable to unmount ", m->dir) ;   /* those two: the table has changed */
  }
}

static int pass_run (struct umountall *u, struct pass *p)
{
  s4_job job = { .timeout = u->timeout, .run = &run_umount, .ready = &is_free, .progress = &progress_of, .slow = &say_slow, .data = p } ;
  s4_task const *t ;
  if (!pass_plan(u, p)) return 0 ;
  if (!(job.n = p->plan.n)) return 1 ;
  t = s4_work(&job) ;
  if (!t) return 0 ;
  pass_collect(u, p, t) ;
  u->unmounted += p->gone ;
  return 1 ;
}

 /* --- what stays busy, what hangs --- */

static int has_process (struct pass const *p)
{
  genalloc holders = GENALLOC_ZERO ;
  size_t n ;
  s4_holders_find(&p->ms, genalloc_s(unsigned int, &p->busy), (unsigned int)genalloc_len(unsigned int, &p->busy), LOOK_TIMEOUT, &holders) ;
  n = genalloc_len(s4_holder, &holders) ;
  genalloc_free(s4_holder, &holders) ;
  return !!n ;
}

 /* Passes until one brings nothing; busy ones again after a short sleep, as long as it may be only the kernel that holds them. */

static int unmount_until_stuck (struct umountall *u, struct pass *p)
{
  s4_ms nap = BACKOFF_FIRST, napped = 0 ;
  int asked = 0 ;
  for (;;)
  {
    if (!pass_run(u, p)) return 0 ;
    if (p->gone)
    {
      nap = BACKOFF_FIRST ;
      napped = asked = 0 ;
      continue ;
    }
    if (!genalloc_len(unsigned int, &p->busy) || napped >= BACKOFF_ALL) return 1 ;
    if (napped >= BACKOFF_QUICK && !asked++ && has_process(p)) return 1 ;
    if (s4_limit(nap) < s4_now() + nap) return 1 ;
    s4_poll(0, 0, s4_now() + nap) ;
    napped += nap ;
    nap = nap * 2 > BACKOFF_MAX ? BACKOFF_MAX : nap * 2 ;
  }
}

static int same_superblock (s4_mount const *a, s4_mount const *b)
{
  return a->major == b->major && a->minor == b->minor ;
}

 /* A kept mount needs its superblock, but for the one that / is: its turn comes with all the others', as nothing more will be written. */

static int may_be_readonly (struct umountall const *u, struct pass const *p, s4_mount const *m)
{
  if (!s4_type_wanted(u->o->types, m->type)) return 0 ;
  for (unsigned int i = 0 ; i < p->ms.n ; i++)
    if (p->plan.verdict[i] == S4_KEPT && same_superblock(p->ms.m + i, m) && strcmp(p->ms.m[i].dir, "/")) return 0 ;
  return 1 ;
}

static int make_readonly (struct umountall *u, struct pass *p)
{
  genalloc which = GENALLOC_ZERO, edges = GENALLOC_ZERO ;
  unsigned int *w ;
  unsigned int n = 0 ;
  if (s4.container)
  {
    s4_info("a container: the file systems are the host's, none is made read-only") ;
    return 1 ;
  }
  if (!s4_writable_find(&p->ms, &which, &edges)) return 0 ;
  w = genalloc_s(unsigned int, &which) ;
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &which) ; k++)
    if (may_be_readonly(u, p, p->ms.m + w[k])) w[n++] = w[k] ;
  s4_readonly_these(&p->ms, w, n, &edges, u->timeout) ;
  return 1 ;
}

struct force { s4_mounts const *ms ; genalloc which ; int flags ; } ;   /* mount indices */

static int run_force (unsigned int k, void *data)
{
  struct force const *f = data ;
  return umount2(f->ms->m[genalloc_s(unsigned int, &f->which)[k]].dir, f->flags | UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

static int carries_disk (s4_mounts const *ms, unsigned int i)
{
  for (unsigned int j = 0 ; j < ms->n ; j++)
    if (s4_mounts_parent(ms, (int)j) == (int)i && (s4_fsclass(ms->m[j].type) == S4_FS_DISK || carries_disk(ms, j))) return 1 ;
  return 0 ;
}

static int is_in (genalloc const *numbers, unsigned int i)
{
  for (size_t n = genalloc_len(unsigned int, numbers) ; n-- ; ) if (genalloc_s(unsigned int, numbers)[n] == i) return 1 ;
  return 0 ;
}

 /* What hangs, or what a hung path leads through, if it is of a kind that forcing does something for. */

static int find_forceable (struct umountall const *u, struct force *f)
{
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &u->hung) ; k++)
    for (int i = s4_mounts_find(f->ms, genalloc_s(unsigned int, &u->hung)[k]) ; i >= 0 ; i = s4_mounts_parent(f->ms, i))
    {
      enum s4_fsclass_e c = s4_fsclass(f->ms->m[i].type) ;
      if ((c != S4_FS_NETWORK && c != S4_FS_FUSE) || is_in(&f->which, (unsigned int)i)) continue ;
      if (f->flags & MNT_DETACH && carries_disk(f->ms, (unsigned int)i)) continue ;
      if (!genalloc_append(unsigned int, &f->which, &(unsigned int){ (unsigned int)i })) return 0 ;
    }
  return 1 ;
}

 /*
   Only network and FUSE: there forcing gives up requests that nobody answers, and detaching can't hide
   anything that a disk still needs. Then all that hung is tried once more, with little patience.
 */

static int force (struct umountall *u, struct pass *p, int flags, char const *done)
{
  struct force f = { .ms = &p->ms, .which = GENALLOC_ZERO, .flags = flags } ;
  s4_job job = { .timeout = FORCE_TIMEOUT, .run = &run_force, .data = &f } ;
  s4_task const *t ;
  if (!find_forceable(u, &f)) return 0 ;
  job.n = (unsigned int)genalloc_len(unsigned int, &f.which) ;
  if (!job.n) return 1 ;
  if (!(t = s4_work(&job))) return 0 ;
  for (unsigned int k = 0 ; k < job.n ; k++)
  {
    s4_mount const *m = p->ms.m + genalloc_s(unsigned int, &f.which)[k] ;
    if (t[k].state != S4_FINISHED || t[k].err) continue ;
    u->unmounted++ ;
    s4_warn(done, " ", m->dir, " (", m->type, " on ", m->source, ")") ;
  }
  u->hung.len = 0 ;
  u->timeout = FORCE_TIMEOUT ;
  return unmount_until_stuck(u, p) ;
}

 /* --- the whole --- */

static void name_leftovers (struct umountall *u, struct pass const *p)
{
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  stralloc names = STRALLOC_ZERO ;
  unsigned int const *w ;
  for (unsigned int i = 0 ; i < p->ms.n ; i++)
  {
    s4_mount const *m = p->ms.m + i ;
    int disk = s4_fsclass(m->type) == S4_FS_DISK && !m->readonly && s4_type_wanted(u->o->types, m->type) && !is_asked_for(u, m->id) ;
    if (disk && !s4.container) u->failed = 1 ;
    if ((p->plan.verdict[i] == S4_GOES || disk || is_in(&u->hung, m->id)) && !genalloc_append(unsigned int, &which, &i)) return ;
  }
  w = genalloc_s(unsigned int, &which) ;
  if (!genalloc_len(unsigned int, &which)) return ;
  s4_holders_find(&p->ms, w, (unsigned int)genalloc_len(unsigned int, &which), LOOK_TIMEOUT, &holders) ;
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &which) ; k++)
  {
    s4_mount const *m = p->ms.m + w[k] ;
    int n = s4_holders_name(&names, &holders, w[k]) ;
    s4_warn("left: ", m->dir, " (", m->type, " on ", m->source, m->readonly ? ", read-only)" : ", writable)",
      n > 0 ? ", held by " : ", no process holds it", n > 0 ? names.s : "") ;
  }
}

static void name_hidden (struct pass const *p)
{
  for (unsigned int i = 0 ; i < p->ms.n ; i++)
    if (p->plan.verdict[i] == S4_HIDDEN)
      s4_warn("can't reach ", p->ms.m[i].dir, " (", p->ms.m[i].type, " on ", p->ms.m[i].source, "), hidden under ", p->ms.m[p->plan.because[i]].dir) ;
}

static int root_is_visible (s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++) if (!strcmp(ms->m[i].dir, "/")) return 1 ;
  return 0 ;
}

static int umountall (struct umountall *u)
{
  s4_ms const start = s4_now() ;
  struct pass p ;
  resolve_kept(u) ;
  if (!unmount_until_stuck(u, &p)) goto failed ;
  if (!force(u, &p, MNT_FORCE, "forced off") || !force(u, &p, MNT_DETACH, "detached, not unmounted:")) goto failed ;
  if (!make_readonly(u, &p) || !pass_plan(u, &p)) goto failed ;
  if (!root_is_visible(&p.ms))
  {
    s4_warn("/proc/self/mountinfo shows no mount for /: this can't be all there is") ;
    u->failed = 1 ;
  }
  name_leftovers(u, &p) ;
  name_hidden(&p) ;
  s4_info("unmounted ", S4_NUM(u->unmounted), ", left ", S4_NUM(p.ms.n), ", after ", S4_MS(s4_now() - start)) ;
  return u->failed ? S4_LEFT : S4_DONE ;
 failed:
  s4_warnsys("unable to go on unmounting") ;
  return u->unmounted ? S4_LEFT : S4_NOTSTARTED ;
}

static int show_plan (struct umountall *u)
{
  struct pass p ;
  resolve_kept(u) ;
  if (!pass_plan(u, &p)) return S4_NOTSTARTED ;
  for (unsigned int t = 0 ; t < p.plan.n ; t++)
  {
    s4_mount const *m = p.ms.m + p.plan.order[t] ;
    s4_planline("unmount ", m->dir, ": ", m->type, " on ", m->source) ;
  }
  for (unsigned int i = 0 ; i < p.ms.n ; i++)
  {
    s4_mount const *m = p.ms.m + i ;
    char const *why = p.plan.verdict[i] == S4_KEPT ? kept_for(u, m->id) : 0 ;
    switch (p.plan.verdict[i])
    {
      case S4_KEPT : s4_planline("keep ", m->dir, ": ", why ? why : "something kept", why ? " is there, or is reached through it" : " is mounted on it") ; break ;
      case S4_NOT_WANTED : s4_planline("leave ", m->dir, ": ", m->type, " was not asked for") ; break ;
      case S4_CARRIES : s4_planline("leave ", m->dir, ": carries ", p.ms.m[p.plan.because[i]].dir) ; break ;
      case S4_HIDDEN : s4_planline("leave ", m->dir, ": hidden under ", p.ms.m[p.plan.because[i]].dir) ; break ;
      default : break ;
    }
  }
  return S4_DONE ;
}

static void keep (struct options *o, char const *path)
{
  if (!genalloc_append(char const *, &o->keep, &path)) s4_step_giveup(S4_NOTSTARTED) ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  static char const *const always[] = { "/", "/dev", "/proc", "/sys", "/run" } ;
  struct options o = { .timeout = 10000, .keep = GENALLOC_ZERO } ;
  struct umountall u = { .o = &o, .kept = GENALLOC_ZERO, .hung = GENALLOC_ZERO } ;
  s4_step_init("stage4-umountall", USAGE, S4_DESTROYS | S4_FINISHES, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "T:k:t:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'T' : if (!*l.arg) s4_step_badarg("types", l.arg) ; o.types = l.arg ; break ;
        case 'k' : if (*l.arg != '/') s4_step_badarg("path (must begin with /)", l.arg) ; keep(&o, l.arg) ; break ;
        case 't' : o.timeout = s4_step_time(l.arg, 0) ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  u.timeout = o.timeout ;
  o.ngiven = (unsigned int)genalloc_len(char const *, &o.keep) ;
  if (s4_getenv("STAGE4_RAMFS")) keep(&o, s4_getenv("STAGE4_RAMFS")) ;
  for (unsigned int i = 0 ; i < sizeof always / sizeof *always ; i++) keep(&o, always[i]) ;
  s4_step_next(argv, s4.dryrun ? show_plan(&u) : umountall(&u)) ;
}
