/* ISC license. */

/* Questions that may block: children answer them through a pipe. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define ANSWER_SIZE 4096  /* of an answer, read at once */

 /* --- one child, an answer of any length --- */

int s4_answer (int fd, void const *s, size_t n)
{
  return allwrite(fd, s, n) == n ? 0 : errno ;
}

int s4_answer_word (int fd, char const *word)
{
  int e = s4_answer(fd, " ", 1) ;
  return e ? e : s4_answer(fd, word, strlen(word)) ;
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

 /* --- a child for each question, one limit for all --- */

struct answer   /* shorter than PIPE_BUF: it comes in one piece, and none gets between */
{
  unsigned int i ;
  char text[S4_ANSWER_MAX] ;
} ;

static void answer (int fd, unsigned int i, s4_tell_func *tell, void *data)
{
  stralloc sa = STRALLOC_ZERO ;
  struct answer a = { .i = i } ;
  tell(i, &sa, data) ;
  if (sa.len) memcpy(a.text, sa.s, sa.len < S4_ANSWER_MAX ? sa.len : S4_ANSWER_MAX - 1) ;
  s4_answer(fd, &a, sizeof a) ;
}

static void hear_each (int fd, s4_ms until, char (*answers)[S4_ANSWER_MAX])
{
  struct pollfd x = { .fd = fd, .events = POLLIN } ;
  struct answer a ;
  while (s4_poll(&x, 1, until) > 0 && fd_read(fd, (char *)&a, sizeof a) == sizeof a)
    memcpy(answers[a.i], a.text, sizeof a.text) ;
}

void s4_ask_each (unsigned int n, s4_tell_func *tell, void *data, s4_ms until, char (*answers)[S4_ANSWER_MAX])
{
  pid_t children[n + 1] ;
  int p[2] ;
  memset(answers, 0, n * sizeof *answers) ;
  if (!n || pipecoe(p) == -1) return ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    children[i] = s4_fork_worker(p[1], 0) ;
    if (children[i]) continue ;
    answer(p[1], i, tell, data) ;
    _exit(0) ;
  }
  fd_close(p[1]) ;
  hear_each(p[0], until, answers) ;
  fd_close(p[0]) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    int wstat ;
    if (children[i] > 0 && !s4_wait(children[i], 0, &wstat)) kill(children[i], SIGKILL) ;
  }
}
