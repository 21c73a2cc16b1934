/* ISC license. */

/*
  Children of the chain, of three kinds: workers, that do a part of a program's own job and may be left behind;
  foreign programs, that find what every program expects; and steps of the chain with another pid. And
  waiting: every wait of every program ends up in s4_poll().
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sig.h>
#include <skalibs/types.h>

#include "stage4.h"

#define SLICE 400           /* the watchdog is fed, orphans are reaped this often */
#define FORK_PATIENCE 1000  /* those that were just killed still count for a while */
#define PROGRAM_FILES 1024  /* what the kernel gives to pid 1, and select(2) can take */
#define FILES_MAX 65536     /* tried where nothing says which are open */

struct child { pid_t pid ; int ended ; int wstat ; } ;
static genalloc children = GENALLOC_ZERO ;   /* struct child */

static struct child *child_find (pid_t pid)
{
  struct child *c = genalloc_s(struct child, &children) ;
  size_t n = genalloc_len(struct child, &children) ;
  while (n--) if (c[n].pid == pid) return c + n ;
  return 0 ;
}

static void child_forget (struct child *c)
{
  size_t last = genalloc_len(struct child, &children) - 1 ;
  *c = genalloc_s(struct child, &children)[last] ;
  genalloc_setlen(struct child, &children, last) ;
}

 /* --- file descriptors --- */

#define KEPT 4

static int is_kept (int fd, int const *keep)
{
  for (unsigned int i = 0 ; i < KEPT ; i++) if (keep[i] == fd) return 1 ;
  return fd < 3 ;
}

static int close_between (unsigned int first, unsigned int last)
{
  if (first > last) return 1 ;
#ifdef SYS_close_range
  return !syscall(SYS_close_range, first, last, 0) ;
#else
  return 0 ;
#endif
}

static int close_gaps (int const *keep)
{
  unsigned int next = 3 ;
  for (;;)
  {
    int least = INT_MAX ;
    for (unsigned int i = 0 ; i < KEPT ; i++) if (keep[i] >= (int)next && keep[i] < least) least = keep[i] ;
    if (least == INT_MAX) return close_between(next, UINT_MAX) ;
    if (!close_between(next, (unsigned int)least - 1)) return 0 ;
    next = (unsigned int)least + 1 ;
  }
}

static int close_listed (int fd, void *keep)
{
  if (!is_kept(fd, keep)) close(fd) ;
  return 1 ;
}

 /*
   The /proc and /sys that this process looks at stay open too, until it executes something. Before Linux 5.9 there is
   no close_range(2), and there may be a million fds to try: only what is open is closed.
 */

void s4_close_all_but (int a, int b)
{
  int keep[KEPT] = { a, b, s4_proc(), s4_sys_fd() } ;
  if (close_gaps(keep) || s4_proc_fds(&close_listed, keep) == 1) return ;
  for (int fd = 3 ; fd < FILES_MAX ; fd++) if (!is_kept(fd, keep)) close(fd) ;
}

 /* --- three ways to begin --- */

pid_t s4_fork (void)
{
  static s4_ms waited = 0 ;
  for (;;)
  {
    pid_t pid = fork() ;
    int e = errno ;
    s4_ms const begun = s4_now() ;
    if (pid != -1 || (e != EAGAIN && e != ENOMEM) || waited >= FORK_PATIENCE || s4_limit(S4_TICK) <= begun)
      return (errno = e, pid) ;
    s4_poll(0, 0, begun + S4_TICK) ;
    waited += s4_now() - begun + 1 ;
  }
}

static pid_t fork_known (void)
{
  struct child c = { .ended = 0 } ;
  struct child *namesake ;
  if (!genalloc_readyplus(struct child, &children, 1)) return -1 ;
  c.pid = s4_fork() ;
  if (c.pid <= 0) return c.pid ;
  namesake = child_find(c.pid) ;   /* it was reaped, and nobody has asked for it */
  if (namesake) child_forget(namesake) ;
  genalloc_append(struct child, &children, &c) ;
  return c.pid ;
}

static void close_others (int keep)
{
  s4_close_all_but(keep, -1) ;
  if (s4.watchdog >= 0) s4_setenv("STAGE4_WATCHDOG", 0) ;
  s4.watchdog = -1 ;
}

 /* What signals do, what is blocked and all limits stay: nothing of it matters to a worker, and SIGKILL ends it. */

pid_t s4_fork_worker (int keep, int oom)
{
  pid_t const parent = getpid() ;
  char const unmarked = s4.marker ? *s4.marker : 0 ;
  pid_t pid ;
  if (s4.marker) *s4.marker = '@' ;   /* before it is born, so that nobody ever sees it without */
  pid = fork_known() ;
  if (pid && s4.marker) *s4.marker = unmarked ;
  if (pid) return pid ;
  prctl(PR_SET_PDEATHSIG, SIGKILL) ;
  if (getppid() != parent) _exit(S4_NOTSTARTED) ;   /* it has ended before it could take us along */
  close_others(keep) ;
  if (oom) s4_proc_write("self/oom_score_adj", S4_NUM(oom)) ;
  return 0 ;
}

 /* Whoever prints to a pipe that nobody reads ends by SIGPIPE; and readers are killed as all others. */

static void replace_dead_outputs (void)
{
  for (int fd = 1 ; fd <= 2 ; fd++)
  {
    struct pollfd x = { .fd = fd, .events = 0 } ;
    if (poll(&x, 1, 0) == 1 && x.revents & (POLLERR | POLLHUP)) s4_give_up_fd(fd) ;
  }
}

pid_t s4_fork_program (int keep)
{
  struct rlimit rl ;
  pid_t pid = fork_known() ;
  if (pid) return pid ;
  setsid() ;
  for (int sig = 1 ; sig < NSIG ; sig++) signal(sig, SIG_DFL) ;
  sig_blocknone() ;
  close_others(keep) ;
  replace_dead_outputs() ;
  s4_proc_write("self/oom_score_adj", "0") ;
  if (!getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_cur > PROGRAM_FILES)
  {
    rl.rlim_cur = PROGRAM_FILES ;
    setrlimit(RLIMIT_NOFILE, &rl) ;
  }
  return 0 ;
}

pid_t s4_fork_step (int keep)
{
  pid_t pid = fork_known() ;
  if (!pid) close_others(keep) ;
  return pid ;
}

 /* --- signals and waiting --- */

int s4_pidfd (pid_t pid)
{
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, pid, 0) ;
#else
  (void)pid ;
  return (errno = ENOSYS, -1) ;
#endif
}

int s4_pidfd_kill (int pidfd, pid_t pid, int sig)
{
#ifdef SYS_pidfd_send_signal
  if (pidfd >= 0 && !syscall(SYS_pidfd_send_signal, pidfd, sig, 0, 0)) return 1 ;
  if (pidfd >= 0 && errno != ENOSYS) return 0 ;
#endif
  return !kill(pid, sig) ;
}

void s4_reap (void)
{
  int wstat ;
  pid_t pid ;
  while ((pid = wait_nohang(&wstat)) > 0)
  {
    struct child *c = child_find(pid) ;
    if (!c) continue ;
    c->ended = 1 ;
    c->wstat = wstat ;
  }
}

int s4_poll (struct pollfd *x, unsigned int n, s4_ms until)
{
  for (;;)
  {
    s4_ms left = until - s4_now() ;
    int r, e ;
    s4_watchdog_feed() ;
    r = poll(x, n, left <= 0 ? 0 : left > SLICE ? SLICE : (int)left) ;
    e = errno ;
    s4_reap() ;
    errno = e ;
    if (r > 0 || left <= 0) return r ;
    if (r == -1 && errno != EINTR) return r ;
  }
}

int s4_wait (pid_t pid, s4_ms until, int *wstat)
{
  struct pollfd x = { .fd = -1, .events = POLLIN } ;
  struct child *c ;
  for (int waiting = 0 ;; waiting = 1)
  {
    s4_ms now = s4_now() ;
    s4_reap() ;
    c = child_find(pid) ;
    if (!c || c->ended || now >= until) break ;
    if (!waiting) x.fd = s4_pidfd(pid) ;
    s4_poll(&x, x.fd >= 0, x.fd >= 0 || until < now + S4_TICK ? until : now + S4_TICK) ;
  }
  if (x.fd >= 0) close(x.fd) ;
  if (!c || !c->ended) return 0 ;
  *wstat = c->wstat ;
  child_forget(c) ;
  return 1 ;
}
