/* ISC license. */

/* Several questions at once: a child for each, side by side, and one limit for all. */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

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

static void hear (int fd, s4_ms until, char (*answers)[S4_ANSWER_MAX])
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
  hear(p[0], until, answers) ;
  fd_close(p[0]) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    int wstat ;
    if (children[i] > 0 && !s4_wait(children[i], 0, &wstat)) kill(children[i], SIGKILL) ;
  }
}
