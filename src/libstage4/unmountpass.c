/* ISC license. */

/* One pass of unmounting: the table is read, a plan made, a worker walks it. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define AGAIN_TIMEOUT 1000   /* for what was given up before; others have all their time, a disk may have to spin up */
#define TOLD_MAX 100         /* warnings: a slow console takes no more in a second */

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

int s4_unmount_is_hosts (s4_unmount const *u, unsigned int i)
{
  unsigned int parent = u->st.tree.parent[i] ;
  return u->shares && (parent == S4_NONE || u->ms.m[parent].shared) && strcmp(u->ms.m[i].dir, "/") ;
}

static int collect_ids (s4_unmount const *u, genalloc *kept, genalloc *hung)
{
  s4_stuck const *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t i = 0 ; i < genalloc_len(s4_kept, &u->kept) ; i++)
    if (!genalloc_append(unsigned int, kept, &genalloc_s(s4_kept, &u->kept)[i].id)) return 0 ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
    if (s4_unmount_is_hosts(u, i) && !genalloc_append(unsigned int, kept, &u->ms.m[i].id)) return 0 ;
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
  u->gone = u->table_changed = 0 ;
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

int s4_unmount_may_be_layer (s4_unmount const *u, unsigned int i)
{
  s4_edge const *e = genalloc_s(s4_edge, &u->st.edges) ;
  int maybe = 0 ;
  if (u->plan.verdict[i] != S4_CARRIES) return 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, &u->st.edges) ; k++)
  {
    if (e[k].then != i || e[k].first != u->plan.because[i]) continue ;
    if (e[k].kind != S4_EDGE_MAYBE) return 0 ;
    maybe = 1 ;
  }
  return maybe ;
}

 /* --- one pass --- */

static s4_mount const *mount_of (s4_unmount const *u, unsigned int t)
{
  return u->ms.m + u->plan.order[t] ;
}

s4_mount const *s4_unmount_sharing_parent (s4_unmount const *u, unsigned int i)
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

 /*
   A process in a request to a server that is gone keeps the mount busy, even after SIGKILL. statfs(2) hangs there, too,
   so the mount counts as one that hangs.
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
  s4_mount const *sharing = u->make_private ? s4_unmount_sharing_parent(u, u->plan.order[t]) : 0 ;
  int may_flush = s4_unmount_may_flush(u, u->plan.order[t]) ;
  char name[16] = "" ;
  int e ;
  if (may_flush)
  {
    prctl(PR_GET_NAME, name, 0, 0, 0) ;
    take_name(S4_UNMOUNTING, dir) ;
  }
  if (sharing) mount(0, sharing->dir, 0, MS_PRIVATE, 0) ;
  e = umount2(dir, UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
  if (e == EBUSY && s4_may_hang(mount_of(u, t)->type)) ask_server(dir) ;
  if (may_flush) prctl(PR_SET_NAME, name, 0, 0, 0) ;
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

static int note_busy (s4_unmount *u, unsigned int i)
{
  s4_stuck *x = s4_stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  if (!x->since) x->since = s4_now() ;
  x->tries++ ;
  x->pass = u->pass ;
  return 1 ;
}

static int note_failure (s4_unmount *u, unsigned int i, int e)
{
  s4_stuck *x = s4_stuck_note(u, u->ms.m[i].id) ;
  if (!x) return 0 ;
  u->table_changed = 1 ;
   /* the table has changed, or does so: looking for a name in a dead FUSE, the kernel unmounts what is there */
  if (e == EINVAL || e == ENOENT || e == ENOTCONN || x->told == e) return 1 ;
  x->told = e ;
  if (u->told++ < TOLD_MAX) s4_warnerr(e, "unable to unmount ", u->ms.m[i].dir) ;
  return 1 ;
}

static int collect_one (s4_unmount *u, unsigned int t, s4_task const *x)
{
  unsigned int i = u->plan.order[t] ;
  s4_mount const *m = u->ms.m + i ;
  if (x->state == S4_TASK_ABANDONED)
  {
    if (u->told++ < TOLD_MAX) s4_warn("gave up unmounting ", S4_MOUNT(m), " after ", S4_MS(x->ended - x->began)) ;
    u->table_changed = 1 ;   /* it leaves the table before it is flushed */
    return s4_unmount_note_given_up(u, i, x->worker) ;
  }
  if (x->state != S4_TASK_ENDED) return 1 ;
  if (x->err) return x->err == EBUSY ? note_busy(u, i) : note_failure(u, i, x->err) ;
  u->gone++ ;
  if (m->readonly && m->major && !genalloc_append(uint64_t, &u->readonly, &(uint64_t){ s4_mount_device(m) })) return 0 ;
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

int s4_unmount_pass (s4_unmount *u)
{
  unsigned int const told = u->told ;
  int ok ;
  u->pass++ ;
  if (!s4_unmount_plan(u)) return 0 ;
  ok = work_plan(u) ;
  s4_stuck_sort(u) ;
  u->unmounted += u->gone ;
  if (told < TOLD_MAX && u->told > TOLD_MAX) s4_warn("and more, which are named no more") ;
  return ok ;
}
