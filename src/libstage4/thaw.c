/* ISC license. */

/*
  Frozen cgroups (cgroups(7), freezer): a process in one acts on no signal; of cgroup 1 it doesn't even die of SIGKILL.
  So before the grace time is over for nothing, everything is thawed.
*/

#include <string.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

 /* The two versions have different files for it. */

static struct { char const *file, *frozen, *thaw ; } const freezers[] =
  { { "/cgroup.freeze", "1", "0" }, { "/freezer.state", "FR", "THAWED" } } ;

static int thaw (char const *dir)
{
  static stralloc text = STRALLOC_ZERO ;
  int thawed = 0 ;
  for (unsigned int k = 0 ; k < sizeof freezers / sizeof *freezers ; k++)
    if (s4_cgroup_read(dir, freezers[k].file, &text)
     && !strncmp(text.s, freezers[k].frozen, strlen(freezers[k].frozen)))
      thawed |= s4_cgroup_write(dir, freezers[k].file, freezers[k].thaw) ;
  return thawed ;
}

void s4_thaw_cgroups (void)
{
  s4_cgroups_change(&thaw, "thawed", "gave up looking for frozen cgroups") ;
}
