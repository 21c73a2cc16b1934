/* ISC license. */

/* Children: they begin clean, and waiting for them ends. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define OPEN_MAX_HERE 40

 /* Which of the fds 0 to 39 are open, as a string of digits and letters. */

static void open_fds (char *s)
{
  for (int fd = 0 ; fd < OPEN_MAX_HERE ; fd++) if (fcntl(fd, F_GETFD) != -1) *s++ = "0123456789abcdefghijklmnopqrstuvwxyzABCD"[fd] ;
  *s = 0 ;
}

static struct { int a, b ; char const *left ; } const closings[] =
{
  { -1, -1, "012" }, { -1, 3, "0123" }, { 3, -1, "0123" }, { 3, 4, "01234" }, { 4, 3, "01234" }, { 5, -1, "0125" }, { -1, 5, "0125" },
  { 5, 5, "0125" }, { 5, 20, "0125k" }, { 20, 5, "0125k" }, { 19, 20, "012jk" }, { 0, 1, "012" }, { 2, 3, "0123" }, { 1, 9, "0129" },
  { 39, 38, "012CD" }
} ;

static void closing (void)
{
  for (size_t i = 0 ; i < sizeof closings / sizeof *closings ; i++)
  {
    char left[OPEN_MAX_HERE + 1] = "" ;
    int p[2] ;
    pid_t pid ;
    ssize_t r ;
    if (pipe(p) == -1) bail_out("unable to ", "pipe") ;
    pid = fork() ;
    if (pid == -1) bail_out("unable to ", "fork") ;
    if (!pid)
    {
      int out = fcntl(p[1], F_DUPFD, 100) ;
      for (int fd = 0 ; fd < OPEN_MAX_HERE ; fd++) if (fd != out) dup2(p[1], fd) ;
      s4_close_all_but(closings[i].a, closings[i].b) ;
      open_fds(left) ;
      _exit(write(0, left, strlen(left)) == -1) ;   /* 0 is the pipe as well */
    }
    close(p[1]) ;
    r = read(p[0], left, OPEN_MAX_HERE) ;
    left[r > 0 ? r : 0] = 0 ;
    close(p[0]) ;
    waitpid(pid, 0, 0) ;
    if (!ok(!strcmp(left, closings[i].left), "all but %d and %d are closed", closings[i].a, closings[i].b)) note("left: %s", left) ;
  }
}

static int is_clean (int keep)
{
  struct rlimit rl ;
  sigset_t set ;
  sigprocmask(SIG_BLOCK, 0, &set) ;
  for (int sig = 1 ; sig < NSIG ; sig++)
  {
    struct sigaction sa ;
    if (sig == SIGKILL || sig == SIGSTOP || sigaction(sig, 0, &sa) == -1) continue ;
    if (sa.sa_handler != SIG_DFL) return 1 ;
    if (sigismember(&set, sig) == 1) return 2 ;
  }
  if (getrlimit(RLIMIT_NOFILE, &rl) == -1 || rl.rlim_cur > 1024) return 3 ;
  if (s4.watchdog != -1) return 4 ;
  if (*s4.marker != '@') return 5 ;
  for (int fd = 3 ; fd < 100 ; fd++) if (fd != keep && fd != s4_proc() && fcntl(fd, F_GETFD) != -1) return 6 ;
  if (fcntl(keep, F_GETFD) == -1) return 7 ;
  return 0 ;
}

static void beginning (void)
{
  char name[] = "test" ;
  int wstat = -1 ;
  struct rlimit rl ;
  sigset_t set ;
  pid_t pid ;
  s4.watchdog = dup(1) ;
  s4.marker = name ;
  dup2(1, 50) ;
  dup2(1, 60) ;
  signal(SIGTERM, SIG_IGN) ;
  signal(SIGPIPE, SIG_IGN) ;
  sigfillset(&set) ;
  sigprocmask(SIG_BLOCK, &set, 0) ;
  if (!getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_max > 1024)
  {
    rl.rlim_cur = rl.rlim_max ;
    setrlimit(RLIMIT_NOFILE, &rl) ;
  }
  pid = s4_fork(50, 0) ;
  if (!pid) _exit(is_clean(50)) ;
  ok(pid > 0, "a child") ;
  ok(s4_wait(pid, s4_now() + 20000, &wstat) == 1, "it ends") ;
  ok(WIFEXITED(wstat) && !WEXITSTATUS(wstat), "it begins clean (%d)", WIFEXITED(wstat) ? WEXITSTATUS(wstat) : -1) ;
  is_string(name, "test", "its mark is its own") ;
  ok(fcntl(60, F_GETFD) != -1 && s4.watchdog >= 0, "the parent keeps what it has") ;
  sigemptyset(&set) ;
  sigprocmask(SIG_SETMASK, &set, 0) ;
  signal(SIGTERM, SIG_DFL) ;
  close(s4.watchdog) ;
  close(50) ;
  close(60) ;
  s4.watchdog = -1 ;
  s4.marker = 0 ;
}

static pid_t child_that (int sleeps, int code)
{
  pid_t pid = s4_fork(-1, 0) ;
  if (pid == -1) bail_out("unable to ", "fork") ;
  if (pid) return pid ;
  alarm(50) ;
  while (sleeps) pause() ;
  _exit(code) ;
}

static void waiting (void)
{
  pid_t pid[20] ;
  int wstat = 0, good = 1 ;
  s4_ms start, took ;
  pid[0] = child_that(1, 0) ;
  start = s4_now() ;
  ok(!s4_wait(pid[0], start + 300, &wstat), "one that sleeps: the time is up") ;
  took = s4_now() - start ;
  ok(took >= 300 && took < 10000, "then, not before: %" PRId64 " ms", took) ;
  ok(!s4_wait(pid[0], start - 1000, &wstat), "a moment that has passed") ;
  kill(pid[0], SIGKILL) ;
  ok(s4_wait(pid[0], s4_now() + 20000, &wstat) == 1 && WIFSIGNALED(wstat) && WTERMSIG(wstat) == SIGKILL, "killed") ;
  ok(s4_wait(pid[0], s4_now(), &wstat) == 1 && WIFSIGNALED(wstat), "asked again: the same") ;
  start = s4_now() ;
  ok(!s4_wait(getpid(), start + 5000, &wstat) && s4_now() - start < 4000, "one that is no child: no wait at all") ;
  for (int i = 0 ; i < 20 ; i++) pid[i] = child_that(0, i) ;
  for (int i = 20 ; i-- ; ) if (!s4_wait(pid[i], s4_now() + 20000, &wstat) || !WIFEXITED(wstat) || WEXITSTATUS(wstat) != i) good = 0 ;
  ok(good, "twenty, each with its own exit code, waited for backwards") ;
  ok(waitpid(-1, 0, WNOHANG) == -1 && errno == ECHILD, "none is left as a zombie") ;
}

static void nothing (int sig)
{
  (void)sig ;
}

static void polling (void)
{
  struct itimerval const often = { { 0, 150000 }, { 0, 150000 } }, never = { { 0, 0 }, { 0, 0 } } ;
  struct sigaction const sa = { .sa_handler = &nothing } ;
  int p[2] ;
  struct pollfd x = { .events = POLLIN } ;
  s4_ms start = s4_now(), took ;
  if (pipe(p) == -1) bail_out("unable to ", "pipe") ;
  x.fd = p[0] ;
  ok(s4_poll(&x, 1, start + 200) == 0, "nothing comes") ;
  took = s4_now() - start ;
  ok(took >= 200 && took < 10000, "until then, not less: %" PRId64 " ms", took) ;
  ok(s4_poll(&x, 1, start) == 0, "a moment that has passed") ;
  ok(write(p[1], "", 1) == 1 && s4_poll(&x, 1, s4_now() + 20000) == 1 && x.revents & POLLIN, "something comes") ;
  start = s4_now() ;
  ok(s4_poll(0, 0, start + 100) == 0 && s4_now() >= start + 100, "only time passes") ;
  sigaction(SIGALRM, &sa, 0) ;
  setitimer(ITIMER_REAL, &often, 0) ;
  start = s4_now() ;
  ok(s4_poll(0, 0, start + 1400) == 0 && s4_now() >= start + 1400, "more than a second, with signals in it") ;
  setitimer(ITIMER_REAL, &never, 0) ;
  close(p[0]) ;
  close(p[1]) ;
}

static void pidfds (void)
{
  pid_t pid = child_that(1, 0) ;
  int fd = s4_pidfd(pid), wstat = 0 ;
  ok(fd >= 0 || errno == ENOSYS, "a pidfd, or none here") ;
  ok(s4_pidfd_kill(fd, pid, SIGUSR1) == 1, "a signal by it, or by the pid") ;
  ok(s4_wait(pid, s4_now() + 20000, &wstat) == 1 && WIFSIGNALED(wstat) && WTERMSIG(wstat) == SIGUSR1, "has come") ;
  ok(!s4_pidfd_kill(fd, pid, 0) && errno == ESRCH, "it is gone") ;
  if (fd >= 0) close(fd) ;
}

int main (void)
{
  closing() ;
  beginning() ;
  waiting() ;
  polling() ;
  pidfds() ;
  return done() ;
}
