/* ISC license. */

/*
  Read-only: what umountall could not unmount. Each file system once, as a whole; those, too, that only other mount
  namespaces have.
*/

#include <stdlib.h>
#include <string.h>

#include "stage4.h"

struct readonly
{
  s4_unmount const *u ;
  unsigned char *needed ;   /* of each superblock */
} ;

 /*
   A kept mount needs its superblock, and those that this lies on, but for the one that / is: nothing will be written
   there any more.
 */

static int find_needed (struct readonly *r)
{
  s4_unmount const *u = r->u ;
  r->needed = calloc(u->st.nsb + 1, 1) ;
  if (!r->needed) return 0 ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
    if (u->plan.verdict[i] == S4_KEPT && strcmp(u->ms.m[i].dir, "/")) r->needed[u->st.sb[i]] = 1 ;
  s4_storage_mark_below(&u->st, r->needed) ;
  return 1 ;
}

static int may_be_readonly (s4_storage const *st, unsigned int k, void *data)
{
  struct readonly const *r = data ;
  return !r->needed[k] && s4_type_wanted(r->u->types, st->ms->m[st->first[k]].type) ;
}

 /* How many were tried, or -1. */

static int make_readonly (s4_unmount const *u)
{
  struct readonly r = { .u = u } ;
  s4_superblocks sb ;
  int n = -1 ;
  if (find_needed(&r) && s4_superblocks_find(&sb, &u->st, &may_be_readonly, &r))
  {
    n = (int)sb.n ;
    if (n) s4_readonly_these(&u->st, &sb, u->timeout) ;
    s4_superblocks_free(&sb) ;
  }
  free(r.needed) ;
  return n ;
}

int s4_unmount_readonly (s4_unmount *u)
{
  int n ;
  if (s4.container)
  {
    s4_verbose("a container: the file systems are the host's, none is made read-only") ;
    return 1 ;
  }
  n = make_readonly(u) ;
  if (n <= 0) return !n ;
  return s4_unmount_plan(u) && (!s4_unmount_has_new(u) || s4_unmount_all(u)) && (!u->put_off || s4_unmount_force(u)) ;
}

struct elsewhere
{
  s4_mounts ms ;
  s4_storage st ;
  char const *types ;
} ;

static int is_elsewhere (s4_storage const *st, unsigned int k, void *data)
{
  struct elsewhere const *x = data ;
  return st->first[k] >= x->ms.nown && s4_type_wanted(x->types, st->ms->m[st->first[k]].type) ;
}

int s4_unmount_readonly_elsewhere (s4_unmount const *u)
{
  struct elsewhere x = { .ms = S4_MOUNTS_ZERO, .types = u->types } ;
  s4_superblocks sb ;
  int ok = 1 ;
  if (s4.container) return 1 ;
  if (!s4_storage_load_all(&x.st, &x.ms)) return 0 ;
  if (s4_superblocks_find(&sb, &x.st, &is_elsewhere, &x))
  {
    if (sb.n) s4_readonly_these(&x.st, &sb, u->timeout) ;
    s4_superblocks_free(&sb) ;
  }
  else ok = 0 ;
  s4_storage_free(&x.st) ;
  s4_mounts_free(&x.ms) ;
  return ok ;
}
