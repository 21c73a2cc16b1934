/* ISC license. */

/*
  stage4-watchdog: arms the hardware watchdog, or takes over one that is armed, and leaves its fd to the chain: from
  here on the machine is reset if a step neither works nor waits.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-watchdog [ -v verbosity ] [ -f ] [ -n ] [ -d device ] [ -t timeout ] prog..."

struct options
{
  char const *device ;
  s4_ms timeout ;
} ;

 /* Halted, or in another kernel, the machine would be reset by it all the same. */

static int must_stay_off (char const *device)
{
  return (s4.action == S4_HALT || s4.action == S4_KEXEC)
   && s4_watchdog_says(device, "nowayout", "1") && s4_watchdog_says(device, "state", "inactive") ;
}

 /* The first of the usual ones may be known by its old name only. */

static char const *device_of (struct options const *o)
{
  static char const first[] = "/dev/watchdog0", old[] = "/dev/watchdog" ;
  char const *device = o->device ? o->device : s4_getenv("WATCHDOG_DEVICE") ;
  return device ? device : access(first, F_OK) && !access(old, F_OK) ? old : first ;
}

static int take (int fd, char const *how, char const *what, s4_ms timeout)
{
  unsigned int const wanted = (unsigned int)((timeout + 999) / 1000) ;
  unsigned int const seconds = s4_watchdog_set_timeout(fd, wanted) ;
  uncoe(fd) ;
  s4.watchdog = fd ;
  s4_watchdog_feed() ;
  if (!s4_setenv("STAGE4_WATCHDOG", S4_NUM(fd)))
  {
    s4_warnsys("the next programs can't be told of the watchdog, so it is disarmed") ;
    s4_watchdog_disarm() ;
    return S4_NOTSTARTED ;
  }
  s4_info(how, what, " (", s4_watchdog_name(fd), "), ", seconds ? S4_NUM(seconds) : "unknown number of", " s",
    seconds && seconds != wanted ? ", it can't be set to " : "", seconds && seconds != wanted ? S4_NUM(wanted) : "") ;
  return S4_DONE ;
}

static int arm (struct options const *o)
{
  char const *const device = device_of(o) ;
  int fd = s4_watchdog_inherited() ;
  if (fd >= 0) return take(fd, "took over fd ", S4_NUM(fd), o->timeout) ;
  if (must_stay_off(device))
  {
    s4_warn("not armed: ", device, " can't be disarmed (nowayout), and would reset the machine after ",
      s4_action_name(s4.action)) ;
    return S4_NOTSTARTED ;
  }
  fd = s4_watchdog_open(device) ;
  if (fd >= 0) return take(fd, "armed ", device, o->timeout) ;
  if (errno == ENOENT && !o->device) s4_info("no watchdog on this machine") ;
  else s4_warnsys("unable to open ", device) ;
  return S4_NOTSTARTED ;
}

static int show_plan (struct options const *o)
{
  char const *const device = device_of(o) ;
  int fd = s4_watchdog_inherited() ;
  if (fd >= 0) s4_planline("take over fd ", S4_NUM(fd), ": ", s4_watchdog_name(fd)) ;
  else if (access(device, F_OK)) s4_planline("leave ", device, ": it is not there") ;
  else if (must_stay_off(device)) s4_planline("leave ", device, ": it can't be disarmed (nowayout)") ;
  else s4_planline("arm ", device, ", ", S4_MS(o->timeout)) ;
  return S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .timeout = 60000 } ;
  s4_step_init("stage4-watchdog", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "d:t:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'd' : o.device = s4_step_place("device (must begin with /)", l.arg) ; break ;
        case 't' : o.timeout = s4_step_time(l.arg, 0) ; break ;
      }
    }
    argv += l.ind ;
  }
  if (s4.action == S4_RETURN) s4_step_refuse("after stage4-begin -A return nobody feeds it any more") ;
  s4_step_checked(argv, 0) ;

  if (s4.container)
  {
    s4_info("a container: the watchdog is the host's, nothing to do") ;
    s4_step_next(argv, S4_DONE) ;
  }
  s4_step_next(argv, s4.dryrun ? show_plan(&o) : arm(&o)) ;
}
