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
  unsigned int from ;       /* mounts before this one are not meant */
} ;

 /*
   A kept mount needs its superblock, and those that this lies on, but for the one that / is: nothing will be written
   there any more.
 */

static int is_needed (s4_storage const *st, unsigned int i, void *data)
{
  s4_unmount const *u = data ;
  int kept = s4_kept_find(&u->kept, st->ms->m[i].id) >= 0 || (st == &u->st && u->plan.verdict[i] == S4_KEPT) ;
  return kept && strcmp(st->ms->m[i].dir, "/") ;
}

static int may_be_readonly (s4_storage const *st, unsigned int k, void *data)
{
  struct readonly const *r = data ;
  return st->first[k] >= r->from && !r->needed[k] && s4_type_wanted(r->u->types, st->ms->m[st->first[k]].type) ;
}

 /* How many were tried, or -1. */

static int make_readonly (s4_unmount const *u, s4_storage const *st, unsigned int from)
{
  struct readonly r = { .u = u, .needed = s4_storage_mark(st, &is_needed, (void *)u, 1), .from = from } ;
  s4_superblocks sb ;
  int n = -1 ;
  if (r.needed && s4_superblocks_find(&sb, st, &may_be_readonly, &r))
  {
    n = (int)sb.n ;
    if (n) s4_readonly_these(st, &sb, u->timeout) ;
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
  n = make_readonly(u, &u->st, 0) ;
  if (n <= 0) return !n ;
  return s4_unmount_plan(u) && (!s4_unmount_has_new(u) || s4_unmount_all(u)) && (!u->put_off || s4_unmount_force(u)) ;
}

int s4_unmount_readonly_elsewhere (s4_unmount const *u)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  int n ;
  if (s4.container) return 1 ;
  if (!s4_storage_load_all(&st, &ms)) return 0 ;
  n = make_readonly(u, &st, ms.nown) ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  return n >= 0 ;
}
