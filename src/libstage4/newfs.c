/* ISC license. */

/*
  The mount calls of Linux 5.2: a file system made and mounted nowhere yet, and one made read-only without
  touching anything else of it. Apart from the others because <linux/mount.h> and <sys/mount.h> don't go together.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mount.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

static int set_option (int fs, char const *option)
{
  stralloc key = STRALLOC_ZERO ;
  size_t len = strcspn(option, "=") ;
  long r ;
  if (!stralloc_catb(&key, option, len) || !stralloc_0(&key)) return 0 ;
  if (option[len]) r = syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key.s, option + len + 1, 0) ;
  else r = syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key.s, (char *)0, 0) ;
  stralloc_free(&key) ;
  return !r ;
}

static int newfs (char const *type, char const *const *options, unsigned int attributes)
{
  int fd = -1 ;
  int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC) ;
  if (fs == -1) return -1 ;
  for (; *options ; options++) if (!set_option(fs, *options)) goto err ;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, (char *)0, (char *)0, 0)) goto err ;
  fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes) ;
 err:
  fd_close(fs) ;
  return fd ;
}

int s4_newfs (char const *type, char const *const *options)
{
  return newfs(type, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) ;
}

int s4_newfs_for_devices (char const *type)
{
  return newfs(type, (char const *const []){ 0 }, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) ;
}

int s4_mount_attach (int fd, char const *dir)
{
  return !syscall(SYS_move_mount, fd, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) ;
}

 /* Linux 6.5; before that EINVAL. */

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif

int s4_mount_attach_beneath (int fd, char const *dir)
{
  return !syscall(SYS_move_mount, fd, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH) ;
}

int s4_mount_clone (char const *dir)
{
  return (int)syscall(SYS_open_tree, AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) ;
}

static int reconfigure (int fd, char const *flag)
{
  int e = 0 ;
  int fs = (int)syscall(SYS_fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH) ;
  if (fs == -1) return errno ;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, flag, (char *)0, 0)
   || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, (char *)0, (char *)0, 0)) e = errno ;
  fd_close(fs) ;
  return e ;
}

int s4_reconfigure_readonly (int fd)
{
  return reconfigure(fd, "ro") ;
}

int s4_reconfigure_writable (int fd)
{
  return reconfigure(fd, "rw") ;
}
