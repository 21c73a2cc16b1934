/* ISC license. */

/*
  Memory limits of cgroups. What is read back from the swap counts for the cgroup whose it was. Beyond that one's limit
  the kernel ends a process in there, not the one that called swapoff(2); and if it can't, swapoff(2) fails, however
  much memory there is.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define UNLIMITED 19       /* digits: what cgroup 1 says if there is no limit */
#define LOOK_TIMEOUT 10000 /* thousands of cgroups take a second */

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

struct lifting
{
  int root ;
  int out ;
  int err ;    /* of a limit that can't be lifted */
} ;

 /* Cgroup 2: of it, and of all below it. */

static int has_nothing_swapped (int root, char const *name)
{
  static stralloc text = STRALLOC_ZERO ;
  return s4_cgroup_read(root, name, "/memory.swap.current", &text) && !strcmp(text.s, "0\n") ;
}

 /*
   Cgroup 1 has the sum of memory and swap: nothing is in the swap if that is as much as the memory alone. Where it
   doesn't account for swap, it may have some.
 */

static int has_sum_of_memory (int root, char const *name)
{
  static stralloc text = STRALLOC_ZERO, sum = STRALLOC_ZERO ;
  return s4_cgroup_read(root, name, "/memory.memsw.usage_in_bytes", &sum)
   && s4_cgroup_read(root, name, "/memory.usage_in_bytes", &text) && !strcmp(sum.s, text.s) ;
}

static void lift (struct lifting *l, char const *name, char const *file, char const *none, int *lifted)
{
  if (s4_cgroup_write(l->root, name, file, none)) *lifted = 1 ;
  else if (errno != ENOENT && errno != ENODEV) l->err = errno ;   /* else the cgroup has gone */
}

 /* Where cgroup 2 has no files for it the controller is not on, nor below. */

static int lift_of (char const *name, void *data)
{
  struct lifting *l = data ;
  static stralloc text = STRALLOC_ZERO ;
  int controlled = 0, lifted = 0 ;
  if (has_nothing_swapped(l->root, name)) return 0 ;
  if (has_sum_of_memory(l->root, name)) return 1 ;
  for (unsigned int k = 0 ; k < sizeof limits / sizeof *limits ; k++)
  {
    if (!s4_cgroup_read(l->root, name, limits[k].file, &text)) continue ;
    controlled = 1 ;
    if (s4_is_memory_limit(text.s)) lift(l, name, limits[k].file, limits[k].none, &lifted) ;
  }
  if (lifted) s4_answer_word(l->out, name) ;
  return controlled ;
}

 /* The controller belongs to one of the versions. */

static int lift_all (int out, void *data)
{
  struct lifting l = { .out = out, .root = s4_cgroup_root("memory", 1) } ;
  (void)data ;
  if (l.root == -1 && errno == ENOENT) l.root = s4_cgroup_root("", 1) ;
  if (l.root == -1) return errno == ENOENT ? 0 : errno ;
  return !s4_cgroups_each(l.root, &lift_of, &l) ? errno : l.err ;
}

int s4_memory_limits_lift (void)
{
  stralloc lifted = STRALLOC_ZERO ;
  int e ;
  s4_proc_write("sys/vm/overcommit_memory", "0") ;   /* strict, swapoff(2) asks for the size of the swap, used or not */
  e = s4_ask(&lift_all, 0, LOOK_TIMEOUT, &lifted) ? 0 : errno ;
  if (lifted.len && stralloc_0(&lifted)) s4_info("lifted the memory limits of cgroups:", lifted.s) ;
  stralloc_free(&lifted) ;
  return !e ? 1 : (errno = e, 0) ;
}
