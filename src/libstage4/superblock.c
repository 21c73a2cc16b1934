/* ISC license. */

/* A file system as a whole made read-only. Flushes, so it may block: in workers only. */

#include <errno.h>
#include <sys/mount.h>

#include "stage4.h"

 /*
   The new call leaves all other options as they are; the old one is for kernels and file systems that
   don't have it (overlayfs refuses every option there).
 */

int s4_make_readonly (char const *dir)
{
  int e = s4_reconfigure_readonly(dir) ;
  if (!e || e == EBUSY) return e ;
  return mount(0, dir, 0, MS_REMOUNT | MS_RDONLY, 0) == -1 ? errno : 0 ;
}
