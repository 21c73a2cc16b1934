/* ISC license. */

/* What an open file is, without asking the file system that it lies on: that may hang, and fstat(2) with it. */

#include <skalibs/nonposix.h>

#include "statx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/types.h>

#include "stage4.h"

#define KMSG_MAJOR 1    /* Documentation/admin-guide/devices.txt */
#define KMSG_MINOR 11

 /* Where statx(2) is missing or forbidden the name must do. */

static int has_name_of_kmsg (int fd)
{
  char name[S4_PROCNAME] ;
  char target[PATH_MAX] ;
  ssize_t r = readlinkat(s4_proc(), s4_proc_fdname(name, "fd", fd), target, sizeof target) ;
  return r >= 9 && !memcmp(target + r - 9, "/dev/kmsg", 9) ;
}

static int is_kmsg (int fd)
{
#ifdef STATX_TYPE
  struct kernel_statx st ;
  if (!syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st))
    return st.stx_rdev_major == KMSG_MAJOR && st.stx_rdev_minor == KMSG_MINOR ;
#endif
  return has_name_of_kmsg(fd) ;
}

 /* With nothing to sync sync_file_range(2) does nothing, but before that it looks at the type, in memory. */

enum s4_fdkind_e s4_fd_kind (int fd)
{
  if (!sync_file_range(fd, 0, 0, 0)) return S4_FD_FILE ;
  if (errno == EBADF) return S4_FD_CLOSED ;
  if (errno != ESPIPE) return S4_FD_FILE ;
  return is_kmsg(fd) ? S4_FD_KMSG : S4_FD_STREAM ;
}
