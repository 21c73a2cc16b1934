/* ISC license. */

/*
  Read-only: what umountall could not unmount. Each file system once, as a whole; those, too, that only other mount
  namespaces have.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stage4.h"

#define LOOK_TIMEOUT 2000

struct readonly
{
  s4_unmount const *u ;
  unsigned char *maybe ;    /* of each superblock: something needed may write to it */
  unsigned char *needed ;   /* of each superblock */
  unsigned int from ;       /* mounts before this one are not meant */
} ;

 /*
   What a kept path leads to needs its superblock, and those that this lies on, but for the one that / is: nothing will
   be written there any more. What it leads through, and what a kept mount covers, need not be writable.
 */

static int is_needed (s4_storage const *st, unsigned int i, void *data)
{
  s4_unmount const *u = data ;
  return strcmp(st->ms->m[i].dir, "/") && s4_kept_is_end(&u->kept, st->ms->m + i) ;
}

static int is_needed_or_maybe (s4_storage const *st, unsigned int i, void *data)
{
  struct readonly const *r = data ;
  return is_needed(st, i, (void *)r->u) || r->maybe[st->sb[i]] ;
}

static int find_needed (struct readonly *r, s4_storage const *st)
{
  unsigned char *surely = s4_storage_mark(st, &is_needed, (void *)r->u, 0) ;
  r->maybe = surely ? s4_storage_maybe_uppers(st, surely, LOOK_TIMEOUT) : 0 ;
  r->needed = r->maybe ? s4_storage_mark(st, &is_needed_or_maybe, r, 0) : 0 ;
  free(surely) ;
  free(r->maybe) ;
  return !!r->needed ;
}

static int may_be_readonly (s4_storage const *st, unsigned int k, void *data)
{
  struct readonly const *r = data ;
  return st->first[k] >= r->from && !r->needed[k] && s4_type_wanted(r->u->types, st->ms->m[st->first[k]].type) ;
}

 /* How many were tried, or -1. */

static int make_readonly (s4_unmount const *u, s4_storage const *st, unsigned int from)
{
  struct readonly r = { .u = u, .from = from } ;
  s4_superblocks sb ;
  int n = -1 ;
  if (find_needed(&r, st) && s4_superblocks_find(&sb, st, &may_be_readonly, &r))
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
  if (n < 0) return 0 ;
  if (!n && !u->put_off) return 1 ;
  return s4_unmount_plan(u) && (!s4_unmount_has_new(u) || s4_unmount_all(u)) && (!u->put_off || s4_unmount_force(u)) ;
}

int s4_unmount_readonly_elsewhere (s4_unmount const *u)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  int n, unseen ;
  if (s4.container) return 1 ;
  if (!s4_storage_load_all(&st, &ms)) return 0 ;
  unseen = ms.unseen ;
  n = make_readonly(u, &st, ms.nown) ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  return n >= 0 && (!unseen || (errno = unseen, 0)) ;
}
