/* ISC license. */

/* Cgroups of both versions, each looked at and changed, in a child: their number has no limit. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define CGROUPS "/sys/fs/cgroup"
#define DEPTH_MAX 64   /* cgroup.max.depth has no limit by itself */
#define TIMEOUT 1000

int s4_cgroup_read (char const *dir, char const *file, stralloc *text)
{
  stralloc path = STRALLOC_ZERO ;
  int r ;
  text->len = 0 ;
  r = s4_cat(&path, dir, file) && openslurpclose(text, path.s) && stralloc_0(text) ;
  stralloc_free(&path) ;
  return r ;
}

int s4_cgroup_write (char const *dir, char const *file, char const *value)
{
  stralloc path = STRALLOC_ZERO ;
  int r = s4_cat(&path, dir, file) && openwritenclose_unsafe(path.s, value, strlen(value)) ;
  stralloc_free(&path) ;
  return r ;
}

struct walk
{
  int out ;
  s4_cgroup_func *change ;
  void *data ;
  stralloc dir ;         /* the cgroup that is looked at */
  unsigned int depth ;
} ;

static int change_below (char const *name, void *data)
{
  struct walk *w = data ;
  size_t const len = w->dir.len ;
  int fd = -1 ;
  if (w->depth < DEPTH_MAX && s4_cat(&w->dir, "/", name)) fd = open(w->dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd != -1)
  {
    if (w->change(w->dir.s, w->data))
    {
      s4_answer(w->out, " ", 1) ;
      s4_answer(w->out, w->dir.s, w->dir.len) ;
    }
    w->depth++ ;
    s4_dir_each(fd, &change_below, w) ;
    w->depth-- ;
  }
  w->dir.len = len ;
  w->dir.s[len] = 0 ;
  return 1 ;
}

static int change_all (int out, void *data)
{
  struct walk *w = data ;
  w->out = out ;
  if (!s4_cat(&w->dir, CGROUPS)) return errno ;
  return s4_dir_each(open(CGROUPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &change_below, w) == -1 ? errno : 0 ;
}

void s4_cgroups_change (s4_cgroup_func *change, void *data, char const *said, char const *late)
{
  struct walk w = { .change = change, .data = data, .dir = STRALLOC_ZERO } ;
  stralloc changed = STRALLOC_ZERO ;
  if (!s4_ask(&change_all, &w, TIMEOUT, &changed) && errno == ETIMEDOUT) s4_warn(late) ;
  if (changed.len && stralloc_0(&changed)) s4_info(said, changed.s) ;
  stralloc_free(&changed) ;
}
