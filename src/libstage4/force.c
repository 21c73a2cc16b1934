/* ISC license. */

/*
  What hangs on network or FUSE file systems: forced, then detached. A disk that is still writable must not get out of
  sight by that.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <linux/major.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

#define FORCE_TIMEOUT 1000
#define FORCE_FOR 500         /* that long again and again */
#define LOOPS_TIMEOUT 1000    /* for what their files lie on: who does not answer may hang there */

struct force
{
  s4_unmount *u ;
  genalloc which ;          /* mount indices */
  unsigned char *seen ;     /* of each mount */
  unsigned char *carries ;  /* of each mount: a disk that would be lost from sight with it */
  unsigned char *put_off ;  /* of each mount: not forced because of that */
  int looked ;              /* for those out of sight */
  int any ;                 /* it is not known which mount carries one */
  unsigned char *kept ;     /* of each superblock: forced by way of any mount, it would be gone for a kept one, too */
  int flags ;
} ;

static int try_force (char const *dir, int flags)
{
  return umount2(dir, flags | UMOUNT_NOFOLLOW) == -1 ? errno : 0 ;
}

 /*
   MNT_FORCE ends the requests that are under way at that moment (fs/nfs/super.c:nfs_umount_begin). A writer may make
   more of them, and a process that was killed while it waited for one needs a moment to end.
 */

static int run_force (unsigned int k, void *data)
{
  struct force const *f = data ;
  unsigned int i = genalloc_s(unsigned int, &f->which)[k] ;
  char const *dir = f->u->ms.m[i].dir ;
  s4_ms const until = s4_now() + FORCE_FOR ;
  int e = try_force(dir, f->flags) ;
  while (e == EBUSY && !f->u->st.tree.carries[i] && s4_now() < until)
  {
    poll(0, 0, S4_TICK) ;
    e = try_force(dir, f->flags) ;
  }
  return e ;
}

 /*
   A disk that is mounted on what is forced or detached goes out of sight with it (the kernel lets a forced FUSE
   forget its names), still writable if it is busy. Unless it is in sight elsewhere, or the host's.
 */

static int would_be_lost (s4_storage const *st, unsigned int i)
{
  return !s4.container && st->at_risk[i] && st->reach[st->first[st->sb[i]]] & S4_REACH_REMOTE ;
}

static void find_carriers (struct force *f)
{
  s4_unmount const *u = f->u ;
  for (unsigned int j = 0 ; j < u->ms.n ; j++) if (would_be_lost(&u->st, j))
    for (unsigned int i = u->st.tree.parent[j] ; i != S4_NONE && !f->carries[i] ; i = u->st.tree.parent[i])
      f->carries[i] = 1 ;
}

 /* So does a disk whose file lies there, maybe in a flush that was given up, and that must not fail. */

static void find_carriers_of_files (struct force *f)
{
  s4_unmount const *u = f->u ;
  s4_edge const *e = genalloc_s(s4_edge, &u->st.edges) ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, &u->st.edges) ; k++)
    if (u->st.at_risk[e[k].first] && !s4.container) f->carries[e[k].then] = 1 ;
}

 /* --- disks that our table does not show --- */

 /* One that only another namespace has, below network or FUSE: forced, that forgets it there, too. */

static int some_lie_elsewhere (s4_storage const *all)
{
  for (unsigned int k = 0 ; k < all->nsb ; k++)
    if (all->first[k] >= all->ms->nown && all->at_risk[all->first[k]]
     && all->reach[all->first[k]] & S4_REACH_REMOTE) return 1 ;
  return 0 ;
}

static int is_writable (s4_storage const *all, uint64_t device)
{
  for (unsigned int i = 0 ; i < all->ms->n ; i++)
    if (all->at_risk[i] && s4_mount_device(all->ms->m + i) == device) return 1 ;
  return 0 ;
}

struct backing { uint64_t device ; int found ; } ;

static int is_backing (s4_storage const *st, unsigned int i, void *data)
{
  struct backing *b = data ;
  if (s4_mount_device(st->ms->m + i) != b->device) return 0 ;
  return b->found = 1 ;
}

 /* Files have numbers of their own there. */

static int lies_on_btrfs (s4_storage const *st, char const *file)
{
  unsigned int i = file ? s4_tree_holding(&st->tree, file) : S4_NONE ;
  return i != S4_NONE && !strcmp(st->ms->m[i].type, "btrfs") ;
}

static int find_carrier_of_loop (struct force *f, s4_loop const *x)
{
  s4_storage const *st = &f->u->st ;
  struct backing b = { .device = x->backing } ;
  unsigned char *marks ;
  if (x->backing == S4_NODEVICE) return f->any = 1 ;
  marks = s4_storage_mark(st, &is_backing, &b, 1) ;
  if (!marks) return 0 ;
  if (!b.found && !lies_on_btrfs(st, x->file)) f->any = 1 ;
  for (unsigned int i = 0 ; i < st->ms->n ; i++) if (marks[st->sb[i]]) f->carries[i] = 1 ;
  free(marks) ;
  return 1 ;
}

 /* What is in a loop device is in danger unless a table shows it, and shows it as read-only. */

static int find_carriers_of_loops (struct force *f, s4_storage const *all)
{
  genalloc loops = GENALLOC_ZERO ;
  s4_loop const *x ;
  int ok = s4_loops_find(&loops, 0, LOOPS_TIMEOUT) ;
  x = genalloc_s(s4_loop, &loops) ;
  for (size_t k = 0 ; ok && k < genalloc_len(s4_loop, &loops) ; k++)
    if (!s4_has_device(&all->ms->devices, x[k].device) || is_writable(all, x[k].device))
      ok = find_carrier_of_loop(f, x + k) ;
  genalloc_free(s4_loop, &loops) ;
  return ok ;
}

 /* In doubt nothing is forced: what hangs is named, what is forced may be lost. */

static void find_carriers_out_of_sight (struct force *f)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage all ;
  if (s4.container || f->looked++) return ;
  if (!s4_storage_load_all(&all, &ms))
  {
    f->any = 1 ;
    return ;
  }
  f->any = ms.unseen || some_lie_elsewhere(&all) || !find_carriers_of_loops(f, &all) || f->any ;
  s4_storage_free(&all) ;
  s4_mounts_free(&ms) ;
}

 /* --- what is forced --- */

static int some_loop_is_flushed (s4_unmount const *u)
{
  s4_pending const *x = genalloc_s(s4_pending, &u->pending) ;
  for (size_t k = genalloc_len(s4_pending, &u->pending) ; k-- ; ) if (x[k].device >> 32 == LOOP_MAJOR) return 1 ;
  return 0 ;
}

static int is_kept_by_path (s4_storage const *st, unsigned int i, void *data)
{
  s4_unmount const *u = data ;
  return s4_kept_find(&u->kept, st->ms->m[i].id) >= 0 ;
}

static int is_kept (struct force const *f, unsigned int i)
{
  s4_unmount const *u = f->u ;
  if (u->plan.verdict[i] == S4_KEPT) return 1 ;
  return f->flags & MNT_FORCE ? f->kept[u->st.sb[i]] : is_kept_by_path(&u->st, i, f->u) ;
}

static int add_if_forceable (struct force *f, unsigned int i)
{
  s4_unmount *u = f->u ;
  s4_mount const *m = u->ms.m + i ;
  f->seen[i] = 1 ;
  if (!s4_may_hang(m->type)) return 1 ;
  if (is_kept(f, i) || !s4_type_wanted(u->types, m->type)) return 1 ;
  find_carriers_out_of_sight(f) ;
  if (f->carries[i] || f->any || some_loop_is_flushed(u))
  {
    s4_verbose("not forced, a disk may lie on it: ", S4_MOUNT(m)) ;
    u->put_off = f->put_off[i] = 1 ;
    return 1 ;
  }
  return genalloc_append(unsigned int, &f->which, &i) ;
}

 /* What hangs, and what the path of a hung one leads through, if it is of a kind that forcing does something for. */

static int find_forceable (struct force *f)
{
  s4_unmount const *u = f->u ;
  s4_stuck const *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
    for (unsigned int i = x[k].hung ? s4_tree_find(&u->st.tree, x[k].id) : S4_NONE ; i != S4_NONE && !f->seen[i] ;
      i = u->st.tree.parent[i]) if (!add_if_forceable(f, i)) return 0 ;
  return 1 ;
}

static int is_below (s4_tree const *t, unsigned int i, unsigned char const *marks)
{
  while ((i = t->parent[i]) != S4_NONE) if (marks[i]) return 1 ;
  return 0 ;
}

 /* Detached, a mount takes all that is below it along; its path may have hung. */

static int leave_highest (struct force *f)
{
  s4_tree const *t = &f->u->st.tree ;
  unsigned int *which = genalloc_s(unsigned int, &f->which) ;
  unsigned char *marks = calloc(f->u->ms.n + 1, 1) ;
  size_t n = 0 ;
  if (!marks) return 0 ;
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &f->which) ; k++) marks[which[k]] = 1 ;
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &f->which) ; k++)
    if (!is_below(t, which[k], marks)) which[n++] = which[k] ;
  genalloc_setlen(unsigned int, &f->which, n) ;
  free(marks) ;
  return 1 ;
}

static void say_force (struct force const *f, unsigned int k, char const *what)
{
  s4_mount const *m = f->u->ms.m + genalloc_s(unsigned int, &f->which)[k] ;
  s4_warn(what, S4_MOUNT(m)) ;
}

 /* The kernel may still take leave of the server. */

static int has_gone (struct force const *f, unsigned int k, s4_task const *t, s4_mounts const *now)
{
  s4_mount const *m = f->u->ms.m + genalloc_s(unsigned int, &f->which)[k] ;
  return s4_task_done(t) || (t->state == S4_TASK_ABANDONED && s4_mounts_find(now, m->id) < 0) ;
}

static int run_forces (struct force *f)
{
  s4_unmount *u = f->u ;
  s4_job job = { .timeout = FORCE_TIMEOUT, .run = &run_force, .data = f } ;
  s4_mounts now = S4_MOUNTS_ZERO ;
  s4_task const *t ;
  job.n = (unsigned int)genalloc_len(unsigned int, &f->which) ;
  for (unsigned int k = 0 ; k < job.n && f->flags & MNT_FORCE ; k++) say_force(f, k, "forcing ") ;
  t = s4_work(&job) ;
  if (!t || !s4_mounts_load(&now)) return 0 ;
  for (unsigned int k = 0 ; k < job.n ; k++) if (has_gone(f, k, t + k, &now))
  {
    if (f->flags & MNT_FORCE) u->unmounted++ ;
    else
    {
      u->detached++ ;
      say_force(f, k, "detached, not unmounted: ") ;
    }
  }
  s4_mounts_free(&now) ;
  return 1 ;
}

 /* What hung is tried once more, but for what hangs on something that was put off. */

static int try_hung_again (struct force const *f)
{
  s4_unmount *u = f->u ;
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
  {
    unsigned int i = s4_tree_find(&u->st.tree, x[k].id) ;
    if (i == S4_NONE || !is_below(&u->st.tree, i, f->put_off)) x[k].hung = 0 ;
  }
  return s4_unmount_all(u) ;
}

static int force (s4_unmount *u, int flags)
{
  struct force f = { .u = u, .which = GENALLOC_ZERO, .seen = calloc(u->ms.n + 1, 1),
    .carries = calloc(u->ms.n + 1, 1), .put_off = calloc(u->ms.n + 1, 1),
    .kept = s4_storage_mark(&u->st, &is_kept_by_path, u, 1), .flags = flags } ;
  int ok = f.seen && f.carries && f.put_off && f.kept ;
  if (ok)
  {
    find_carriers(&f) ;
    find_carriers_of_files(&f) ;
    ok = find_forceable(&f) && (flags & MNT_FORCE || leave_highest(&f)) ;
  }
  if (ok && genalloc_len(unsigned int, &f.which)) ok = run_forces(&f) && try_hung_again(&f) ;
  free(f.seen) ;
  free(f.carries) ;
  free(f.put_off) ;
  free(f.kept) ;
  genalloc_free(unsigned int, &f.which) ;
  return ok ;
}

 /* MNT_FORCE is for the whole file system, whoever has it mounted; MNT_DETACH for a mount. */

int s4_unmount_force (s4_unmount *u)
{
  u->put_off = 0 ;
  if (!s4_unmount_some_hang(u)) return 1 ;
  if (s4.container)
  {
    s4_info("a container: the file systems are the host's, none is forced") ;
    return force(u, MNT_DETACH) ;
  }
  return force(u, MNT_FORCE) && force(u, MNT_DETACH) ;
}
