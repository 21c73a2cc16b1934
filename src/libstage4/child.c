/* ISC license. */

/*
  Children of the chain, and waiting. A child begins clean, and can be left behind: its command line then
  begins with '@', so that no killer waits for it, ours included. Every wait of every program ends up in
  s4_poll().
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/watchdog.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sig.h>
#include <skalibs/types.h>

#include "stage4.h"

#define SLICE 1000          /* the watchdog is fed, orphans are reaped this often */
#define CHILD_FILES 1024    /* what the kernel gives to pid 1 */

struct child { pid_t pid ; int ended ; int wstat ; } ;
static genalloc children = GENALLOC_ZERO ;   /* struct child */

static struct child *child_find (pid_t pid)
{
  struct child *c = genalloc_s(struct child, &children) ;
  size_t n = genalloc_len(struct child, &children) ;
  while (n--) if (c[n].pid == pid) return c + n ;
  return 0 ;
}

static void close_range_of (unsigned int first, unsigned int last)
{
  if (first > last) return ;
#ifdef SYS_close_range
  if (!syscall(SYS_close_range, first, last, 0)) return ;
#endif
  if (last > 65535) last = 65535 ;   /* before Linux 5.9 */
  for (; first <= last ; first++) close((int)first) ;
}

 /* The /proc that this process looks at stays open too, until it executes something. */

void s4_close_all_but (int a, int b)
{
  int keep[] = { a, b, s4_proc() } ;
  unsigned int next = 3 ;
  for (unsigned int round = 0 ; round < 3 ; round++)
  {
    int least = INT_MAX ;
    for (unsigned int i = 0 ; i < 3 ; i++) if (keep[i] >= (int)next && keep[i] < least) least = keep[i] ;
    if (least == INT_MAX) break ;
    if ((unsigned int)least > next) close_range_of(next, (unsigned int)least - 1) ;
    next = (unsigned int)least + 1 ;
  }
  close_range_of(next, UINT_MAX) ;
}

static void begin_clean (int keep, int oom)
{
  struct rlimit rl ;
  for (int sig = 1 ; sig < NSIG ; sig++) signal(sig, SIG_DFL) ;
  sig_blocknone() ;
  s4_proc_write("self/oom_score_adj", S4_NUM(oom)) ;
  s4_close_all_but(keep, -1) ;
  if (!getrlimit(RLIMIT_NOFILE, &rl))
  {
    rl.rlim_cur = rl.rlim_max < CHILD_FILES ? rl.rlim_max : CHILD_FILES ;
    setrlimit(RLIMIT_NOFILE, &rl) ;
  }
  if (s4.watchdog >= 0) s4_setenv("STAGE4_WATCHDOG", 0) ;
  s4.watchdog = -1 ;
  if (s4.marker) *s4.marker = '@' ;
}

pid_t s4_fork (int keep, int oom)
{
  struct child c = { .ended = 0 } ;
  if (!genalloc_readyplus(struct child, &children, 1)) return -1 ;
  c.pid = fork() ;
  if (!c.pid) begin_clean(keep, oom) ;
  else if (c.pid != -1) genalloc_append(struct child, &children, &c) ;
  return c.pid ;
}

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
  if (pidfd >= 0) return !syscall(SYS_pidfd_send_signal, pidfd, sig, 0, 0) ;
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

void s4_watchdog_feed (void)
{
  if (s4.watchdog >= 0) ioctl(s4.watchdog, WDIOC_KEEPALIVE, 0) ;
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
  struct pollfd x = { .fd = s4_pidfd(pid), .events = POLLIN } ;
  struct child *c ;
  for (;;)
  {
    s4_ms now = s4_now() ;
    s4_reap() ;
    c = child_find(pid) ;
    if (!c || c->ended || now >= until) break ;
    s4_poll(&x, x.fd >= 0, x.fd >= 0 || until < now + S4_TICK ? until : now + S4_TICK) ;
  }
  if (x.fd >= 0) close(x.fd) ;
  if (!c || !c->ended) return 0 ;
  *wstat = c->wstat ;
  return 1 ;
}
