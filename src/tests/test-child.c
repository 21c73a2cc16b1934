/* ISC license. */

/* Children: how each kind of them begins; waiting for them ends. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <skalibs/types.h>

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

 /* As before Linux 5.9, from here on in this process: */

static int forbid_close_range (void)
{
  struct sock_filter f[] =
  {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
  } ;
  struct sock_fprog prog = { .len = sizeof f / sizeof *f, .filter = f } ;
  return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)
   && syscall(SYS_close_range, 1000, 1000, 0) == -1 && errno == ENOSYS ;
}

static void closing (int old)
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
      if (old && !forbid_close_range()) _exit(write(0, "?", 1) == -1) ;
      s4_close_all_but(closings[i].a, closings[i].b) ;
      open_fds(left) ;
      if (fcntl(out, F_GETFD) != -1) strcat(left, "+") ;
      _exit(write(0, left, strlen(left)) == -1) ;   /* 0 is the pipe as well */
    }
    close(p[1]) ;
    r = read(p[0], left, OPEN_MAX_HERE) ;
    left[r > 0 ? r : 0] = 0 ;
    close(p[0]) ;
    waitpid(pid, 0, 0) ;
    if (!strcmp(left, "?")) ok(1, "closed one by one # SKIP no seccomp") ;
    else if (!ok(!strcmp(left, closings[i].left), "all but %d and %d are closed%s", closings[i].a, closings[i].b,
      old ? ", one by one" : "")) note("left: %s", left) ;
  }
}

 /* Each says of itself what it is, in the order of these. */

struct looks
{
  int ignores ;         /* SIGTERM is ignored, all signals are blocked */
  int clean ;           /* no signal is ignored or blocked */
  int limited ;         /* 1024 files */
  int leads ;           /* a session */
  int watchdog ;
  int marked ;          /* @ */
  int others ;          /* other fds than it should have */
  int kept ;
  int oom ;
  int orphaned ;        /* what it gets when its parent ends */
} ;

static int oom_score (void)
{
  static stralloc sa = STRALLOC_ZERO ;
  int oom ;
  return s4_proc_read("self/oom_score_adj", &sa) && int_scan(sa.s, &oom) ? oom : -9999 ;
}

static void look (int fd, int keep)
{
  struct looks l = { .clean = 1, .kept = fcntl(keep, F_GETFD) != -1, .leads = getsid(0) == getpid(),
    .watchdog = s4.watchdog, .marked = *s4.marker == '@', .oom = oom_score() } ;
  struct rlimit rl ;
  sigset_t set ;
  sigprocmask(SIG_BLOCK, 0, &set) ;
  for (int sig = 1 ; sig < NSIG ; sig++)
  {
    struct sigaction sa ;
    if (sig == SIGKILL || sig == SIGSTOP || sigaction(sig, 0, &sa) == -1) continue ;
    if (sa.sa_handler != SIG_DFL || sigismember(&set, sig) == 1) l.clean = 0 ;
    if (sig == SIGTERM) l.ignores = sa.sa_handler == SIG_IGN && sigismember(&set, sig) == 1 ;
  }
  l.limited = !getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_cur <= 1024 ;
  for (int i = 3 ; i < 100 ; i++) if (i != keep && i != fd && i != s4_proc() && fcntl(i, F_GETFD) != -1) l.others++ ;
  prctl(PR_GET_PDEATHSIG, &l.orphaned) ;
  _exit(write(fd, &l, sizeof l) != sizeof l) ;
}

static struct looks looks_of (pid_t (*forks) (int))
{
  struct looks l = { .ignores = -1 } ;
  char name[] = "test" ;
  int wstat = -1 ;
  int p[2] ;
  pid_t pid ;
  if (pipe(p) == -1) bail_out("unable to ", "pipe") ;
  s4.watchdog = dup(1) ;
  s4.marker = name ;
  pid = (*forks)(p[1]) ;
  if (!pid) look(p[1], p[1]) ;
  ok(pid > 0, "a child") ;
  close(p[1]) ;
  ok(read(p[0], &l, sizeof l) == sizeof l, "it looks at itself") ;
  ok(s4_wait(pid, s4_now() + 20000, &wstat) == 1 && WIFEXITED(wstat) && !WEXITSTATUS(wstat), "it ends") ;
  is_string(name, "test", "its mark is its own") ;
  ok(fcntl(60, F_GETFD) != -1 && s4.watchdog >= 0, "the parent keeps what it has") ;
  ok(l.kept && !l.others && l.watchdog == -1, "no fds but the kept one (%d), no watchdog", l.others) ;
  close(p[0]) ;
  close(s4.watchdog) ;
  s4.watchdog = -1 ;
  s4.marker = 0 ;
  return l ;
}

static pid_t fork_worker (int keep)
{
  return s4_fork_worker(keep, 321) ;
}

static void beginning (void)
{
  struct looks l ;
  struct rlimit rl ;
  sigset_t set ;
  int many ;
  dup2(1, 50) ;
  dup2(1, 60) ;
  s4_proc_write("self/oom_score_adj", "123") ;
  signal(SIGTERM, SIG_IGN) ;
  signal(SIGPIPE, SIG_IGN) ;
  sigfillset(&set) ;
  sigprocmask(SIG_BLOCK, &set, 0) ;
  if (!getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_max > 1024)
  {
    rl.rlim_cur = rl.rlim_max ;
    setrlimit(RLIMIT_NOFILE, &rl) ;
  }
  many = rl.rlim_cur > 1024 ;

  note("a worker") ;
  l = looks_of(&fork_worker) ;
  ok(l.ignores == 1 && l.limited != many && !l.leads, "signals, limits and session are its parent's") ;
  ok(l.marked, "it is marked") ;
  ok(l.orphaned == SIGKILL, "it is killed when its parent ends") ;
  ok(l.oom == 321, "it has the OOM score that was asked for: %d", l.oom) ;

  note("a foreign program") ;
  l = looks_of(&s4_fork_program) ;
  ok(l.clean, "no signal is ignored, none blocked") ;
  ok(l.limited, "1024 files") ;
  ok(l.leads, "a session of its own") ;
  ok(!l.marked && !l.orphaned, "it is not marked, and lives on its own") ;
  ok(!l.oom || l.oom == 123, "OOM score 0, if it may have that: %d", l.oom) ;   /* nobody may not lower it */

  note("a step") ;
  l = looks_of(&s4_fork_step) ;
  ok(l.ignores == 1 && l.limited != many && !l.leads, "signals, limits and session are its parent's") ;
  ok(!l.marked && !l.orphaned, "it is not marked, and lives on its own") ;
  ok(l.oom == 123, "so is the OOM score: %d", l.oom) ;

  sigemptyset(&set) ;
  sigprocmask(SIG_SETMASK, &set, 0) ;
  signal(SIGTERM, SIG_DFL) ;
  close(50) ;
  close(60) ;
}

 /* A worker does not outlive its parent, which may itself be killed. */

static void orphaned (void)
{
  int p[2] ;
  char c ;
  pid_t pid ;
  if (pipe(p) == -1) bail_out("unable to ", "pipe") ;
  pid = fork() ;
  if (pid == -1) bail_out("unable to ", "fork") ;
  if (!pid)
  {
    alarm(50) ;
    if (!s4_fork_worker(p[1], 0))
    {
      alarm(50) ;
      for (;;) pause() ;
    }
    raise(SIGKILL) ;
  }
  close(p[1]) ;
  waitpid(pid, 0, 0) ;
  ok(!read(p[0], &c, 1), "a worker ends with its parent") ;
  close(p[0]) ;
}

static pid_t child_that (int sleeps, int code)
{
  pid_t pid = s4_fork_worker(-1, 0) ;
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
  start = s4_now() ;
  ok(!s4_wait(pid[0], start + 5000, &wstat) && s4_now() - start < 4000, "asked again: it is no child any more, no wait at all") ;
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
  closing(0) ;
  closing(1) ;
  beginning() ;
  orphaned() ;
  waiting() ;
  polling() ;
  pidfds() ;
  return done() ;
}
