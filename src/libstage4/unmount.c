/* ISC license. */

/*
  Unmounting by passes: the table is read, a plan made, a worker walks it; again until a pass brings
  nothing. What hangs is left behind, for s4_unmount_force(). What is busy is tried again for a while,
  because references outlive a killed process by milliseconds, but not for what a living process holds.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define BACKOFF_FIRST 2
#define BACKOFF_MAX 100
#define BACKOFF_QUICK 75     /* longer than references of the kernel's own: AF_UNIX in flight 12 ms, io_uring 52 ms */
#define BACKOFF_ALL 1000
#define LOOKS 2              /* for holders: who was just ending at the first one is no reason to give up */
#define LOOK_TIMEOUT 2000
#define AGAIN_TIMEOUT 1000   /* for what was given up before; others have all their time, a disk may have to spin up */
#define PASSES_MAX 600000    /* passes that still bring something end at the budget, or without one after ten minutes */

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
  s4_stuck const *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t i = 0 ; i < genalloc_len(s4_kept, &u->kept) ; i++)
    if (!genalloc_append(unsigned int, kept, &genalloc_s(s4_kept, &u->kept)[i].id)) return 0 ;
  for (size_t i = 0 ; i < u->nstuck ; i++)
    if (x[i].hung && !genalloc_append(unsigned int, hung, &x[i].id)) return 0 ;
  return 1 ;
}

static void resolve_once (s4_unmount *u)
{
  if (u->resolved++) return ;
  if (!s4_keep_resolve(&u->st.tree, u->keep, u->nkeep, &u->kept)) s4_warnsys("unable to resolve all paths to keep") ;
}

int s4_unmount_plan (s4_unmount *u)
{
  genalloc kept = GENALLOC_ZERO, hung = GENALLOC_ZERO ;   /* ids */
  int ok ;
  s4_mountplan_free(&u->plan) ;
  s4_storage_free(&u->st) ;
  u->gone = u->surprised = 0 ;
  ok = s4_mounts_load(&u->ms) && s4_storage_find(&u->st, &u->ms) ;
  if (ok) resolve_once(u) ;
  ok = ok && collect_ids(u, &kept, &hung) ;
  if (ok)
  {
    s4_policy const policy =
    {
      .keep = genalloc_s(unsigned int, &kept), .nkeep = (unsigned int)genalloc_len(unsigned int, &kept),
      .hung = genalloc_s(unsigned int, &hung), .nhung = (unsigned int)genalloc_len(unsigned int, &hung),
      .edges = genalloc_s(s4_edge, &u->st.edges), .nedges = (unsigned int)genalloc_len(s4_edge, &u->st.edges),
      .types = u->types
    } ;
    ok = s4_mountplan_make(&u->plan, &u->st.tree, &policy) && place_tasks(u) ;
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

 /* What umount(2) does to it, it does to the copies that others have of it; null: there are none. */

static s4_mount const *sharing_parent (s4_unmount const *u, unsigned int i)
{
  unsigned int parent = u->st.tree.parent[i] ;
  return parent != S4_NONE && u->ms.m[parent].shared ? u->ms.m + parent : 0 ;
}

 /* Given up, it outlives its program: its name tells the later ones, and people, what it is still at. */

static void take_name (char const *prefix, char const *dir)
{
  char name[16] = "" ;
  strncat(name, prefix, 15) ;
  strncat(name, dir, 15 - strlen(name)) ;
  prctl(PR_SET_NAME, name, 0, 0, 0) ;
}

static int may_hang (s4_mount const *m)
{
  enum s4_fsclass_e c = s4_fsclass(m->type) ;
  return c == S4_FS_NETWORK || c == S4_FS_FUSE ;
}

 /*
   A server that is gone holds who waits for it, even when he was killed, and by that the mount is busy. Such a
   question takes for ever too, so the mount counts as one that hangs.
 */

static void ask_server (char const *dir)
{
  struct statfs st ;
  (void)!statfs(dir, &st) ;
}

static int run_umount (unsigned int t, void *data)
{
  s4_unmount const *u = data ;
  char const *dir = mount_of(u, t)->dir ;
  s4_mount const *sharing = u->alone ? sharing_parent(u, u->plan.order[t]) : 0 ;
  int may_flush = s4_unmount_may_flush(u, u->plan.order[t]) ;
  int e ;
  if (may_flush) take_name(S4_UNMOUNTING, dir) ;
  if (sharing) mount(0, sharing->dir, 0, MS_PRIVATE, 0) ;
  e = umount2(dir, UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
  if (e == EBUSY && may_hang(mount_of(u, t))) ask_server(dir) ;
  if (may_flush) take_name("stage4-umountall", "") ;
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

static s4_ms patience_with (unsigned int t, void *data)
{
  s4_unmount const *u = data ;
  s4_stuck const *x = s4_stuck_find(u, mount_of(u, t)->id) ;
  return x && x->given_up && u->timeout > AGAIN_TIMEOUT ? AGAIN_TIMEOUT : u->timeout ;
}

static int add_name (unsigned int t, stralloc *sa, void *data)
{
  s4_mount const *m = mount_of(data, t) ;
  return s4_cat(sa, S4_MOUNT(m)) ;
}

static int is_busy (s4_unmount *u, unsigned int i)
{
  s4_stuck *x = s4_stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  if (!x->since) x->since = s4_now() ;
  x->pass = u->pass ;
  return 1 ;
}

static int failed (s4_unmount *u, unsigned int i, int e)
{
  s4_stuck *x = s4_stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  u->surprised = 1 ;
   /* the table has changed, or does so: looking for a name in a dead FUSE, the kernel unmounts what is there */
  if (e == EINVAL || e == ENOENT || e == ENOTCONN || x->told == e) return 1 ;
  s4_warnerr(e, "unable to unmount ", u->ms.m[i].dir) ;
  x->told = e ;
  return 1 ;
}

static int collect_one (s4_unmount *u, unsigned int t, s4_task const *x)
{
  unsigned int i = u->plan.order[t] ;
  s4_mount const *m = u->ms.m + i ;
  if (x->state == S4_TASK_ABANDONED)
  {
    s4_warn("gave up unmounting ", S4_MOUNT(m), " after ", S4_MS(x->ended - x->began)) ;
    return s4_unmount_given_up(u, i, x->worker) ;
  }
  if (x->state != S4_TASK_ENDED) return 1 ;
  if (x->err) return x->err == EBUSY ? is_busy(u, i) : failed(u, i, x->err) ;
  u->gone++ ;
  s4_verbose("unmounted ", S4_MOUNT(m), ", ", S4_MS(x->ended - x->began)) ;
  return 1 ;
}

static int work_plan (s4_unmount *u)
{
  s4_job const job = { .n = u->plan.n, .patience = &patience_with, .run = &run_umount, .ready = &is_free,
    .progress = &progress_of, .slow = "still unmounting", .name = &add_name, .flow = &s4_flow_to_disks, .data = u } ;
  s4_task *t = job.n ? s4_work(&job) : 0 ;
  int ok = !!t ;
  for (unsigned int k = 0 ; ok && k < job.n ; k++) ok = collect_one(u, k, t + k) ;
  free(t) ;
  return ok || !job.n ;
}

static int run_pass (s4_unmount *u)
{
  int ok ;
  u->pass++ ;
  if (!s4_unmount_plan(u)) return 0 ;
  ok = work_plan(u) ;
  s4_stuck_sort(u) ;
  u->unmounted += u->gone ;
  return ok ;
}

 /* --- passes --- */

static int is_waited_for (s4_unmount const *u, s4_stuck const *x, s4_ms now)
{
  return x->pass == u->pass && (!x->held || x->looked < LOOKS) && now - x->since < BACKOFF_ALL ;
}

 /* Those that the kernel alone should have let go of by now. */

static int look_for_holders (s4_unmount *u, s4_ms now)
{
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  s4_holder const *h ;
  int ok = 1 ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
  {
    unsigned int i = s4_tree_find(&u->st.tree, x[k].id) ;
    if (!is_waited_for(u, x + k, now) || now - x[k].since < BACKOFF_QUICK) continue ;
    if (x[k].looked >= LOOKS || i == S4_NONE) continue ;
    x[k].looked++ ;
    x[k].held = 0 ;
    if (!(ok = genalloc_append(unsigned int, &which, &i))) break ;
  }
  if (genalloc_len(unsigned int, &which))
    s4_holders_find(&u->st.tree, genalloc_s(unsigned int, &which), (unsigned int)genalloc_len(unsigned int, &which),
      LOOK_TIMEOUT, &holders) ;
  h = genalloc_s(s4_holder, &holders) ;
  for (size_t k = 0 ; k < genalloc_len(s4_holder, &holders) ; k++)
    s4_stuck_find(u, u->ms.m[h[k].mount].id)->held = 1 ;
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_holder, &holders) ;
  return ok ;
}

 /* Whether there is something to wait for. Whenever something goes, what no process holds may go next. */

static int find_waiting (s4_unmount *u)
{
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  s4_ms const now = s4_now() ;
  int some = 0 ;
  if (u->gone) for (size_t k = 0 ; k < u->nstuck ; k++) x[k].since = x[k].since ? now : 0 ;
  else if (!look_for_holders(u, now)) return 0 ;
  for (size_t k = 0 ; k < u->nstuck && !some ; k++) some = is_waited_for(u, x + k, now) ;
  return some ;
}

 /* The kernel looks for sockets in flight in each other, maybe with open files, when one of their kind is closed. */

static void collect_sockets (void)
{
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) ;
  if (fd != -1) close(fd) ;
}

 /* A copy that is busy keeps ours (fs/pnode.c:propagate_mount_busy). Only if nothing else helps: then theirs stays. */

static int some_are_shared (s4_unmount const *u)
{
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    unsigned int i = u->plan.order[t] ;
    s4_stuck const *x = s4_stuck_find(u, u->ms.m[i].id) ;
    if (x && x->pass == u->pass && sharing_parent(u, i)) return 1 ;
  }
  return 0 ;
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
    if (!waiting || s4_limit(nap) < s4_now() + nap)
    {
      if (u->alone || !some_are_shared(u)) return 1 ;
      u->alone = 1 ;
      s4_verbose("going on without shared mounts: a busy copy keeps ours") ;
      continue ;
    }
    collect_sockets() ;
    s4_poll(0, 0, s4_now() + nap) ;
    nap = nap * 3 / 2 > BACKOFF_MAX ? BACKOFF_MAX : nap * 3 / 2 ;
  }
}

int s4_unmount_has_new (s4_unmount const *u)
{
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    unsigned int i = u->plan.order[t] ;
    if (u->plan.needs_at[i] == u->plan.needs_at[i+1] && !s4_stuck_find(u, u->ms.m[i].id)) return 1 ;
  }
  return 0 ;
}
