/* ISC license. */

/*
  A file system as a whole: got hold of, and made read-only. Looks at paths, and flushes, so it may block: in workers
  only.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

 /* What the path leads to now may be another mount: one that covers it, or a table that is out of date. */

int s4_mount_open (s4_mount const *m)
{
  int fd = open(m->dir, O_PATH | O_NOFOLLOW | O_CLOEXEC) ;
  if (fd == -1 || s4_mount_id(fd) == (int)m->id) return fd ;
  fd_close(fd) ;
  return (errno = ESTALE, -1) ;
}

static int is_device (char const *path, s4_mount const *m)
{
  struct stat st ;
  if (stat(path, &st) == -1) return 0 ;
  if (S_ISBLK(st.st_mode) && major(st.st_rdev) == m->major && minor(st.st_rdev) == m->minor) return 1 ;
  return (errno = ENODEV, 0) ;
}

 /*
   A device that is mounted already has its superblock mounted once more, whatever lies over its mount points; EBUSY:
   that is read-only (fs/super.c:get_tree_bdev).
 */

static int mount_by (s4_mount const *m, char const *source)
{
  char const *options[3] = { s4_concat("source=", source), 0, 0 } ;
  int fd = s4_newfs(m->type, options) ;
  options[1] = "ro" ;
  return fd == -1 && errno == EBUSY ? s4_newfs(m->type, options) : fd ;
}

 /* /dev may have no node for it. One in a file system that is mounted nowhere can be named from inside. */

static int mount_by_own_node (s4_mount const *m)
{
  int dir = s4_own_node(S_IFBLK, m->major, m->minor) ;
  int fd, e ;
  if (dir == -1) return -1 ;
  fd = fchdir(dir) == -1 ? -1 : mount_by(m, "node") ;
  e = errno ;
  if (chdir("/") == -1 && fd == -1) e = errno ;
  fd_close(dir) ;
  return (errno = e, fd) ;
}

int s4_mount_anew (s4_mount const *m)
{
  stralloc name = STRALLOC_ZERO ;
  int fd = s4_dev_name(m->major, m->minor, &name) && is_device(name.s, m) ? mount_by(m, name.s)
   : is_device(m->source, m) ? mount_by(m, m->source) : mount_by_own_node(m) ;
  stralloc_free(&name) ;
  return fd ;
}

 /* By an fd that doesn't allow it by itself. The procfs may be mounted nowhere. */

static int remount (int fd)
{
  char name[S4_PROCNAME] ;
  int e ;
  if (s4_proc() == -1 || fchdir(s4_proc()) == -1) return ENOSYS ;
  e = mount(0, s4_proc_fdname(name, "fd", fd), 0, MS_REMOUNT | MS_RDONLY, 0) == -1 ? errno : 0 ;
  return chdir("/") == -1 && !e ? errno : e ;
}

 /*
   The new call leaves all other options as they are; the old one is for kernels and file systems that
   don't have it.
 */

int s4_make_readonly (int fd)
{
  int e = s4_reconfigure_readonly(fd) ;
  return !e || e == EBUSY ? e : remount(fd) ;
}
