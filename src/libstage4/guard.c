/* ISC license. */

/*
  The guard: the parent of a chain that is not pid 1. Nobody can kill or stop pid 1, but anybody else; and before there
  is a watchdog, or where there is none, the machine would then stay as it is for ever, half shut down.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sig.h>

#include "stage4.h"

 /* It must keep nothing busy, and must not need a disk that may be dead by then. */

static void hold_nothing (void)
{
  if (s4.marker) *s4.marker = '@' ;
  s4.watchdog = -1 ;
  s4_close_all_but(-1, -1) ;
  for (int fd = 0 ; fd < 3 ; fd++) if (s4_fd_kind(fd) == S4_FD_FILE) s4_give_up_fd(fd) ;
  mlockall(MCL_CURRENT) ;
}

 /* Whoever is stopped feeds no watchdog, and doesn't know that he is. */

static int wait_for (pid_t chain)
{
  int wstat ;
  for (;;)
  {
    if (waitpid(chain, &wstat, WUNTRACED) == -1)
    {
      if (errno != EINTR) _exit(S4_NOTSTARTED) ;
      continue ;
    }
    if (!WIFSTOPPED(wstat)) return wstat ;
    s4_warn("pid ", S4_NUM(chain), ", which walks the chain, was stopped by ", sig_name(WSTOPSIG(wstat)),
      ", it is continued") ;
    kill(chain, SIGCONT) ;
  }
}

 /* The last resort takes longer than what may be left of its time; nobody else can have it open any more. */

static void take_watchdog (void)
{
  char const *const device = s4_watchdog_first() ;
  if (!s4_watchdog_says(device, "state", "active")) return ;
  s4.watchdog = s4_watchdog_open(device) ;
  s4_watchdog_feed() ;
}

static void gccattr_noreturn guard (pid_t chain, s4_ms deadline)
{
  int wstat ;
  hold_nothing() ;
  wstat = wait_for(chain) ;
  if (WIFEXITED(wstat)) _exit(WEXITSTATUS(wstat)) ;
  s4_fatal("pid ", S4_NUM(chain), ", which walks the chain, was ended by ", sig_name(WTERMSIG(wstat))) ;
  s4.budget = (s4_budget){ .deadline = s4_budget_deadline(s4.begun, deadline, 1), .start = s4_now() } ;
  take_watchdog() ;
  s4_lastresort(S4_NOTSTARTED) ;
}

int s4_guard (s4_ms deadline)
{
  pid_t pid ;
  if (getpid() == 1 || s4.container || s4.action == S4_RETURN) return 1 ;
  pid = s4_fork() ;
  if (pid == -1) return 0 ;
  if (pid) guard(pid, deadline) ;
  setsid() ;
  return 1 ;
}
