/* ISC license. */

/*
  Letting go of files. close(2), and dup2(2) onto an open file, may flush, which on a file system that hangs lasts
  for ever, hears no signal, and comes back at the end of every process that has the file open. But both take it
  out of the table of fds before that; so a child does it that shares ours.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/djbunix.h>

#include "stage4.h"

#define PATIENCE 200      /* for one file that hangs ... */
#define TRIES 5           /* ... and for so many of them */
#define PROBE 1000
#define STACK_SIZE 65536

struct change
{
  int fd, new ;    /* dup2(new, fd), or, with fd -1: */
  int keep ;       /* s4_close_all_but(keep, -1) */
} ;

static void change (struct change const *c)
{
  if (c->fd >= 0) dup2(c->new, c->fd) ;
  else s4_close_all_but(c->keep, -1) ;
}

static int change_in_child (void *data)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL) ;
  if (s4.marker) *s4.marker = '@' ;
  change(data) ;
  return 0 ;
}

 /* Opens nothing: the child would close it. */

static int ends_soon (pid_t pid)
{
  s4_ms const limit = s4_now() + PATIENCE ;
  for (;;)
  {
    pid_t r = waitpid(pid, 0, WNOHANG) ;
    if (r == pid || (r == -1 && errno != EINTR)) return 1 ;
    if (s4_now() >= limit) return 0 ;
    poll(0, 0, 1) ;
  }
}

 /* A child that hangs has got rid of one file; the next one goes on after it. */

static int change_by_children (struct change *c)
{
  static char stack[STACK_SIZE] __attribute__((aligned(16))) ;
  for (unsigned int i = 0 ; i < TRIES ; i++)
  {
    pid_t pid = clone(&change_in_child, stack + STACK_SIZE, CLONE_FILES | SIGCHLD, c) ;
    if (pid == -1)
    {
      change(c) ;
      return 1 ;
    }
    if (ends_soon(pid)) return 1 ;
    kill(pid, SIGKILL) ;
  }
  return 0 ;
}

 /*
   A serial line waits for up to half a minute until the other end has taken what was written
   (tty_port_close_start()), a socket for as long as it was told.
 */

static int close_may_hang (int fd)
{
  struct linger l = { .l_onoff = 0 } ;
  socklen_t len = sizeof l ;
  switch (s4_fd_kind(fd))
  {
    case S4_FD_FILE : return 1 ;
    case S4_FD_STREAM : return isatty(fd) || (!getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) && l.l_onoff) ;
    default : return 0 ;
  }
}

void s4_replace_fd (int new, int fd)
{
  struct change c = { .fd = fd, .new = new } ;
  if (close_may_hang(fd)) change_by_children(&c) ;
  else change(&c) ;
}

void s4_give_up_fd (int fd)
{
  int new = s4.container ? -1 : s4_open_device("/dev/kmsg", O_WRONLY | O_NOCTTY) ;   /* it is the machine's */
  if (new == -1) new = s4_open_device("/dev/null", O_WRONLY) ;
  if (new == -1) return ;
  s4_replace_fd(new, fd) ;
  close(new) ;
}

 /* --- what was inherited --- */

static int may_close (int fd, void *data)
{
  int const *keep = data ;
  return fd < 3 || fd == *keep || !close_may_hang(fd) ;
}

 /* Does before its end what would happen in it: there its mark, and so who it is, could not be seen any more. */

static int can_end (void)
{
  int wstat ;
  pid_t pid = s4_fork_worker(-1, 0) ;
  if (!pid)
  {
    for (int fd = 0 ; fd < 3 ; fd++) close(fd) ;
    _exit(0) ;
  }
  return pid == -1 || s4_wait(pid, s4_now() + PROBE, &wstat) ;
}

void s4_shed_fds (int keep)
{
  struct change c = { .fd = -1, .keep = keep } ;
  int files = 0 ;
  if (s4_proc_fds(&may_close, &keep) == 1) change(&c) ;
  else if (!change_by_children(&c)) s4_warn("too many open files hang when they are closed, some stay open") ;
  for (int fd = 0 ; fd < 3 ; fd++) files |= s4_fd_kind(fd) == S4_FD_FILE ;
  if (!files || can_end()) return ;
  for (int fd = 0 ; fd < 3 ; fd++) if (s4_fd_kind(fd) == S4_FD_FILE) s4_give_up_fd(fd) ;
  s4_warn("a file system that stdin, stdout or stderr lies on hangs: the kernel log instead") ;
}

 /* --- what points into the old root --- */

 /* Not closed while it is the file, if there is anything to put in its place: that may hang. */

static void let_go (int fd)
{
  int const output = fd == 1 || fd == 2 ;
  int new = output ? s4_open_output("/dev/console") : -1 ;
  if (new == -1) new = s4_open_device("/dev/null", output ? O_WRONLY : O_RDONLY) ;
  if (new >= 0)
  {
    s4_replace_fd(new, fd) ;
    close(new) ;
  }
  if (new == -1 || fd > 2) close(fd) ;
}

struct release
{
  s4_mounts ms ;
  char const *old ;
} ;

static int release (int fd, void *data)
{
  struct release const *r = data ;
  int id = s4_mount_id(fd) ;
  int i = id > 0 && fd != s4.watchdog ? s4_mounts_find(&r->ms, (unsigned int)id) : -1 ;
  if (i == -1 || !s4_lies_below(r->ms.m[i].dir, r->old)) return 1 ;
  let_go(fd) ;
  s4_verbose("let go of fd ", S4_NUM(fd)) ;
  return 1 ;
}

void s4_release_fds (char const *old)
{
  struct release r = { .ms = S4_MOUNTS_ZERO, .old = old } ;
  if (!s4_mounts_load(&r.ms) || s4_proc_fds(&release, &r) == -1)
    s4_warnsys("unable to look for file descriptors that point into the old root") ;
}
