/* ISC license. */

/* A question that may block: a child answers it through a pipe. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define ANSWER_SIZE 4096  /* of an answer, read at once */

int s4_answer (int fd, void const *s, size_t n)
{
  return allwrite(fd, s, n) == n ? 0 : errno ;
}

static int hear (int fd, s4_ms limit, stralloc *answer)
{
  struct pollfd x = { .fd = fd, .events = POLLIN } ;
  for (;;)
  {
    ssize_t r = s4_poll(&x, 1, limit) ;
    if (r <= 0) return r ? errno : ETIMEDOUT ;
    if (!stralloc_readyplus(answer, ANSWER_SIZE)) return ENOMEM ;
    r = fd_read(fd, answer->s + answer->len, ANSWER_SIZE) ;
    if (r <= 0) return r ? errno : 0 ;
    answer->len += (size_t)r ;
  }
}

int s4_ask (int (*f) (int, void *), void *data, s4_ms timeout, stralloc *answer)
{
  s4_ms limit = s4_limit(timeout) ;
  int p[2] ;
  int wstat = 0, e ;
  pid_t pid ;
  answer->len = 0 ;
  if (pipecoe(p) == -1) return 0 ;
  pid = s4_fork_worker(p[1], 0) ;
  if (pid == -1)
  {
    fd_close(p[0]) ;
    fd_close(p[1]) ;
    return 0 ;
  }
  if (!pid) _exit(f(p[1], data) & 255) ;
  fd_close(p[1]) ;
  e = hear(p[0], limit, answer) ;
  fd_close(p[0]) ;
  if (!e && !s4_wait(pid, limit, &wstat)) e = ETIMEDOUT ;
  if (e)
  {
    kill(pid, SIGKILL) ;
    return (errno = e, 0) ;
  }
  if (!WIFEXITED(wstat)) return (errno = EOWNERDEAD, 0) ;
  return WEXITSTATUS(wstat) ? (errno = WEXITSTATUS(wstat), 0) : 1 ;
}
