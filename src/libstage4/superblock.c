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

int s4_mount_anew (s4_mount const *m)
{
  stralloc source = STRALLOC_ZERO ;
  char const *options[3] = { 0, 0, 0 } ;
  int fd ;
  if (!s4_dev_name(m->major, m->minor, &source) || !is_device(source.s, m))
  {
    source.len = 0 ;
    if (!is_device(m->source, m) || !stralloc_cats(&source, m->source) || !stralloc_0(&source)) return -1 ;
  }
  options[0] = s4_concat("source=", source.s) ;
  fd = s4_newfs(m->type, options) ;
  options[1] = "ro" ;
  if (fd == -1 && errno == EBUSY) fd = s4_newfs(m->type, options) ;
  stralloc_free(&source) ;
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
