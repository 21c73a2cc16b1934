/* ISC license. */

/* A path, component by component and link by link, as the kernel walks it: to know all that it passes. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <skalibs/bytestr.h>
#include <skalibs/djbunix.h>

#include "stage4.h"

#define LINKS_MAX 40        /* path_resolution(7) */
#define TARGET_MAX 4096     /* PATH_MAX: a link holds no more */

struct walk
{
  int fd ;            /* where we are */
  stralloc done ;     /* the path to there, without links */
  stralloc todo ;     /* what is still to be walked */
  unsigned int links ;
} ;

 /* Takes the next component off todo; 0 at the end, -1 without memory. */

static int next_component (struct walk *w, stralloc *name)
{
  size_t slashes = strspn(w->todo.s, "/") ;
  size_t len = strcspn(w->todo.s + slashes, "/") ;
  if (!len) return 0 ;
  if (!stralloc_copyb(name, w->todo.s + slashes, len) || !stralloc_0(name)) return -1 ;
  memmove(w->todo.s, w->todo.s + slashes + len, w->todo.len - slashes - len) ;
  w->todo.len -= slashes + len ;
  return 1 ;
}

static int go_to_root (struct walk *w)
{
  int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) ;
  if (fd == -1) return 0 ;
  if (w->fd >= 0) fd_close(w->fd) ;
  w->fd = fd ;
  w->done.len = 0 ;
  return stralloc_0(&w->done) && (w->done.len--, 1) ;
}

static int follow (struct walk *w, int fd)
{
  stralloc target = STRALLOC_ZERO ;
  ssize_t r ;
  if (++w->links > LINKS_MAX) return (errno = ELOOP, 0) ;
  if (!stralloc_ready(&target, TARGET_MAX + 1)) return 0 ;
  r = readlinkat(fd, "", target.s, TARGET_MAX) ;
  if (r == -1) return 0 ;
  target.len = (size_t)r ;
  if (!stralloc_append(&target, '/') || !stralloc_insert(&w->todo, 0, &target)) return 0 ;
  r = target.s[0] != '/' || go_to_root(w) ;
  stralloc_free(&target) ;
  return (int)r ;
}

static int enter (struct walk *w, int fd, char const *name)
{
  fd_close(w->fd) ;
  w->fd = fd ;
  if (!strcmp(name, ".")) return 1 ;
  if (!strcmp(name, ".."))
  {
    w->done.len = byte_rchr(w->done.s, w->done.len, '/') ;
    w->done.s[w->done.len] = 0 ;
    return 1 ;
  }
  if (!stralloc_append(&w->done, '/') || !stralloc_cats(&w->done, name) || !stralloc_0(&w->done)) return 0 ;
  w->done.len-- ;
  return 1 ;
}

 /* A link of procfs may lead where its text does not: /proc/PID/root into another mount namespace. -1: it is none. */

static int open_by_proc (struct walk const *w, int link, char const *name)
{
  struct statfs fs ;
  return fstatfs(link, &fs) == -1 || fs.f_type != PROC_SUPER_MAGIC ? -1 : openat(w->fd, name, O_PATH | O_CLOEXEC) ;
}

static int show (int fd, char const *path, struct stat const *st, s4_walk_func *f, void *data)
{
  return f(fd, path, st, data) || (errno = 0) ;
}

 /* One component further: the link itself is shown first, then what it leads to. */

static int look (int fd, struct stat *st)
{
  return fstatat(fd, "", st, AT_EMPTY_PATH | AT_NO_AUTOMOUNT) != -1 || (fd_close(fd), 0) ;
}

static int step (struct walk *w, char const *name, s4_walk_func *f, void *data)
{
  struct stat st ;
  stralloc here = STRALLOC_ZERO ;
  int r, there ;
  int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) ;
  if (fd == -1 || !look(fd, &st)) return 0 ;
  if (!S_ISLNK(st.st_mode))
    return enter(w, fd, name) && show(w->fd, w->done.len ? w->done.s : "/", &st, f, data) ;
  r = stralloc_copy(&here, &w->done) && stralloc_append(&here, '/') && stralloc_cats(&here, name) && stralloc_0(&here)
   && show(fd, here.s, &st, f, data) ;
  stralloc_free(&here) ;
  there = r ? open_by_proc(w, fd, name) : -1 ;
  if (there != -1) r = look(there, &st) && enter(w, there, name) && show(w->fd, w->done.s, &st, f, data) ;
  else r = r && follow(w, fd) ;
  fd_close(fd) ;
  return r ;
}

int s4_path_walk (char const *path, s4_walk_func *f, void *data)
{
  struct walk w = { .fd = -1, .done = STRALLOC_ZERO, .todo = STRALLOC_ZERO } ;
  stralloc name = STRALLOC_ZERO ;
  struct stat st ;
  int more = 1 ;
  int r = stralloc_cats(&w.todo, path) && stralloc_0(&w.todo) && go_to_root(&w)
   && !fstat(w.fd, &st) && show(w.fd, "/", &st, f, data) ;
  while (r && (more = next_component(&w, &name)) > 0) r = step(&w, name.s, f, data) ;
  if (more == -1) r = 0 ;
  if (w.fd >= 0) fd_close(w.fd) ;
  stralloc_free(&name) ;
  stralloc_free(&w.done) ;
  stralloc_free(&w.todo) ;
  return r ;
}
