/* ISC license. */

/*
  stage4-begin: makes this process fit to walk the rest of the line, after a look whether the line can be
  walked at all. Until that look is over nothing is touched; after it nothing stops the chain.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-begin [ -v verbosity ] [ -n ] -A action | -r | -p | -h | -k [ -t budget ] [ -R ramfs ] [ -a arg ] [ -c | -K | -o ] prog..."
#define CHECK_TIMEOUT 3000

struct options
{
  enum s4_action_e action ;
  s4_ms budget ;          /* 0: none */
  char const *ramfs ;
  char const *arg ;
  enum s4_output_e output ;
  int left ;              /* something that was asked for could not be done */
} ;

 /* --- what the rest of the line will find in its environment --- */

static int use_ramfs (struct options *o)
{
  stralloc path = STRALLOC_ZERO ;
  s4_ramfs r ;
  if (!o->ramfs) return s4_setenv("STAGE4_RAMFS", 0) ;
  if (!s4_ramfs_check(&r, o->ramfs, 0, CHECK_TIMEOUT, 1))
  {
    s4_warn("the ramfs ", o->ramfs, " is not used: ", r.why) ;
    o->left = 1 ;
    return s4_setenv("STAGE4_RAMFS", 0) ;
  }
  if (r.stale == S4_NOBODY_KNOWS)
    s4_warn("the ramfs ", o->ramfs, " may be stale: the files it was made of can't be looked at") ;
  else if (r.stale)
    s4_warn("the ramfs ", o->ramfs, " is stale: ", S4_NUM(r.stale), " files have changed since it was made") ;
  return s4_setenv("STAGE4_RAMFS", r.path) && s4_path_inside(&path, s4_nextpath(), r.path)
   && s4_setenv("PATH", path.s) ;
}

 /* A new chain has not pivoted; but pid 1 may have been sent here by who has, as systemd does, and says so. */

static int forget_oldroot (void)
{
  return (getpid() == 1 && !s4.container) || s4_setenv("STAGE4_OLDROOT", 0) ;
}

static int set_environment (struct options *o)
{
  s4.begun = s4_now() ;
  return s4_setenv("STAGE4_ACTION", s4_action_name(o->action)) && s4_setenv("STAGE4_ARG", o->arg)
   && s4_setenv("STAGE4_PID", S4_NUM(getpid())) && s4_setenv("STAGE4_BEGUN", S4_NUM(s4.begun))
   && s4_setenv("STAGE4_DEADLINE", o->budget ? S4_NUM(s4.begun + o->budget) : 0)
   && s4_setenv("STAGE4_WATCHDOG", s4.watchdog >= 0 ? S4_NUM(s4.watchdog) : 0)
   && s4_setenv("STAGE4_VERBOSITY", S4_NUM(s4.verbosity)) && forget_oldroot() && use_ramfs(o) ;
}

static int show_plan (struct options const *o, char const *const *next)
{
  static char const *const output[] =
    { [S4_TO_CONSOLE] = "/dev/console", [S4_TO_KMSG] = "/dev/kmsg", [S4_AS_IT_IS] = "stays" } ;
  s4_planline("begin ", s4_action_name(o->action), ": by pid ", S4_NUM(getpid())) ;
  if (o->budget) s4_planline("budget ", S4_MS(o->budget)) ;
  if (o->ramfs) s4_planline(o->left ? "not used: " : "use ", "the ramfs ", o->ramfs) ;
  s4_planline("output ", output[o->output]) ;
  for (char const *const *word = next ; *word ; word++) s4_planline("word ", *word) ;
  if (s4_walk(next, S4_WALK_TIMEOUT)) return S4_DONE ;
  s4_fatal("this line can't be walked to its end") ;
  return S4_USAGE ;
}

static void begin (struct options *o, char const *const *next)
{
  if (geteuid())
  {
    s4_fatal("only root can end the machine; nothing was touched") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
   /* Pid 1 can't refuse: it goes as far as the line leads, and does the last resort there. */
  if (getpid() != 1 || s4.container) s4_step_walk(next) ;
  if (!s4_lock_chain())
  {
    s4_fatal("a chain is under way on this machine already") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  s4_become_fit(o->output) ;
  if (!s4_guard(o->budget ? s4.begun + o->budget : S4_NEVER))
    s4_warnsys("unable to start a guard: nobody goes on if this process is killed") ;
  s4_lock_is_mine() ;
  s4.pid = getpid() ;
  if (!s4_setenv("STAGE4_PID", S4_NUM(s4.pid))) s4_warnsys("unable to set the environment") ;
  s4_info(s4_action_name(o->action), " by pid ", S4_NUM(getpid()), o->budget ? ", within " : "",
    o->budget ? S4_MS(o->budget) : "") ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .action = S4_NOACTION, .output = S4_TO_CONSOLE } ;
  s4_step_init("stage4-begin", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "A:rphkt:R:a:cKo", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'A' : if (!s4_action_scan(l.arg, &o.action)) s4_step_badarg("action", l.arg) ; break ;
        case 'r' : o.action = S4_REBOOT ; break ;
        case 'p' : o.action = S4_POWEROFF ; break ;
        case 'h' : o.action = S4_HALT ; break ;
        case 'k' : o.action = S4_KEXEC ; break ;
        case 't' : o.budget = s4_step_time(l.arg, 0) ; break ;
        case 'R' : o.ramfs = s4_step_place("ramfs (must begin with /)", l.arg) ; break ;
        case 'a' : o.arg = l.arg ; break ;
        case 'c' : o.output = S4_TO_CONSOLE ; break ;
        case 'K' : o.output = S4_TO_KMSG ; break ;
        case 'o' : o.output = S4_AS_IT_IS ; break ;
      }
    }
    argv += l.ind ;
  }
  if (o.action == S4_NOACTION || !argv[0]) s4_step_usage() ;
  if (s4.walking && s4.pid) s4_step_refuse("a line begins only once") ;
  s4.action = o.action ;
  s4.watchdog = s4_watchdog_inherited() ;
  s4_shed_fds(s4.watchdog) ;
  if (!set_environment(&o))
  {
    s4_fatalsys("unable to set the environment") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  s4_step_checked(argv, 0) ;

  if (s4.dryrun) s4_step_next(argv, show_plan(&o, argv)) ;
  begin(&o, argv) ;
  s4_step_next(argv, o.left ? S4_LEFT : S4_DONE) ;
}
