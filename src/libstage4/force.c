/* ISC license. */

/*
  What hangs on network or FUSE file systems: forced, then detached. A disk that is still writable must not get out of
  sight by that.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

#define FORCE_TIMEOUT 1000

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
  s4_stuck const *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
    for (unsigned int i = x[k].hung ? s4_tree_find(&u->st.tree, x[k].id) : S4_NONE ; i != S4_NONE && !f->seen[i] ;
      i = u->st.tree.parent[i]) if (!add_if_forceable(f, i)) return 0 ;
  return 1 ;
}

static void say_force (struct force const *f, unsigned int k, char const *what)
{
  s4_mount const *m = f->u->ms.m + genalloc_s(unsigned int, &f->which)[k] ;
  s4_warn(what, S4_MOUNT(m)) ;
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
  for (size_t k = 0 ; k < u->nstuck ; k++) genalloc_s(s4_stuck, &u->stuck)[k].hung = 0 ;
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
  if (!s4_unmount_some_hang(u)) return 1 ;
  return force(u, MNT_FORCE) && force(u, MNT_DETACH) ;
}
