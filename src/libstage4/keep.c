/* ISC license. */

/*
  The mounts that must stay because a path leads through them. Resolved by the table where that says it all, else
  by walking, in a child; told by mount id: /dev may be a link into another mount, and more than one mount may have
  the same name.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

#define LOOK_TIMEOUT 2000

struct resolve
{
  int fd ;
  char const *const *paths ;
  unsigned char *known ;  /* of each path: it needs no walk */
  unsigned int n ;
  unsigned int path ;     /* which one is being walked */
} ;

 /* --- by the table --- */

 /*
   / itself, and mount points one component below it: there are neither links nor other mounts on the way. But not where
   something is mounted over /.
 */

static int keep_mount_point (s4_tree const *t, char const *path, unsigned int index, genalloc *kept)
{
  unsigned int i = s4_tree_holding(t, path) ;
  s4_kept k[2] = { { .path = index }, { .path = index } } ;
  if (t->root == S4_NONE || s4_tree_holding(t, "/") != t->root || i == S4_NONE || strcmp(t->ms->m[i].dir, path)
   || strrchr(path, '/') != path) return 0 ;
  k[0].id = t->ms->m[t->root].id ;
  k[0].device = s4_mount_device(t->ms->m + t->root) ;
  k[1].id = t->ms->m[i].id ;
  k[1].device = s4_mount_device(t->ms->m + i) ;
  return genalloc_catb(s4_kept, kept, k, path[1] ? 2 : 1) ;
}

 /* --- by a walk --- */

static int tell_mount (int fd, char const *path, struct stat const *st, void *data)
{
  struct resolve const *r = data ;
  int id = s4_mount_id(fd) ;
  s4_kept k = { .id = (unsigned int)id, .path = r->path,
    .device = (uint64_t)major(st->st_dev) << 32 | minor(st->st_dev) } ;
  (void)path ;
  return id <= 0 || !s4_answer(r->fd, &k, sizeof k) ;
}

 /* A path that isn't there, or only a part of it, keeps what was passed. */

static int next_unknown (struct resolve *r)
{
  while (r->path < r->n && r->known[r->path]) r->path++ ;
  return r->path < r->n ;
}

static int resolve_from (int fd, void *data)
{
  struct resolve *r = data ;
  r->fd = fd ;
  for (; next_unknown(r) ; r->path++) s4_path_walk(r->paths[r->path], &tell_mount, r) ;
  return 0 ;
}

 /* One that hangs is kept by its name, where the table has it. */

static void keep_by_name (char const *path, unsigned int index, genalloc *kept)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int i = s4_mounts_load(&ms) ? s4_mounts_holding(&ms, path) : -1 ;
  if (i >= 0)
  {
    s4_kept const k = { .id = ms.m[i].id, .path = index, .below = !!strcmp(ms.m[i].dir, path),
      .device = s4_mount_device(ms.m + i) } ;
    genalloc_append(s4_kept, kept, &k) ;
  }
}

 /*
   A child that hangs is lost on one path; the next child begins after it. Each path tells / at least, so the
   last one told is it.
 */

int s4_keep_resolve (s4_tree const *t, char const *const *paths, unsigned int n, genalloc *kept)
{
  struct resolve r = { .paths = paths, .known = calloc(n + 1, 1), .n = n } ;
  genalloc answer = GENALLOC_ZERO ;
  int e = 0 ;
  if (!r.known) return 0 ;
  for (unsigned int k = 0 ; t && k < n ; k++) r.known[k] = (unsigned char)keep_mount_point(t, paths[k], k, kept) ;
  while (next_unknown(&r))
  {
    int complete = s4_ask(&resolve_from, &r, LOOK_TIMEOUT, &answer) ;
    size_t told = genalloc_len(s4_kept, &answer) ;
    genalloc_setlen(s4_kept, &answer, told) ;   /* cut off in the middle of one */
    if (!genalloc_cat(s4_kept, kept, &answer)) return 0 ;
    if (complete) break ;
    e = errno ;
    if (told) r.path = genalloc_s(s4_kept, &answer)[told-1].path ;
    keep_by_name(paths[r.path], r.path, kept) ;
    r.path++ ;
  }
  genalloc_free(s4_kept, &answer) ;
  free(r.known) ;
  return e ? (errno = e, 0) : 1 ;
}

static int ends_path (genalloc const *kept, size_t i)
{
  s4_kept const *k = genalloc_s(s4_kept, kept) ;
  return i + 1 == genalloc_len(s4_kept, kept) || k[i+1].path != k[i].path ;
}

 /* Each path begins at /. */

int s4_kept_is_end (genalloc const *kept, s4_mount const *m)
{
  s4_kept const *k = genalloc_s(s4_kept, kept) ;
  uint64_t const device = s4_mount_device(m) ;
  for (size_t i = genalloc_len(s4_kept, kept) ; i-- ; )
    if (ends_path(kept, i) && (k[i].id == m->id || (k[i].device == device && k[0].device != device))) return 1 ;
  return 0 ;
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
    if (k[i].path == path) return k[i-1].path == path && k[i-1].id != k[i].id && !k[i].below ? k[i].id : 0 ;
  return 0 ;
}
