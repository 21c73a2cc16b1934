/* ISC license. */

/* What a multipath device says of its paths (drivers/md/dm-mpath.c:multipath_status). Pure. */

#include <string.h>

#include "stage4.h"

 /* Each path is "8:16 A 0", or F for failed; groups of paths have such letters, too, but no number before. */

int s4_multipath_is_lost (char const *status)
{
  int after_path = 0 ;
  for (;;)
  {
    size_t const len = strcspn(status += strspn(status, " "), " ") ;
    if (!len) return 1 ;
    if (after_path && len == 1 && *status == 'A') return 0 ;
    after_path = !!memchr(status, ':', len) ;
    status += len ;
  }
}
