/* ISC license. */

/*
  Out of an initramfs. It can't be pivoted away from (Documentation/filesystems/ramfs-rootfs-initramfs.rst),
  only be covered by the new root; and what is mounted on it would be hidden then, with nobody able to
  unmount it. So all of that moves below the new root first. Until the new root covers the old one, every
  move can be undone.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define MOVE_TIMEOUT 2000      /* a name that leads through a dead file system */
#define APART "/stage4-newroot"  /* where the new root waits: on the initramfs itself, not on what will move */

struct move
{
  unsigned int id ;     /* of the mount */
  char const *from ;
  char const *to ;
} ;

struct exodus
{
  s4_mounts ms ;
  genalloc now ;        /* struct move: those of this pass */
  genalloc done ;       /* struct move: in their order */
} ;

 /* A mount point is a directory unless the mount is a single file; the kernel says EINVAL where they differ. */

static int attach_as_file (int fd, char const *to)
{
  int place ;
  if (rmdir(to) == -1) return 0 ;
  place = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) ;
  if (place == -1) return 0 ;
  fd_close(place) ;
  return s4_mount_attach(fd, to) ;
}

 /* ESTALE: covered by another one, which goes first. */

static int run_move (unsigned int k, void *data)
{
  struct move const *m = genalloc_s(struct move, &((struct exodus *)data)->now) + k ;
  int fd = s4_mount_open(&(s4_mount){ .id = m->id, .dir = m->from }) ;
  if (fd == -1) return errno == ENOENT || errno == ENOTDIR ? ESTALE : errno ;
  if (!s4_make_path(m->to)) return errno ;
  if (s4_mount_attach(fd, m->to) || (errno == EINVAL && attach_as_file(fd, m->to))) return 0 ;
  return errno ;
}

 /* How many moved; -1: one of them can't. */

static int run_pass (struct exodus *x)
{
  unsigned int n = (unsigned int)genalloc_len(struct move, &x->now) ;
  s4_job const job = { .n = n, .timeout = MOVE_TIMEOUT, .run = &run_move, .data = x } ;
  s4_task const *t = s4_work(&job) ;
  int moved = 0, stuck = 0 ;
  if (!t) return (s4_warnsys("no pivot: unable to start a worker"), -1) ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    struct move const *m = genalloc_s(struct move, &x->now) + k ;
    if (s4_task_done(t + k))
    {
      moved++ ;
      if (!genalloc_append(struct move, &x->done, m)) stuck = 1 ;
    }
    else if (t[k].state == S4_TASK_ABANDONED)
    {
      s4_warn("no pivot: gave up moving ", m->from, " after ", S4_MS(t[k].ended - t[k].began)) ;
      stuck = 1 ;
    }
    else if (t[k].err != ESTALE)
    {
      s4_warnerr(t[k].err, "no pivot: unable to move ", m->from, " to ", m->to) ;
      stuck = 1 ;
    }
  }
  return stuck ? -1 : moved ;
}

static int move_one (struct exodus *x, unsigned int id, char const *from, char const *to)
{
  struct move const m = { .id = id, .from = from, .to = to } ;
  x->now.len = 0 ;
  return genalloc_append(struct move, &x->now, &m) && run_pass(x) == 1 ;
}

 /* The last one first: it may lie on one that moved before. */

static void undo (struct exodus *x)
{
  for (size_t k = genalloc_len(struct move, &x->done) ; k-- ; )
  {
    struct move const m = genalloc_s(struct move, &x->done)[k] ;
    if (!move_one(x, m.id, m.to, m.from)) s4_warn("unable to undo the move of ", m.from) ;
  }
}

static int lies_on_root (s4_mounts const *ms, unsigned int root, int i)
{
  while (i >= 0 && ms->m[i].parent != root)
  {
    int parent = s4_mounts_parent(ms, i) ;
    if (parent == -1 || strcmp(ms->m[parent].dir, ms->m[i].dir)) return 0 ;
    i = parent ;   /* i covers it, and must be moved before it */
  }
  return i >= 0 ;
}

 /* One that was covered doesn't go to its own name: that leads into what covered it, by now. */

static char const *place_for (s4_mount const *m, char const *below, int covered)
{
  return s4_concat(below, covered ? "/stage4-covered-" : m->dir, covered ? S4_NUM(m->id) : "") ;
}

static int gather (struct exodus *x, unsigned int root, unsigned int newroot, char const *below, int covered)
{
  x->now.len = 0 ;
  if (!s4_mounts_load(&x->ms)) return 0 ;
  for (unsigned int i = 0 ; i < x->ms.n ; i++)
  {
    s4_mount const *at = x->ms.m + i ;
    struct move m = { .id = at->id } ;
    if (at->id == root || at->id == newroot || !lies_on_root(&x->ms, root, (int)i)) continue ;
    m.from = s4_concat(at->dir) ;
    m.to = place_for(at, below, covered) ;
    if (!genalloc_append(struct move, &x->now, &m)) return 0 ;
  }
  return 1 ;
}

 /* Pass after pass: what was covered can be reached in the next one. */

static int move_all (struct exodus *x, unsigned int root, unsigned int newroot, char const *below)
{
  for (int covered = 0 ; ; covered = 1)
  {
    int moved ;
    if (!gather(x, root, newroot, below, covered)) return (s4_warnsys("no pivot: unable to see what is mounted"), 0) ;
    if (!genalloc_len(struct move, &x->now)) return 1 ;
    moved = run_pass(x) ;
    if (moved > 0) continue ;
    if (!moved) s4_warn("no pivot: unable to reach ", genalloc_s(struct move, &x->now)[0].from) ;
    return 0 ;
  }
}

static int cover_root (char const *newroot)
{
  if (chdir(newroot) == 0 && mount(".", "/", 0, MS_MOVE, 0) == 0 && chroot(".") == 0) return 1 ;
  s4_warnsys("no pivot: unable to move to / ", newroot) ;
  if (chdir("/") == -1) s4_warnsys("unable to leave ", newroot) ;
  return 0 ;
}

int s4_leave_rootfs (s4_mounts const *ms, unsigned int root, unsigned int newroot, char const *oldroot)
{
  struct exodus x = { .ms = S4_MOUNTS_ZERO, .now = GENALLOC_ZERO, .done = GENALLOC_ZERO } ;
  s4_mount const *new = ms->m + newroot ;
  unsigned int root_id = ms->m[root].id ;
  int apart = new->parent != root_id ;
  char const *place = apart ? APART : new->dir ;
  if ((!apart || move_one(&x, new->id, new->dir, place))
   && move_all(&x, root_id, new->id, s4_concat(place, "/", oldroot)) && cover_root(place)) return 1 ;
  undo(&x) ;
  return 0 ;
}
