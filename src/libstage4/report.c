/* ISC license. */

/*
  Reports: one line, one write(2), so that it is one record in /dev/kmsg and never mixed with another's.
  A reader that has gone to sleep (a full pipe, a stopped terminal) costs 100 ms a line, which the kernel log gets
  then, and a second in all; after that second it gets all of them, or nobody does. What stderr is, is asked anew for
  each line: begin, pivot and we ourselves replace it, and it costs nothing.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/sig.h>
#include <skalibs/strerr.h>
#include <skalibs/types.h>

#include "stage4.h"

#define LINE_PATIENCE 100
#define ALL_PATIENCE 1000
#define WORD_MAX 400        /* a word longer than this loses its middle, so that what follows it can be read */

char const *s4_num_fmt (char *buf, int64_t n)
{
  buf[int64_fmt(buf, n)] = 0 ;
  return buf ;
}

 /* Appends a word to the line, escaped as the kernel escapes names in mountinfo, cut to fit. */

static size_t add_word (char *buf, size_t len, char const *s, size_t skip, size_t skipped)
{
  size_t i = 0 ;
  for (; s[i] ; i++)
  {
    unsigned char c = (unsigned char)s[i] ;
    int odd = c < 32 || c == 127 || c == '\\' ;
    if (skipped && i == skip)
    {
      if (len + 3 > S4_LINE_MAX - 4) break ;
      memcpy(buf + len, "...", 3) ;
      len += 3 ;
      i += skipped - 1 ;
      continue ;
    }
    if (len + (odd ? 4 : 1) > S4_LINE_MAX - 4) break ;   /* room for "...\n" */
    if (odd)
    {
      buf[len++] = '\\' ;
      buf[len++] = (char)('0' + (c >> 6)) ;
      buf[len++] = (char)('0' + (c >> 3 & 7)) ;
      buf[len++] = (char)('0' + (c & 7)) ;
    }
    else buf[len++] = (char)c ;
  }
  if (s[i])
  {
    memcpy(buf + len, "...", 3) ;
    len += 3 ;
  }
  return len ;
}

size_t s4_line (char *buf, char const *const *s, size_t n, size_t clean)
{
  size_t len = 0 ;
  size_t i = 0 ;
  for (; i < n && len < S4_LINE_MAX - 4 ; i++)
  {
    size_t m = s[i] ? strlen(s[i]) : 0 ;
    if (!m) continue ;
    if (i < clean || m <= WORD_MAX) len = add_word(buf, len, s[i], 0, 0) ;
    else len = add_word(buf, len, s[i], WORD_MAX / 2, m - WORD_MAX) ;
  }
  while (i < n && (!s[i] || !*s[i])) i++ ;
  if (i < n && len == S4_LINE_MAX - 4)
  {
    memcpy(buf + len, "...", 3) ;
    len += 3 ;
  }
  buf[len++] = '\n' ;
  return len ;
}

static void wake (int sig)
{
  (void)sig ;   /* only there to interrupt write(2) */
}

 /* A terminal that poll(2) calls writable can still block within write(2): a timer ends that. */

static ssize_t write_interruptibly (int fd, char const *s, size_t n)
{
  struct itimerval const tick = { { 0, LINE_PATIENCE * 1000 }, { 0, LINE_PATIENCE * 1000 } } ;
  struct itimerval const off = { { 0, 0 }, { 0, 0 } } ;
  struct sigaction sa = { .sa_handler = &wake }, old ;
  ssize_t r ;
  sigaction(SIGALRM, &sa, &old) ;
  sig_unblock(SIGALRM) ;
  setitimer(ITIMER_REAL, &tick, 0) ;
  r = write(fd, s, n) ;
  setitimer(ITIMER_REAL, &off, 0) ;
  sigaction(SIGALRM, &old, 0) ;
  return r ;
}

enum outcome_e { WRITTEN, LOST, GONE } ;   /* LOST: this line; GONE: so would be all others */

static enum outcome_e write_stream (int fd, char const *s, size_t n, s4_ms patience)
{
  struct pollfd x = { .fd = fd, .events = POLLOUT } ;
  s4_ms const limit = s4_now() + patience ;
  ssize_t r ;
  int p ;
  do p = poll(&x, 1, patience > 0 ? (int)patience : 0) ; while (p == -1 && errno == EINTR && s4_now() < limit) ;
  if (!p || (p == -1 && errno == EINTR)) return LOST ;
  r = write_interruptibly(fd, s, n) ;
  if (r == (ssize_t)n) return WRITTEN ;
  return r >= 0 || errno == EAGAIN || errno == EINTR ? LOST : GONE ;   /* EPIPE, EIO of a console that was hung up */
}

 /*
   A file can lie on a frozen or dead file system, where write(2) sleeps without hearing signals: left to a
   child. When that takes too long the file is given up at once, so that no later line overtakes this one. The
   child is not killed: it could hang again in its end, where its mark can't be seen any more.
 */

static enum outcome_e write_file (int fd, char const *s, size_t n, s4_ms patience)
{
  s4_ms const limit = s4_now() + patience ;
  int wstat ;
  pid_t pid = s4_fork_worker(fd, 0) ;
  if (pid == -1) return GONE ;
  if (!pid) _exit(allwrite(fd, s, n) != n) ;
  if (!s4_wait(pid, limit, &wstat)) return GONE ;
  return !WIFEXITED(wstat) ? LOST : WEXITSTATUS(wstat) ? GONE : WRITTEN ;
}

 /* Never blocks, and never says to poll(2) that it can be written to. */

static enum outcome_e write_kmsg (int fd, char const *s, size_t n)
{
  return write(fd, s, n) == (ssize_t)n ? WRITTEN : GONE ;
}

 /* For a line that stderr does not take. The log of a container is the machine's. */

static void keep_in_kernel_log (char const *s, size_t n)
{
  int fd = s4.container ? -1 : s4_open_device("/dev/kmsg", O_WRONLY | O_NOCTTY) ;
  if (fd == -1) return ;
  write_kmsg(fd, s, n) ;
  close(fd) ;
}

 /* stdout, too, if it hangs with it: a process can't even end with a file that hangs. */

static void give_up (int fd)
{
  if (s4_fd_kind(fd) == S4_FD_FILE && s4_fd_kind(1) == S4_FD_FILE && s4_mount_id(1) == s4_mount_id(fd))
    s4_give_up_fd(1) ;
  s4_give_up_fd(fd) ;
}

static void emit (int fd, char const *s, size_t n)
{
  static s4_ms waited = 0 ;   /* for lines that were lost, or took long */
  s4_ms const start = s4_now() ;
  s4_ms const left = ALL_PATIENCE - waited ;
  s4_ms took ;
  enum outcome_e outcome = WRITTEN ;
  s4_watchdog_feed() ;
  switch (s4_fd_kind(fd))
  {
    case S4_FD_CLOSED : return ;
    case S4_FD_KMSG : outcome = write_kmsg(fd, s, n) ; break ;
    case S4_FD_FILE : outcome = write_file(fd, s, n, left) ; break ;
    case S4_FD_STREAM : outcome = write_stream(fd, s, n, left < LINE_PATIENCE ? left : LINE_PATIENCE) ; break ;
  }
  took = s4_now() - start ;
  if (outcome == LOST || took > LINE_PATIENCE) waited += took ;
  if (outcome == WRITTEN) return ;
  if (outcome == LOST && waited < ALL_PATIENCE)
  {
    keep_in_kernel_log(s, n) ;
    return ;
  }
  give_up(fd) ;
  if (s4_fd_kind(fd) == S4_FD_KMSG) write_kmsg(fd, s, n) ;
  waited = 0 ;
}

static unsigned int const needed_verbosity[] = { [S4_FATAL] = 0, [S4_WARNING] = 1, [S4_INFO] = 1, [S4_VERBOSE] = 2,
  [S4_TRACE] = 3 } ;
static char const *const level_name[] =
  { [S4_FATAL] = ": fatal: ", [S4_WARNING] = ": warning: ", [S4_INFO] = ": info: ", [S4_VERBOSE] = ": info: ",
    [S4_TRACE] = ": tracing: " } ;

void s4_report (enum s4_level_e level, int err, char const *const *s, size_t n)
{
  char buf[S4_LINE_MAX] ;
  char const *v[n + 4] ;
  int e = errno ;
  if (s4.verbosity < needed_verbosity[level]) return ;
  v[0] = PROG ;
  v[1] = level_name[level] ;
  memcpy(v + 2, s, n * sizeof(char const *)) ;
  n += 2 ;
  if (err)
  {
    v[n++] = ": " ;
    v[n++] = strerror(err) ;
  }
  emit(2, buf, s4_line(buf, v, n, 2)) ;
  errno = e ;
}

int s4_unable (char const *what, char const *arg)
{
  s4_fatalsys("unable to ", what, arg) ;
  return 0 ;
}

void s4_plan (char const *const *s, size_t n)
{
  char buf[S4_LINE_MAX] ;
  size_t len = s4_line(buf, s, n, 0) ;
  if (allwrite(1, buf, len) == len) return ;   /* nothing is under way: this may block */
  s4_fatalsys("unable to write to stdout") ;
  s4_step_giveup(S4_NOTSTARTED) ;
}
