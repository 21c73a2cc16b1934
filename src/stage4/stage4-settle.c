/* ISC license. */

/*
  stage4-settle: runs a block again and again, as long as it leaves fewer mounts, writable file systems, swaps or block
  devices.
*/

#include <errno.h>
#include <sys/wait.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>
#include <skalibs/sig.h>

#include "stage4.h"

#define USAGE "stage4-settle [ -v verbosity ] { prog... } prog..."

#define ROUND_TIMEOUT 600000   /* the block's own programs are bounded themselves, foreign ones in it are not */
#define KILLGRACE 2000
#define KILLED_MAX 3         /* runs: whoever is killed says nothing about what is left */

 /* How a run of the block has ended. */

enum end_e { IN_TIME, KILLED, TOO_LATE } ;

static int run_block (char const *const *block, enum end_e *end)
{
  int wstat ;
  int r = s4_run(block, &s4_fork_step, s4_limit(ROUND_TIMEOUT), KILLGRACE, &wstat) ;
  *end = r ? TOO_LATE : WIFSIGNALED(wstat) ? KILLED : IN_TIME ;
  if (*end == KILLED) s4_warn("the block was ended by ", sig_name(WTERMSIG(wstat))) ;
  return r ? r : wait_estatus(wstat) ;
}

static int has_shrunk (s4_leftovers const *before, s4_leftovers const *after)
{
  return after->mounts < before->mounts || after->writable < before->writable
   || after->swaps < before->swaps || after->devices < before->devices ;
}

static void say_difference (s4_leftovers const *before, s4_leftovers const *after)
{
  s4_verbose("mounts ", S4_NUM(before->mounts), " -> ", S4_NUM(after->mounts),
    ", writable file systems ", S4_NUM(before->writable), " -> ", S4_NUM(after->writable),
    ", swaps ", S4_NUM(before->swaps), " -> ", S4_NUM(after->swaps),
    ", block devices ", S4_NUM(before->devices), " -> ", S4_NUM(after->devices)) ;
}

static int settle (char const *const *block)
{
  s4_leftovers before, after ;
  enum end_e end ;
  unsigned int killed = 0 ;
  int code ;
  int known = s4_leftovers_count(&after) ;
  for (;;)
  {
    if (!known) s4_warnsys("unable to count what is there, running the block once") ;
    before = after ;
    code = run_block(block, &end) ;
    if (end == KILLED && ++killed < KILLED_MAX) continue ;
    if (!known || end == TOO_LATE) return code ;
    known = s4_leftovers_count(&after) ;
    if (!known) continue ;
    say_difference(&before, &after) ;
    if (!has_shrunk(&before, &after)) return code ;
  }
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
