/* ISC license. */

/*
  The guard: the parent of a chain that is not pid 1. Nobody can kill or stop pid 1, but anybody else; and before there
  is a watchdog, or where there is none, the machine would then stay as it is for ever, half shut down.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <skalibs/sig.h>

#include "stage4.h"

#define STUCK 30000       /* in one program, past the deadline: each has given up seconds after that */
#define STUCK_HPR 100000  /* but the ladder, which waits for the kernel a minute */

struct watch
{
  pid_t chain ;
  s4_ms deadline ;
  char comm[S4_COMM_MAX] ;   /* what it executes, since when; from the deadline on */
  s4_ms since ;
  unsigned int stops ;
} ;

 /* It must keep nothing busy, and must not need a disk that may be dead by then. */

static void hold_nothing (void)
{
  if (s4.marker) *s4.marker = '@' ;
  s4.watchdog = -1 ;
  s4_close_all_but(s4_lock_fd(), -1) ;
  for (int fd = 0 ; fd < 3 ; fd++) if (s4_fd_kind(fd) == S4_FD_FILE) s4_give_up_fd(fd) ;
  mlockall(MCL_CURRENT) ;
}

 /* Whoever is stopped feeds no watchdog, and doesn't know that he is. Said ever more rarely. */

static void continue_chain (struct watch *w, int sig)
{
  w->stops++ ;
  if (!(w->stops & (w->stops - 1)))
    s4_warn("pid ", S4_NUM(w->chain), ", which walks the chain, was stopped by ", sig_name(sig), ", it is continued") ;
  kill(w->chain, SIGCONT) ;
}

 /* In uninterruptible sleep, frozen, traced. A foreign program may take its time; nobody has set it a limit. */

static int is_stuck (struct watch *w)
{
  s4_ms const now = s4_now() ;
  s4_process p ;
  if (now < w->deadline || !s4_process_read(w->chain, &p)) return 0 ;
  if (strcmp(p.comm, w->comm))
  {
    memcpy(w->comm, p.comm, sizeof w->comm) ;
    w->since = now ;
  }
  if (strncmp(p.comm, "stage4", 6) || now - w->since < (strcmp(p.comm, "stage4-hpr") ? STUCK : STUCK_HPR)) return 0 ;
  s4_fatal("pid ", S4_NUM(w->chain), ", which walks the chain, is stuck in ", p.comm) ;
  return 1 ;
}

static void await_change (sigset_t const *child, s4_ms deadline)
{
  s4_ms const now = s4_now() ;
  s4_ms const ms = deadline > now + 1000 ? deadline - now : 1000 ;
  struct timespec const t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 } ;
  sigtimedwait(child, 0, deadline < S4_NEVER ? &t : 0) ;
}

 /* 1: it has ended; 0: it is stuck */

static int wait_for (struct watch *w, sigset_t const *child, int *wstat)
{
  for (;;)
  {
    pid_t r = waitpid(w->chain, wstat, WUNTRACED | WNOHANG) ;
    if (r == -1) _exit(S4_NOTSTARTED) ;
    if (r && !WIFSTOPPED(*wstat)) return 1 ;
    if (r) continue_chain(w, WSTOPSIG(*wstat)) ;
    if (is_stuck(w)) return 0 ;
    if (!r) await_change(child, w->deadline) ;
  }
}

 /* Its children, also foreign ones, may still have the watchdog's fd, or undo what is done from now on. */

static void end_family (pid_t chain)
{
  kill(-chain, SIGKILL) ;
  kill(chain, SIGKILL) ;
}

 /* A pivot from an initramfs has put its root over ours: `..` goes to what is mounted over that. */

static void follow_pivot (void)
{
  if (chdir("/..") == -1 || chroot(".") == -1) s4_warnsys("unable to enter the new root") ;
}

 /* The last resort may take longer than what is left of its time. */

static void take_watchdog (void)
{
  s4.watchdog = s4_watchdog_open_active() ;
  if (s4.watchdog >= 0) s4_watchdog_feed() ;
  else if (errno != ENOENT) s4_warnsys("unable to feed the watchdog") ;
}

static void gccattr_noreturn guard (struct watch *w, sigset_t const *child)
{
  int wstat = 0 ;
  int ended ;
  hold_nothing() ;
  ended = wait_for(w, child, &wstat) ;
  if (ended && WIFEXITED(wstat)) _exit(WEXITSTATUS(wstat)) ;
  if (ended) s4_fatal("pid ", S4_NUM(w->chain), ", which walks the chain, was ended by ", sig_name(WTERMSIG(wstat))) ;
  s4.budget = (s4_budget){ .deadline = s4_budget_deadline(s4.begun, w->deadline, 1), .start = s4_now() } ;
  s4_lock_is_mine() ;
  end_family(w->chain) ;
  sig_blocknone() ;
  follow_pivot() ;
  take_watchdog() ;
  s4_lastresort(S4_NOTSTARTED) ;
}

int s4_guard (s4_ms deadline)
{
  struct watch w = { .deadline = deadline } ;
  sigset_t child ;
  if (getpid() == 1 || s4.container || s4.action == S4_RETURN) return 1 ;
  signal(SIGCHLD, SIG_DFL) ;   /* sig_restore() sets SA_NOCLDSTOP */
  sigemptyset(&child) ;
  sigaddset(&child, SIGCHLD) ;
  sigprocmask(SIG_BLOCK, &child, 0) ;
  w.chain = s4_fork() ;
  if (w.chain > 0) guard(&w, &child) ;
  sig_blocknone() ;
  if (w.chain == -1) return 0 ;
  setsid() ;
  return 1 ;
}
