/* ISC license. */

/* stage4-settle: runs a block again and again, as long as it leaves fewer mounts, swaps or block devices. */

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-settle [ -v verbosity ] { prog... } prog..."

 /* The block's programs are bounded themselves; the budget holds for foreign ones in it. */

static int run_block (char const *const *block, int *late)
{
  int wstat ;
  pid_t pid = s4_fork(-1, 0) ;
  if (pid == -1)
  {
    s4_warnsys("unable to fork") ;
    return S4_NOTSTARTED ;
  }
  if (!pid)
  {
    s4_exec(block) ;
    s4_fatalsys("unable to execute ", block[0]) ;
    _exit(S4_NOTSTARTED) ;
  }
  if (s4_wait(pid, s4.budget.deadline == S4_NEVER ? S4_NEVER : s4_limit(INT32_MAX), &wstat))
    return wait_estatus(wstat) ;
  s4_warn("the time is up, leaving ", block[0]) ;
  kill(pid, SIGKILL) ;
  *late = 1 ;
  return S4_LATE ;
}

static int has_shrunk (s4_leftovers const *before, s4_leftovers const *after)
{
  return after->mounts < before->mounts || after->writable < before->writable
   || after->swaps < before->swaps || after->devices < before->devices ;
}

static int settle (char const *const *block)
{
  s4_leftovers before, after ;
  int code, late = 0 ;
  if (!s4_leftovers_count(&after)) s4_warnsys("unable to count what is there, running the block once") ;
  do
  {
    before = after ;
    code = run_block(block, &late) ;
    if (!s4_leftovers_count(&after)) break ;
    s4_verbose("mounts ", S4_NUM(before.mounts), " -> ", S4_NUM(after.mounts), ", swaps ", S4_NUM(before.swaps),
      " -> ", S4_NUM(after.swaps),
      ", block devices ", S4_NUM(before.devices), " -> ", S4_NUM(after.devices)) ;
  }
  while (!late && has_shrunk(&before, &after)) ;
  return code ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  char const **next ;
  s4_step_init("stage4-settle", USAGE, S4_FINISHES, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    while (s4_step_getopt(argc, argv, "", &l) != -1) ;
    argc -= l.ind ; argv += l.ind ;
  }
  next = s4_step_block(argc, argv) ;
  s4_step_checked(next, argv) ;
  s4_step_next(next, settle(argv)) ;
}
