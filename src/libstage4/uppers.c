/* ISC license. */

/*
  Which disks an overlay may write to, if its options don't say it: statfs(2) of an overlay is that of its upper layer
  (fs/overlayfs/super.c:ovl_statfs). Lower ones it only reads.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define TRIES 3   /* while others write to it */

struct question
{
  s4_storage const *st ;
  unsigned char const *needed ;
} ;

static s4_edge const *edge (s4_storage const *st, size_t k)
{
  return genalloc_s(s4_edge, &st->edges) + k ;
}

static int is_asked (struct question const *q, size_t k)
{
  s4_edge const *e = edge(q->st, k) ;
  return e->kind == S4_EDGE_MAYBE && q->needed[q->st->sb[e->first]] && !q->needed[q->st->sb[e->then]] ;
}

static int look_at (s4_mount const *m, struct statfs *fs)
{
  int fd = s4_mount_open(m) ;
  int r ;
  if (fd == -1) fd = s4_mount_anew(m) ;
  if (fd == -1) return 0 ;
  r = fstatfs(fd, fs) ;
  fd_close(fd) ;
  return r != -1 ;
}

static int looks_like (struct statfs const *a, struct statfs const *b)
{
  return a->f_blocks == b->f_blocks && a->f_bfree == b->f_bfree && a->f_files == b->f_files
   && a->f_ffree == b->f_ffree && a->f_bsize == b->f_bsize ;
}

static int is_another (s4_mount const *overlay, s4_mount const *disk)
{
  struct statfs before, there, after ;
  for (unsigned int i = 0 ; i < TRIES ; i++)
  {
    if (!look_at(overlay, &before) || !look_at(disk, &there) || !look_at(overlay, &after)) return 0 ;
    if (looks_like(&before, &after)) return !looks_like(&before, &there) ;
  }
  return 0 ;
}

static int tell_others (int fd, void *data)
{
  struct question const *q = data ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, &q->st->edges) ; k++)
  {
    s4_edge const *e = edge(q->st, k) ;
    if (is_asked(q, k) && is_another(q->st->ms->m + e->first, q->st->ms->m + e->then)) s4_answer(fd, &k, sizeof k) ;
  }
  return 0 ;
}

 /* In doubt it is one: also if the child hangs. */

unsigned char *s4_storage_maybe_uppers (s4_storage const *st, unsigned char const *needed, s4_ms timeout)
{
  struct question q = { .st = st, .needed = needed } ;
  size_t const n = genalloc_len(s4_edge, &st->edges) ;
  unsigned char *maybe = calloc(st->nsb + 1, 1) ;
  unsigned char *asked = calloc(n + 1, 1) ;
  genalloc others = GENALLOC_ZERO ;   /* size_t */
  int some = 0 ;
  if (!maybe || !asked)
  {
    free(maybe) ;
    free(asked) ;
    return 0 ;
  }
  for (size_t k = 0 ; k < n ; k++)
  {
    asked[k] = (unsigned char)is_asked(&q, k) ;
    some |= asked[k] ;
  }
  if (some) s4_ask(&tell_others, &q, timeout, &others) ;
  for (size_t i = 0 ; i < genalloc_len(size_t, &others) ; i++) asked[genalloc_s(size_t, &others)[i]] = 0 ;
  for (size_t k = 0 ; k < n ; k++) if (asked[k]) maybe[st->sb[edge(st, k)->then]] = 1 ;
  free(asked) ;
  genalloc_free(size_t, &others) ;
  return maybe ;
}
