/* ISC license. */

/*
  Memory limits of cgroups. What is read back from the swap counts for the cgroup whose it was. Beyond that one's limit
  the kernel ends a process in there, not the one that called swapoff(2); and if it can't, swapoff(2) fails, however
  much memory there is.
*/

#include <string.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define UNLIMITED 19   /* digits: what cgroup 1 says if there is no limit */

 /* Of both versions. The order is that in which cgroup 1 allows it. */

static struct { char const *file, *none ; } const limits[] =
{
  { "/memory.high", "max" }, { "/memory.max", "max" },
  { "/memory.memsw.limit_in_bytes", "-1" }, { "/memory.limit_in_bytes", "-1" }
} ;

int s4_is_memory_limit (char const *text)
{
  return strspn(text, "0123456789") && strspn(text, "0123456789") < UNLIMITED ;
}

 /*
   Of it, and of those below it. Cgroup 1 has the sum of memory and swap: nothing is in the swap if that is as much as
   the memory alone. Where it doesn't account for swap, it may have some.
 */

static int has_swapped (char const *dir)
{
  static stralloc text = STRALLOC_ZERO, sum = STRALLOC_ZERO ;
  if (s4_cgroup_read(dir, "/memory.swap.current", &text)) return strcmp(text.s, "0\n") ;
  return !s4_cgroup_read(dir, "/memory.memsw.usage_in_bytes", &sum)
   || !s4_cgroup_read(dir, "/memory.usage_in_bytes", &text) || strcmp(sum.s, text.s) ;
}

static int lift (char const *dir, void *data)
{
  static stralloc text = STRALLOC_ZERO ;
  int lifted = 0 ;
  (void)data ;
  if (!has_swapped(dir)) return 0 ;
  for (unsigned int k = 0 ; k < sizeof limits / sizeof *limits ; k++)
    if (s4_cgroup_read(dir, limits[k].file, &text) && s4_is_memory_limit(text.s))
      lifted |= s4_cgroup_write(dir, limits[k].file, limits[k].none) ;
  return lifted ;
}

void s4_memory_limits_lift (void)
{
  s4_proc_write("sys/vm/overcommit_memory", "0") ;   /* strict, swapoff(2) asks for the size of the swap, used or not */
  s4_cgroups_change(&lift, 0, "lifted the memory limits of", "gave up looking for cgroups with a memory limit") ;
}
