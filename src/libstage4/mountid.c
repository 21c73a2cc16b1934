/* ISC license. */

/* The mount that a file was opened through. */

#include <skalibs/nonposix.h>

 /*
   Under a name of its own, and before any header of the libc: <sys/stat.h> may have a struct statx too, and
   musl's had no stx_mnt_id before 1.2.6.
 */
#define statx kernel_statx
#define statx_timestamp kernel_statx_timestamp
#include <linux/stat.h>
#undef statx
#undef statx_timestamp

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/types.h>

#include "stage4.h"

static int by_statx (int fd)
{
#ifdef STATX_MNT_ID
  struct kernel_statx st ;
  if (!syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st)
   && st.stx_mask & STATX_MNT_ID) return (int)st.stx_mnt_id ;
#else
  (void)fd ;
#endif
  return -1 ;
}

 /* Before Linux 5.8: a line of the fd's own file. */

static int by_fdinfo (int fd)
{
  static stralloc sa = STRALLOC_ZERO ;
  char name[32] = "self/fdinfo/" ;
  char const *line ;
  unsigned int id ;
  name[12 + uint_fmt(name + 12, (unsigned int)fd)] = 0 ;
  if (!s4_proc_read(name, &sa)) return -1 ;
  line = strstr(sa.s, "mnt_id:") ;
  if (!line) return (errno = ENOSYS, -1) ;
  line += 7 ;
  line += strspn(line, " \t") ;
  return uint_scan(line, &id) ? (int)id : (errno = ENOSYS, -1) ;
}

int s4_mount_id (int fd)
{
  int id = by_statx(fd) ;
  return id > 0 ? id : by_fdinfo(fd) ;
}
