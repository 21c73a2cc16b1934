/* ISC license. */

/* The mount that a file was opened through; its device. */

#include <skalibs/nonposix.h>

#include "statx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

static uint64_t number (unsigned int major, unsigned int minor)
{
  return (uint64_t)major << 32 | minor ;
}

int s4_file_device (int fd, char const *name, uint64_t *device, uint64_t *raw)
{
  int const flags = AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH) ;
  struct stat st ;
  *raw = S4_NODEVICE ;
#ifdef SYS_statx
  {
    struct kernel_statx x ;
    if (!syscall(SYS_statx, fd, name, AT_STATX_DONT_SYNC | flags, STATX_TYPE, &x))
    {
      *device = number(x.stx_dev_major, x.stx_dev_minor) ;
      if (S_ISBLK(x.stx_mode)) *raw = number(x.stx_rdev_major, x.stx_rdev_minor) ;
      return 1 ;
    }
    if (errno != ENOSYS) return 0 ;
  }
#endif
  if (fstatat(fd, name, &st, flags) == -1) return 0 ;
  *device = number(major(st.st_dev), minor(st.st_dev)) ;
  if (S_ISBLK(st.st_mode)) *raw = number(major(st.st_rdev), minor(st.st_rdev)) ;
  return 1 ;
}
