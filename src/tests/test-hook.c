/* ISC license. */

/* A program with a limit: what it says of it, and what it leaves behind in this process. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define ROUNDS 20

static int count_fds (void)
{
  int n = 0 ;
  for (int fd = 0 ; fd < 200 ; fd++) n += fcntl(fd, F_GETFD) != -1 ;
  return n ;
}

static struct { char const *name ; char const *argv[4] ; s4_ms limit ; int code ; } const runs[] =
{
  { "one that ends", { "sh", "-c", "exit 3", 0 }, 20000, S4_DONE },
  { "one that is late, with a child", { "sh", "-c", "sleep 50 & sleep 50", 0 }, 30, S4_LATE },
  { "one that is not there", { "/not/there", 0 }, 20000, S4_NOTSTARTED }
} ;

static void run (size_t i)
{
  int fds = 0, good = 1, wstat = 0 ;
  for (int k = 0 ; k < ROUNDS ; k++)
  {
    good &= s4_run(runs[i].argv, &s4_fork_program, s4_now() + runs[i].limit, 20000, &wstat) == runs[i].code ;
    if (!k) fds = count_fds() ;   /* the first one may leave what is needed again */
  }
  ok(good, "%s", runs[i].name) ;
  if (runs[i].code == S4_DONE) ok(WIFEXITED(wstat) && WEXITSTATUS(wstat) == 3, "%s: its status", runs[i].name) ;
  is_number(count_fds(), fds, "no more files are open then") ;
  for (s4_ms const end = s4_now() + 5000 ; s4_now() < end && waitpid(-1, 0, WNOHANG) != -1 ; ) s4_poll(0, 0, s4_now() + 10) ;
  ok(waitpid(-1, 0, WNOHANG) == -1 && errno == ECHILD, "%s: no child is left", runs[i].name) ;
}

static void check_reaper (int before)
{
  int after = -1, wstat ;
  prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)before) ;
  s4_run(runs[0].argv, &s4_fork_program, s4_now() + runs[0].limit, 20000, &wstat) ;
  prctl(PR_GET_CHILD_SUBREAPER, &after) ;
  is_number(after, before, "a subreaper after it only if it was one before") ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  (void)argc ;
  (void)argv ;
  if (dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2) == -1) bail_out("no ", "/dev/null") ;   /* its reports */
  s4_chain_read(envp, 0) ;
  for (size_t i = 0 ; i < sizeof runs / sizeof *runs ; i++) run(i) ;
  check_reaper(0) ;
  check_reaper(1) ;
  return done() ;
}
