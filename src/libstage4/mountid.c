/* ISC license. */

/* The mount that a file was opened through. */

#include <skalibs/nonposix.h>

#include "statx.h"

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

int s4_mount_id_of_fdinfo (char const *name)
{
  static stralloc sa = STRALLOC_ZERO ;
  char const *line ;
  unsigned int id ;
  if (!s4_proc_read(name, &sa)) return -1 ;
  line = strstr(sa.s, "mnt_id:") ;
  if (line && uint_scan(line + 7 + strspn(line + 7, " \t"), &id)) return (int)id ;
  return (errno = ENOSYS, -1) ;
}

int s4_mount_id (int fd)
{
  char name[S4_PROCNAME] ;
  int id = by_statx(fd) ;
  return id > 0 ? id : s4_mount_id_of_fdinfo(s4_proc_fdname(name, "fdinfo", fd)) ;   /* before Linux 5.8 */
}
