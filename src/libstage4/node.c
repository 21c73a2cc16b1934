/* ISC license. */

/* Devices, opened by their nodes in /dev, which may be on a file system that is frozen, or not be there. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <skalibs/djbunix.h>

#include "stage4.h"

 /*
   For a name that it doesn't know yet, open(2) for writing first asks the file system whether it may write to that,
   though the name may be a device's (fs/namei.c:open_last_lookups); a frozen one never answers. So the name is looked
   up before, and stays known as long as path is open.
 */

int s4_open_node (char const *file, int flags)
{
  int path = open(file, O_PATH | O_CLOEXEC) ;
  int fd = path == -1 ? -1 : open(file, flags) ;
  int e = errno ;
  if (path != -1) fd_close(path) ;
  return (errno = e, fd) ;
}

static struct { char const *name ; unsigned int major, minor ; } const devices[] =   /* admin-guide/devices.txt */
{
  { "/dev/null", 1, 3 }, { "/dev/kmsg", 1, 11 }, { "/dev/console", 5, 1 },
} ;

int s4_own_node (mode_t type, unsigned int major, unsigned int minor)
{
  int dir = s4_newfs_for_devices("tmpfs") ;
  if (dir == -1 || !mknodat(dir, "node", type | 0600, makedev(major, minor))) return dir ;
  fd_close(dir) ;
  return -1 ;
}

int s4_open_own_node (unsigned int major, unsigned int minor, int flags)
{
  int dir = s4_own_node(S_IFCHR, major, minor) ;
  int fd = dir == -1 ? -1 : openat(dir, "node", flags) ;
  if (dir != -1) fd_close(dir) ;
  return fd ;
}

int s4_open_block (uint64_t device, char const *name, int flags)
{
  char const *path ;
   /* what a container doesn't have it shall not have */
  int dir = s4.container ? -1 : s4_own_node(S_IFBLK, (unsigned int)(device >> 32), (unsigned int)device) ;
  int fd, e ;
  if (dir == -1)
  {
    path = s4_concat("/dev/", name) ;
    return s4_open_node(path, flags | O_CLOEXEC) ;
  }
  fd = openat(dir, "node", flags | O_CLOEXEC) ;
  e = errno ;
  fd_close(dir) ;
  return (errno = e, fd) ;
}

int s4_open_device (char const *name, int flags)
{
  int fd = s4_open_node(name, flags | O_CLOEXEC) ;
  int e = errno ;
  if (fd >= 0 || e != ENOENT || s4.container) return fd ;
  for (unsigned int i = 0 ; fd == -1 && i < sizeof devices / sizeof *devices ; i++)
    if (!strcmp(name, devices[i].name)) fd = s4_open_own_node(devices[i].major, devices[i].minor, flags | O_CLOEXEC) ;
  return (errno = e, fd) ;
}

int s4_open_output (char const *file)
{
  int fd = s4_open_device(file, O_WRONLY | O_NOCTTY | O_NONBLOCK) ;
  if (fd >= 0) ndelay_off(fd) ;
  return fd ;
}
