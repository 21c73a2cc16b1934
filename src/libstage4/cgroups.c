/* ISC license. */

/* Hierarchies of cgroups, of both versions: found, read, written, and walked through; in children. */

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define CONTROLLERS 32   /* of a hierarchy; the kernel has half as many */

char *s4_cgroup_line (char *line, char const **controllers)
{
  char *s = strchr(line, ':') ;
  char *path = s ? strchr(s + 1, ':') : 0 ;
  if (!path) return 0 ;
  *path++ = 0 ;
  *controllers = s + 1 ;
  return path ;
}

int s4_cgroup_has (char const *controllers, char const *controller)
{
  return *controller ? s4_has_word(controllers, controller) : !*controllers ;
}

 /* All controllers of the hierarchy that has this one, or "". */

static char const *find_hierarchy (stralloc *text, char const *controller)
{
  size_t pos = 0 ;
  char *line ;
  if (!s4_proc_read("self/cgroup", text)) return 0 ;
  while ((line = s4_next_line(text, &pos)))
  {
    char const *controllers ;
    if (s4_cgroup_line(line, &controllers) && s4_cgroup_has(controllers, controller)) return controllers ;
  }
  errno = ENOENT ;
  return 0 ;
}

static int is_writable (int fd)
{
  struct statvfs sf ;
  return !fstatvfs(fd, &sf) && !(sf.f_flag & ST_RDONLY) ;
}

 /* All of it: a bind may have no more than a part. */

static int open_mounted (char const *controller, int writable)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int root = -1 ;
  int e = ENOENT ;
  if (!s4_mounts_load(&ms)) return -1 ;
  for (unsigned int i = 0 ; root == -1 && i < ms.n ; i++)
  {
    s4_mount const *m = ms.m + i ;
    if (strcmp(m->type, *controller ? "cgroup" : "cgroup2") || strcmp(m->root, "/")) continue ;
    if (*controller && !s4_has_word(m->superoptions, controller)) continue ;
    root = s4_mount_open(m) ;
    if (root == -1) e = errno ;
    if (root == -1 || !writable || is_writable(root)) continue ;
    fd_close(root) ;
    root = -1 ;
    e = EROFS ;
  }
  s4_mounts_free(&ms) ;
  return (errno = e, root) ;
}

 /*
   Nowhere in the tree. With other controllers than it has there would be another hierarchy. Cgroup 2 gets the options
   of this mount, none: so it is only done where it is mounted nowhere, or read-only.
 */

static int open_anew (char const *controllers)
{
  stralloc names = STRALLOC_ZERO ;
  char const *options[CONTROLLERS + 1] = { 0 } ;
  int root ;
  if (!s4_cat(&names, controllers)) return -1 ;
  if (names.len) for (unsigned int n = 0 ; n < CONTROLLERS ; n++)
  {
    options[n] = n ? strtok(0, ",") : strtok(names.s, ",") ;
    if (!options[n]) break ;
  }
  root = s4_newfs(names.len ? "cgroup" : "cgroup2", options) ;
  if (root >= 0 && !is_writable(root)) s4_reconfigure_writable(root) ;
  stralloc_free(&names) ;
  return root ;
}

int s4_cgroup_root (char const *controller, int writable)
{
  stralloc text = STRALLOC_ZERO ;
  char const *controllers = find_hierarchy(&text, controller) ;
  int root = controllers ? open_mounted(controller, writable) : -1 ;
  if (controllers && root == -1 && !s4.container) root = open_anew(controllers) ;
  stralloc_free(&text) ;
  return root ;
}

static int open_below (int root, char const *name, char const *file, int flags)
{
  stralloc path = STRALLOC_ZERO ;
  int fd = s4_cat(&path, ".", name, file) ? openat(root, path.s, flags | O_CLOEXEC) : -1 ;
  stralloc_free(&path) ;
  return fd ;
}

int s4_cgroup_open (int root, char const *name)
{
  return open_below(root, name, "", O_RDONLY | O_DIRECTORY) ;
}

int s4_cgroup_read (int root, char const *name, char const *file, stralloc *text)
{
  int fd = open_below(root, name, file, O_RDONLY) ;
  int r ;
  if (fd == -1) return 0 ;
  text->len = 0 ;
  r = slurp(text, fd) && stralloc_0(text) ;
  fd_close(fd) ;
  return r ;
}

int s4_cgroup_write (int root, char const *name, char const *file, char const *value)
{
  return s4_proc_tell(open_below(root, name, file, O_WRONLY), value) ;
}

 /* --- all of a hierarchy --- */

struct walk
{
  int root ;
  s4_cgroup_func *f ;
  void *data ;
  stralloc name ;        /* the cgroup that is looked at */
} ;

 /* A cgroup is a directory with dozens of files. */

static int is_cgroup (struct dirent const *d)
{
  return d->d_type == DT_DIR && strcmp(d->d_name, ".") && strcmp(d->d_name, "..") ;
}

static int walk_below (struct walk *w)
{
  size_t const len = w->name.len ;
  int fd = s4_cgroup_open(w->root, w->name.s) ;
  DIR *dir ;
  struct dirent *d ;
  int ok = 1 ;
  if (fd == -1) return errno == ENOENT ;   /* it has just gone */
  if (!(dir = fdopendir(fd)))
  {
    fd_close(fd) ;
    return 0 ;
  }
  while (ok && (errno = 0, d = readdir(dir)))
  {
    if (!is_cgroup(d)) continue ;
    ok = s4_cat(&w->name, "/", d->d_name) && (!w->f(w->name.s, w->data) || walk_below(w)) ;
    w->name.len = len ;
    w->name.s[len] = 0 ;
  }
  if (ok && errno && errno != ENOENT) ok = 0 ;
  closedir(dir) ;
  return ok ;
}

int s4_cgroups_each (int root, s4_cgroup_func *f, void *data)
{
  struct walk w = { .root = root, .f = f, .data = data, .name = STRALLOC_ZERO } ;
  int r = s4_cat(&w.name, "") && walk_below(&w) ;
  stralloc_free(&w.name) ;
  return r ;
}
