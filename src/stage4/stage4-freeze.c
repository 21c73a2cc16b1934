/* ISC license. */

/* stage4-freeze: what could not be unmounted or made read-only is at least consistent on disk. */

#include <errno.h>

#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-freeze [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] prog..."

static int freeze (s4_storage const *st, s4_superblocks const *sb, s4_ms timeout, int all_known)
{
  unsigned int left = s4_freeze_these(st, sb, timeout) ;
  unsigned int unmounting = s4_unmounts_count(0, 0) ;
  int unseen = st->ms->unseen ;
  if (sb->n) s4_info("froze ", S4_NUM(sb->n - left), " of ", S4_NUM(sb->n), " writable file systems") ;
  if (unmounting) s4_unmounts_name(unmounting) ;
  if (unseen) s4_mounts_warn_unseen(unseen) ;
  if (!all_known) left += !s4_emergency_readonly() ;
  return left || unmounting || unseen ? S4_LEFT : S4_DONE ;
}

static int show_plan (s4_storage const *st, s4_superblocks const *sb)
{
  for (unsigned int k = 0 ; k < sb->n ; k++)
  {
    s4_mount const *m = st->ms->m + sb->way[sb->at[k]].mount ;
    s4_planline("freeze ", m->dir, ": ", m->type, " on ", m->source) ;
  }
  return S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  s4_superblocks sb ;
  s4_ms timeout = 10000 ;
  int known ;
  s4_step_init("stage4-freeze", USAGE, S4_DESTROYS | S4_FINISHES, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:", &l) ;
      if (opt == -1) break ;
      if (opt == 't') timeout = s4_step_time(l.arg, 0) ;
    }
    argv += l.ind ;
  }
  if (s4.action == S4_RETURN) s4_step_refuse("after stage4-begin -A return others still want to write") ;
  s4_step_checked(argv, 0) ;

  if (s4.container)
  {
    s4_info("a container: the file systems are the host's, nothing to do") ;
    s4_step_next(argv, S4_DONE) ;
  }
  known = s4_storage_load_whole(&st, &ms, 1) ;
  if (known == -1) s4_warnsys("unable to see what no mount table shows") ;
  if (!known || !s4_freezable_find(&sb, &st))
  {
    s4_warnsys("unable to read /proc/self/mountinfo") ;
    if (!s4.dryrun) s4_emergency_readonly() ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  s4_step_next(argv, s4.dryrun ? show_plan(&st, &sb) : freeze(&st, &sb, timeout, known == 1)) ;
}
