/* ISC license. */

/*
  A file system frozen: flushed, consistent on disk, and every later writer sleeps until the reset. Flushes,
  so it may block: in workers only. Apart from superblock.c because <linux/fs.h> and <sys/mount.h> don't go together.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "stage4.h"

 /* Through the same mount. Only directories and files: opening a device does what its driver likes. */

int s4_reopen (int fd)
{
  char name[S4_PROCNAME] ;
  struct stat st ;
  if (fstat(fd, &st) == -1) return -1 ;
  if (S_ISDIR(st.st_mode)) return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (!S_ISREG(st.st_mode)) return (errno = ENXIO, -1) ;
  return openat(s4_proc(), s4_proc_fdname(name, "fd", fd), O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
}

 /*
   EBUSY: it is frozen already, or somebody waits for that, and then nothing has been flushed yet. Without freezing,
   read-only is as good, but a writer prevents it.
 */

int s4_freeze (int fd)
{
  int e ;
  if (!ioctl(fd, FIFREEZE, 0)) return 0 ;
  e = errno == ENOTTY ? EOPNOTSUPP : errno ;
  if (e == EOPNOTSUPP && !s4_make_readonly(fd)) return EROFS ;
  if (syncfs(fd) == -1) return errno ;
  return e == EBUSY ? 0 : e ;
}
