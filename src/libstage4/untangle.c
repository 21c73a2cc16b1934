/* ISC license. */

/*
  A file system may lie on one that is mounted on it: live systems move the medium with the image of / into /, and the
  layers of an overlay into that. Neither can be unmounted before the other. So the lower one is moved elsewhere.
  An overlay keeps its layers also when they are mounted nowhere any more: then nobody sees what a loop device is for,
  and what its file lies on is moved as well.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define PLACES_MAX 100
#define MOVE_TIMEOUT 2000

static int is_mounted_below (s4_tree const *t, unsigned int i, unsigned int above)
{
  unsigned int steps = 0 ;
  while (i != S4_NONE && i != above && steps++ < t->ms->n) i = t->parent[i] ;
  return i == above ;
}

static int mark_below (s4_edge const *e, void *data)
{
  unsigned char *below = data ;
  if (e->kind != S4_EDGE_ALWAYS || !below[e->first] || below[e->then]) return 0 ;
  return below[e->then] = 1 ;
}

static unsigned int tangled_with (s4_tree const *t, genalloc const *edges, s4_mountplan const *p, unsigned int i)
{
  unsigned char *below = calloc(t->ms->n + 1, 1) ;   /* it, what it lies on, what that lies on ... */
  unsigned int found = S4_NONE ;
  if (!below) return S4_NONE ;
  below[i] = 1 ;
  s4_edges_follow(edges, &mark_below, below) ;
  for (unsigned int j = 0 ; j < t->ms->n && found == S4_NONE ; j++)
    if (below[j] && j != i && p->verdict[j] == S4_GOES && is_mounted_below(t, t->parent[j], i)) found = j ;
  free(below) ;
  return found ;
}

unsigned int s4_tangled (s4_tree const *t, genalloc const *edges, s4_mountplan const *p)
{
  s4_edge const *e = genalloc_s(s4_edge, edges) ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, edges) ; k++)
  {
    unsigned int i = e[k].kind == S4_EDGE_ALWAYS && p->verdict[e[k].first] == S4_GOES ?
      tangled_with(t, edges, p, e[k].first) : S4_NONE ;
    if (i != S4_NONE) return i ;
  }
  return S4_NONE ;
}

 /* /run is kept; where it can't be written, the root, which may be the shutdown ramfs. */

static int make_place (stralloc *place)
{
  static char const *const dirs[] = { "/run/stage4.", "/stage4." } ;
  for (size_t k = 0 ; k < sizeof dirs / sizeof *dirs ; k++)
    for (int n = 0 ; n < PLACES_MAX ; n++)
    {
      place->len = 0 ;
      if (!s4_cat(place, dirs[k], S4_NUM(n))) return 0 ;
      if (!mkdir(place->s, 0700)) return 1 ;
      if (errno != EEXIST) break ;
    }
  return 0 ;
}

 /* A loop device has it, and maybe what it is mounted on. */

static unsigned int tangled_by_loop (s4_unmount const *u)
{
  for (size_t k = 0 ; k < u->nstuck ; k++)
  {
    s4_stuck const *x = genalloc_s(s4_stuck, &u->stuck) + k ;
    unsigned int i = x->by_loop && x->pass == u->pass ? s4_tree_find(&u->st.tree, x->id) : S4_NONE ;
    unsigned int parent = i == S4_NONE ? S4_NONE : u->st.tree.parent[i] ;
    if (parent != S4_NONE && u->plan.verdict[parent] == S4_GOES) return i ;
  }
  return S4_NONE ;
}

struct move { s4_mount const *mount, *parent ; } ;

static int move_away (int fd, void *data)
{
  struct move const *m = data ;
  stralloc place = STRALLOC_ZERO ;
  int e ;
  if (!make_place(&place)) return errno ;
  if (m->parent->shared) mount(0, m->parent->dir, 0, MS_PRIVATE, 0) ;   /* else it can't be moved */
  if (mount(m->mount->dir, place.s, 0, MS_MOVE, 0) != -1) return s4_answer(fd, place.s, place.len) ;
  e = errno ;
  rmdir(place.s) ;
  return e ;
}

int s4_unmount_untangle (s4_unmount *u)
{
  unsigned int i = u->tangled ? S4_NONE : s4_tangled(&u->st.tree, &u->st.edges, &u->plan) ;
  stralloc place = STRALLOC_ZERO ;
  struct move m ;
  int ok ;
  if (i == S4_NONE && !u->tangled) i = tangled_by_loop(u) ;
  if (i == S4_NONE) return 0 ;
  m = (struct move){ .mount = u->ms.m + i, .parent = u->ms.m + u->st.tree.parent[i] } ;
  ok = s4_ask(&move_away, &m, MOVE_TIMEOUT, &place) && stralloc_0(&place) ;
  if (ok) s4_verbose("moved ", m.mount->dir, " to ", place.s, ": what it is mounted on may lie on it") ;
  else s4_warnsys("unable to move ", m.mount->dir, ", and what it is mounted on may lie on it") ;
  u->tangled = !ok ;
  stralloc_free(&place) ;
  return ok ;
}
