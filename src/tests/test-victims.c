/* ISC license. */

/* Processes that are to end: what is said of them, which signals they get, and what it leaves of this process. */

#include <skalibs/nonposix.h>

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

static void add (s4_victims *victims, s4_process const *p)
{
  s4_victim const v = { .p = *p, .pidfd = -1 } ;
  if (!genalloc_append(s4_victim, &victims->list, &v)) bail_out("out of memory", "") ;
}

static struct { char const *name ; s4_process p[3] ; unsigned int n ; enum s4_birth_e birth ; } const births[] =
{
  { "an old one", { { .ppid = 1, .start = 100 } }, 1, S4_BORN_BEFORE },
  { "an old one of another", { { .ppid = 7, .start = 100 } }, 1, S4_BORN_BEFORE },
  { "a new one", { { .ppid = 1, .start = 101 } }, 1, S4_BORN_OF_PID_1 },
  { "new ones", { { .ppid = 1, .start = 102 }, { .ppid = 1, .start = 101 }, { .ppid = 1, .start = UINT64_MAX } }, 3, S4_BORN_OF_PID_1 },
  { "the first is old", { { .ppid = 1, .start = 1 }, { .ppid = 1, .start = 101 }, { .ppid = 7, .start = 102 } }, 3, S4_BORN_BEFORE },
  { "the last is old", { { .ppid = 7, .start = 102 }, { .ppid = 1, .start = 101 }, { .ppid = 1, .start = 100 } }, 3, S4_BORN_BEFORE },
  { "a new one of another", { { .ppid = 7, .start = 101 } }, 1, S4_BORN_OF_OTHERS },
  { "one of them of another", { { .ppid = 1, .start = 101 }, { .ppid = 7, .start = 101 }, { .ppid = 1, .start = 101 } }, 3, S4_BORN_OF_OTHERS },
  { "of none", { { .ppid = 0, .start = 101 } }, 1, S4_BORN_OF_OTHERS }
} ;

static void born (void)
{
  for (size_t i = 0 ; i < sizeof births / sizeof *births ; i++)
  {
    s4_victims victims = S4_VICTIMS_ZERO ;
    for (unsigned int k = 0 ; k < births[i].n ; k++) add(&victims, births[i].p + k) ;
    is_number(s4_victims_birth(&victims, 100), births[i].birth, births[i].name) ;
    s4_victims_forget(&victims) ;
  }
}

 /* No file can be opened, if so. */

static void without_files (int so)
{
  static struct rlimit before ;
  struct rlimit none ;
  if (!before.rlim_max && getrlimit(RLIMIT_NOFILE, &before) == -1) bail_out("unable to ", "getrlimit") ;
  none = before ;
  none.rlim_cur = 0 ;
  if (setrlimit(RLIMIT_NOFILE, so ? &none : &before) == -1) bail_out("unable to ", "setrlimit") ;
}

static void living (void)
{
  s4_victim v = { .pidfd = -1 } ;
  if (!s4_process_read(getpid(), &v.p)) bail_out("unable to read ", "/proc") ;
  ok(s4_victim_lives(&v) == 1, "it lives") ;
  without_files(1) ;
  ok(s4_victim_lives(&v) == -1 && errno == EMFILE, "it can't be seen") ;
  without_files(0) ;
  v.p.start++ ;
  ok(!s4_victim_lives(&v) && errno == ESRCH, "its pid is another's") ;
}

 /* A child that has the pid by now, with all signals blocked: 1 if it gets any. */

static int gets_signals (s4_victim const *v)
{
  s4_victims victims = S4_VICTIMS_ZERO ;
  pid_t pid = fork() ;
  int wstat ;
  if (pid == -1) bail_out("unable to ", "fork") ;
  if (!pid)
  {
    s4_victim mine = *v ;
    sigset_t all ;
    sigfillset(&all) ;
    sigprocmask(SIG_SETMASK, &all, 0) ;
    if (!mine.p.pid && !s4_process_read(getpid(), &mine.p)) _exit(2) ;
    mine.p.pid = getpid() ;
    if (!genalloc_append(s4_victim, &victims.list, &mine)) _exit(2) ;
    s4_victims_signal(&victims, SIGTERM) ;
    sigpending(&all) ;
    _exit(sigismember(&all, SIGTERM) || sigismember(&all, SIGHUP) || sigismember(&all, SIGCONT)) ;
  }
  if (waitpid(pid, &wstat, 0) != pid) bail_out("unable to ", "wait") ;
  return WIFEXITED(wstat) ? WEXITSTATUS(wstat) : -1 ;
}

static void reused (void)
{
  s4_victim v = { .pidfd = -1 } ;
  pid_t pid ;
  is_number(gets_signals(&v), 1, "whose pid it is gets the signals") ;
  if (!s4_process_read(getpid(), &v.p)) bail_out("unable to read ", "/proc") ;
  v.p.start-- ;
  is_number(gets_signals(&v), 0, "who has the pid of one that has gone gets none") ;
  if ((pid = fork()) == -1) bail_out("unable to ", "fork") ;
  if (!pid) for (;;) pause() ;
  v.pidfd = s4_pidfd(pid) ;
  kill(pid, SIGKILL) ;
  if (waitpid(pid, 0, 0) != pid) bail_out("unable to ", "wait") ;
  is_number(gets_signals(&v), 0, "nor if that one was held by a pidfd") ;
  if (v.pidfd >= 0) close(v.pidfd) ;
}

 /* In a process group of its own, which it tells; alone in it, or as the child of its leader, who has gone. */

static pid_t begin_group (int orphan, int fd)
{
  pid_t pid = fork() ;
  if (pid == -1) bail_out("unable to ", "fork") ;
  if (!pid)
  {
    setpgid(0, 0) ;
    if (orphan && fork()) _exit(0) ;
    alarm(50) ;
    if (write(fd, "", 1) == 1) for (;;) pause() ;
    _exit(1) ;
  }
  if (orphan && waitpid(pid, 0, 0) != pid) bail_out("unable to ", "wait") ;
  return pid ;
}

static int is_swept (s4_process const *p)
{
  s4_victims victims = S4_VICTIMS_ZERO ;
  int r ;
  victims.some_others = 1 ;   /* never kill(-1) here */
  add(&victims, p) ;
  r = s4_victims_sweep(&victims) ;
  s4_victims_forget(&victims) ;
  return r ;
}

static void sweeping (void)
{
  for (int orphan = 0 ; orphan <= 1 ; orphan++)
  {
    s4_process p ;
    int fds[2] ;
    char c ;
    pid_t group ;
    if (pipe(fds) == -1) bail_out("unable to ", "pipe") ;
    group = begin_group(orphan, fds[1]) ;
    close(fds[1]) ;
    if (read(fds[0], &c, 1) != 1) bail_out("no group", "") ;
    p = (s4_process){ .pid = INT32_MAX, .group = group } ;   /* a member who isn't its leader */
    without_files(1) ;
    ok(!is_swept(&p), orphan ? "its leader, who has gone, can't be seen: not swept" : "its leader can't be seen: not swept") ;
    without_files(0) ;
    if (!orphan)
    {
      ok(!is_swept(&p), "its leader is no victim: not swept") ;
      ok(waitpid(group, 0, WNOHANG) == 0, "it lives") ;
      if (!s4_process_read(group, &p)) bail_out("unable to read ", "/proc") ;
    }
    ok(is_swept(&p), orphan ? "its leader has gone: swept" : "its leader is a victim: swept") ;
    ok(!read(fds[0], &c, 1), "nobody in it is left") ;
    close(fds[0]) ;
    if (!orphan) waitpid(group, 0, 0) ;
  }
}

 /* Its own policy is as before, whether it may have another or not. */

static void policy (void)
{
  static int const policies[] = { SCHED_BATCH, SCHED_IDLE } ;
  struct sched_param const none = { .sched_priority = 0 } ;
  for (size_t i = 0 ; i < sizeof policies / sizeof *policies ; i++)
  {
    s4_victims victims = S4_VICTIMS_ZERO ;
    pid_t pid = fork() ;   /* one can't always go back from SCHED_IDLE */
    int wstat ;
    if (pid == -1) bail_out("unable to ", "fork") ;
    if (!pid)
    {
      if (syscall(SYS_sched_setscheduler, 0, policies[i], &none) == -1) _exit(2) ;
      s4_victims_signal(&victims, SIGTERM) ;
      _exit(syscall(SYS_sched_getscheduler, 0) != policies[i]) ;
    }
    if (waitpid(pid, &wstat, 0) != pid) bail_out("unable to ", "wait") ;
    is_number(WIFEXITED(wstat) ? WEXITSTATUS(wstat) : -1, 0, i ? "SCHED_IDLE stays" : "SCHED_BATCH stays") ;
  }
}

int main (void)
{
  if (s4_proc() == -1) bail_out("no ", "/proc") ;
  born() ;
  living() ;
  reused() ;
  sweeping() ;
  policy() ;
  return done() ;
}
