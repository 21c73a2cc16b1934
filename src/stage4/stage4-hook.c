/* ISC license. */

/* stage4-hook: runs a block with a limit. */

#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-hook [ -v verbosity ] [ -t timeout ] [ -k killgrace ] { prog... } prog..."

int main (int argc, char const **argv, char const *const *envp)
{
  s4_ms timeout = 30000, killgrace = 2000 ;
  char const **next ;
  s4_step_init("stage4-hook", USAGE, 0, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:k:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 't' : timeout = s4_step_time(l.arg, 0) ; break ;
        case 'k' : killgrace = s4_step_time(l.arg, 1) ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  next = s4_step_block(argc, argv) ;
  s4_step_checked(next, argv) ;
  s4_step_next(next, s4_hook(argv, timeout, killgrace)) ;
}
