/* ISC license. */

/*
  A file system frozen: flushed, consistent on disk, and every later writer sleeps until the reset. Flushes,
  so it may block: in workers only. Apart from superblock.c because <linux/fs.h> and <sys/mount.h> don't go together.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include <skalibs/djbunix.h>

#include "stage4.h"

int s4_freeze (char const *dir)
{
  int e = 0 ;
  int fd = open(dir, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC) ;
  if (fd == -1) return errno ;
  if (ioctl(fd, FIFREEZE, 0) == -1 && errno != EBUSY)   /* EBUSY: it is frozen already */
    e = errno != EOPNOTSUPP && errno != ENOTTY ? errno : syncfs(fd) == -1 ? errno : 0 ;
  fd_close(fd) ;
  return e ;
}
