/*
   Processes that are hard to end, or must not be touched:

     unruly bomb             ignores all signals, and doubles, for ever
     unruly phoenix          ignores all signals; forks and ends, again and again: -s, each time in a new session
     unruly supervisor       ignores all signals; starts a child, in a session of its own, as soon as the last one ends
     unruly swapped          its command line is put into the swap; ignores SIGTERM
     unruly log FILE         every signal that it gets into FILE, by its number
     unruly churn FILE       short-lived children, for ever; what signals these get into FILE, as a line
     unruly init PROG...     pid 1: starts PROG..., and three gettys, again whenever one ends
     unruly hold FILE        has it open; whatever else is on the command line, or comes from stdin, doesn't matter

   Those that can be said to have begun print "ready".
*/

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT 32

static int log_file ;

static void ready (void)
{
  if (write(1, "ready\n", 6) != 6) exit(111) ;
}

static void die (char const *what)
{
  perror(what) ;
  exit(111) ;
}

static void each_signal (void (*handler) (int))
{
  for (int sig = 1 ; sig < NSIG ; sig++) signal(sig, handler) ;
}

static int open_log (char const *file)
{
  int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) ;
  if (fd < 0) die(file) ;
  return fd ;
}

static void bomb (void)
{
  each_signal(SIG_IGN) ;
  ready() ;
  for (;;) if (fork() == -1) sched_yield() ;
}

static void phoenix (int anew)
{
  signal(SIGTERM, SIG_IGN) ;
  signal(SIGHUP, SIG_IGN) ;
  ready() ;
  for (;;)
  {
    pid_t pid = fork() ;
    if (pid > 0) _exit(0) ;
    if (!pid && anew) setsid() ;
  }
}

static void supervisor (void)
{
  signal(SIGTERM, SIG_IGN) ;
  signal(SIGHUP, SIG_IGN) ;
  for (int first = 1 ;; first = 0)
  {
    pid_t pid = fork() ;
    if (!pid)
    {
      setsid() ;
      prctl(PR_SET_NAME, "supervised") ;
      signal(SIGTERM, SIG_DFL) ;
      if (first) ready() ;
      for (;;) pause() ;
    }
    waitpid(pid, 0, 0) ;
  }
}

 /* Far from the stack's end, where the command line is. All else stays: who ends touches some of it. */

static void swapped (char *word)
{
  char *page = (char *)((uintptr_t)word & ~(uintptr_t)4095) ;
  char far[65536] ;
  signal(SIGTERM, SIG_IGN) ;
  signal(SIGHUP, SIG_IGN) ;
  far[0] = 0 ;
  if (mlockall(MCL_CURRENT) || munlock(page, 4096)) die("mlock") ;
  ready() ;
  for (;;)
  {
    madvise(page, 4096, MADV_PAGEOUT) ;
    usleep(100000) ;
    __asm__ volatile ("" : : "r" (far) : "memory") ;
  }
}

static void note (int sig)
{
  int e = errno ;
  dprintf(log_file, "%d\n", sig) ;
  errno = e ;
}

static void log_signals (char const *file)
{
  log_file = open_log(file) ;
  each_signal(&note) ;
  ready() ;
  for (;;) pause() ;
}

 /* All are blocked from before its birth, so none is lost; SIGKILL is seen by the parent. */

static void live_shortly (void)
{
  sigset_t pending ;
  usleep(5000) ;
  sigpending(&pending) ;
  for (int sig = 1 ; sig < NSIG ; sig++) if (sigismember(&pending, sig) == 1) dprintf(log_file, "%d got %d\n", getpid(), sig) ;
  _exit(0) ;
}

static void churn (char const *file)
{
  sigset_t all ;
  log_file = open_log(file) ;
  sigfillset(&all) ;
  sigprocmask(SIG_SETMASK, &all, 0) ;
  ready() ;
  for (unsigned int children = 0 ;;)
  {
    int wstat ;
    pid_t pid = fork() ;
    if (!pid) live_shortly() ;
    if (pid > 0) children++ ;
    if (children < 8 && pid > 0) continue ;
    pid = wait(&wstat) ;
    if (pid > 0) children-- ;
    if (pid > 0 && WIFSIGNALED(wstat)) dprintf(log_file, "%d got %d\n", pid, WTERMSIG(wstat)) ;
  }
}

static pid_t start_getty (void)
{
  pid_t pid = fork() ;
  if (pid) return pid ;
  setsid() ;
  prctl(PR_SET_NAME, "getty") ;
  for (;;) pause() ;
}

static void init (char **argv)
{
  struct sched_param const p = { .sched_priority = 1 } ;
  pid_t chain ;
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p)) die("sched_setscheduler") ;   /* is never late */
  chain = fork() ;
  if (!chain)
  {
    execvp(argv[0], argv) ;
    die(argv[0]) ;
  }
  for (int i = 0 ; i < 3 ; i++) start_getty() ;
  for (;;)
  {
    pid_t pid = wait(0) ;
    if (pid > 0 && pid != chain) start_getty() ;
  }
}

static void hold (char const *file)
{
  if (open(file, O_RDWR | O_CREAT, 0644) < 0) die(file) ;
  for (;;) pause() ;
}

int main (int argc, char **argv)
{
  char const *mode = argc > 1 ? argv[1] : "" ;
  if (!strcmp(mode, "bomb")) bomb() ;
  if (!strcmp(mode, "phoenix")) phoenix(argc > 2) ;
  if (!strcmp(mode, "supervisor")) supervisor() ;
  if (!strcmp(mode, "swapped")) swapped(argv[0]) ;
  if (argc < 3) return 100 ;
  if (!strcmp(mode, "log")) log_signals(argv[2]) ;
  if (!strcmp(mode, "churn")) churn(argv[2]) ;
  if (!strcmp(mode, "init")) init(argv + 2) ;
  if (!strcmp(mode, "hold")) hold(argv[2]) ;
  return 100 ;
}
