/* ISC license. */

/*
  The mounts that must stay because a path leads through them. Resolved by walking, in a child, and told
  by mount id: /dev may be a link into another mount, and more than one mount may have the same name.
*/

#include <errno.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOK_TIMEOUT 2000

struct resolve
{
  int fd ;
  char const *const *paths ;
  unsigned int n ;
  unsigned int path ;     /* which one is being walked */
} ;

static int tell_mount (int fd, char const *path, struct stat const *st, void *data)
{
  struct resolve const *r = data ;
  s4_kept k = { .path = r->path } ;
  int id = s4_mount_id(fd) ;
  (void)path ;
  (void)st ;
  k.id = (unsigned int)id ;
  return id <= 0 || !s4_answer(r->fd, &k, sizeof k) ;
}

static int resolve_all (int fd, void *data)
{
  struct resolve *r = data ;
  r->fd = fd ;
   /* A path that isn't there, or only a part of it, keeps what was passed. */
  for (r->path = 0 ; r->path < r->n ; r->path++) s4_path_walk(r->paths[r->path], &tell_mount, r) ;
  return 0 ;
}

int s4_keep_resolve (char const *const *paths, unsigned int n, genalloc *kept)
{
  struct resolve r = { .paths = paths, .n = n } ;
  int ok = s4_ask(&resolve_all, &r, LOOK_TIMEOUT, kept) ;
  genalloc_setlen(s4_kept, kept, genalloc_len(s4_kept, kept)) ;   /* cut off in the middle of one */
  return ok ;
}

static int ends_path (genalloc const *kept, size_t i)
{
  s4_kept const *k = genalloc_s(s4_kept, kept) ;
  return i + 1 == genalloc_len(s4_kept, kept) || k[i+1].path != k[i].path ;
}

 /* Rather one that leads to it than one that leads through it. */

int s4_kept_find (genalloc const *kept, unsigned int id)
{
  s4_kept const *k = genalloc_s(s4_kept, kept) ;
  int through = -1 ;
  for (size_t i = genalloc_len(s4_kept, kept) ; i-- ; )
  {
    if (k[i].id != id) continue ;
    if (ends_path(kept, i)) return (int)k[i].path ;
    if (through == -1) through = (int)k[i].path ;
  }
  return through ;
}

 /*
   The walk tells each thing that it passes, beginning with /: a mount's root is where the last one differs
   from the one before.
 */

unsigned int s4_kept_mount_at (genalloc const *kept, unsigned int path)
{
  s4_kept const *k = genalloc_s(s4_kept, kept) ;
  for (size_t i = genalloc_len(s4_kept, kept) ; i-- > 1 ; )
    if (k[i].path == path) return k[i-1].path == path && k[i-1].id != k[i].id ? k[i].id : 0 ;
  return 0 ;
}
