/* ISC license. */

/*
  The kernel's struct statx, as struct kernel_statx: <sys/stat.h>, which skalibs' headers include, may have another
  one (musl's has no mount id before 1.2.6). To be included before any header of the libc, because glibc's takes
  <linux/stat.h> for its own.
*/

#ifndef S4_STATX_H
#define S4_STATX_H

#define statx kernel_statx
#define statx_timestamp kernel_statx_timestamp
#include <linux/stat.h>
#undef statx
#undef statx_timestamp

#endif
