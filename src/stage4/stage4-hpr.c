/* ISC license. */

/* stage4-hpr: says what is left after all, then the hard reboot, power-off, halt or kexec. The end of every chain. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-hpr [ -v verbosity ] [ -f ] [ -n ] [ -A action ] [ -a arg ] [ -t synctimeout ]"

 /* A disk that is still being unmounted is in no table, so it comes first: what is said then is not all. */

static void say_what_is_left (enum s4_action_e action)
{
  s4_leftovers l ;
  char const *took = s4.begun ? S4_MS(s4_now() - s4.begun) : 0 ;
  int known = s4_leftovers_count(&l) ;
  int why = errno ;
  unsigned int unmounting = known ? s4_unmounts_count(1, 0) : 0 ;
  unsigned int unseen = known && l.unseen > unmounting ? l.unseen - unmounting : 0 ;
  if (!known)
    s4_info(s4_action_name(action), took ? " after " : "", took, "; what is left can't be seen, ",
      s4_proc() == -1 ? "/proc is not there" : strerror(why)) ;
  else s4_info(s4_action_name(action), took ? " after " : "", took, "; left: ",
    unmounting ? S4_NUM(unmounting) : "", unmounting ? " unmounts under way, " : "", S4_NUM(l.writable + unseen),
    " writable file systems, ", S4_NUM(l.mounts), " mounts, ", S4_NUM(l.swaps), " swaps, ", S4_NUM(l.devices),
    " block devices", known == -1 ? "; there may be more: " : "", known == -1 ? strerror(why) : "") ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  enum s4_action_e action = S4_NOACTION ;
  char const *arg = 0 ;
  s4_ms synctimeout = 10000 ;
  s4_step_init("stage4-hpr", USAGE, S4_DESTROYS | S4_FINISHES, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "A:a:t:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'A' : if (!s4_action_scan(l.arg, &action)) s4_step_badarg("action", l.arg) ; break ;
        case 'a' : arg = l.arg ; break ;
        case 't' : synctimeout = s4_step_time(l.arg, 1) ; break ;
      }
    }
    argv += l.ind ;
  }
  if (argv[0]) s4_step_usage() ;
  if (action == S4_NOACTION) action = s4.action ;
  if (!arg) arg = s4_getenv("STAGE4_ARG") ;
  if (action == S4_NOACTION && !s4.walking)
  {
    s4_fatal("no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives") ;
    s4_step_giveup(S4_USAGE) ;
  }
  if (action == S4_RETURN || s4.action == S4_RETURN)
    s4_step_refuse("stage4-begin -A return: somebody else ends the machine") ;
  s4_step_checked(argv, 0) ;

  if (s4.dryrun)
  {
    s4_planline(s4_action_name(action), arg ? " " : "", arg) ;
    s4_step_next(argv, S4_DONE) ;
  }
  if (geteuid() && !s4.container)
  {
    s4_fatal("only root can end the machine; nothing was touched") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  say_what_is_left(action) ;
  if (!s4.container && synctimeout && !s4_sync(synctimeout)) s4_warn("sync is not finished, going on") ;
  s4_hardreboot(action, arg) ;
}
