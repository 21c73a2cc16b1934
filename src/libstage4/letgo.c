/* ISC license. */

/*
  Letting go of files. close(2), and dup2(2) onto an open file, may flush, which on a file system that hangs lasts
  for ever, hears no signal, and comes back at the end of every process that has the file open. But both take it
  out of the table of fds before that; so a child does it that shares ours.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/types.h>

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

static void change_by_children (struct change *c)
{
  static char stack[STACK_SIZE] __attribute__((aligned(16))) ;
  for (unsigned int i = 0 ; i < TRIES ; i++)
  {
    pid_t pid = clone(&change_in_child, stack + STACK_SIZE, CLONE_FILES | SIGCHLD, c) ;
    if (pid == -1)
    {
      change(c) ;
      return ;
    }
    if (ends_soon(pid)) return ;
    kill(pid, SIGKILL) ;
  }
}

void s4_replace_fd (int new, int fd)
{
  struct change c = { .fd = fd, .new = new } ;
  if (s4_fd_kind(fd) == S4_FD_FILE) change_by_children(&c) ;
  else change(&c) ;
}

void s4_give_up_fd (int fd)
{
  int new = open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC) ;
  if (new == -1) new = open("/dev/null", O_WRONLY | O_CLOEXEC) ;
  if (new == -1) return ;
  s4_replace_fd(new, fd) ;
  close(new) ;
}

 /* --- what was inherited --- */

static int inherited_files (int keep)
{
  int listing = openat(s4_proc(), "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  DIR *dir = listing == -1 ? 0 : fdopendir(listing) ;
  struct dirent *d ;
  int found = 0 ;
  if (!dir) return 1 ;
  while (!found && (d = readdir(dir)))
  {
    unsigned int fd ;
    if (!uint0_scan(d->d_name, &fd) || fd < 3 || (int)fd == listing || (int)fd == keep || (int)fd == s4_proc())
      continue ;
    found = s4_fd_kind((int)fd) == S4_FD_FILE ;
  }
  closedir(dir) ;
  return found ;
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
  if (inherited_files(keep)) change_by_children(&c) ;
  else change(&c) ;
  for (int fd = 0 ; fd < 3 ; fd++) files |= s4_fd_kind(fd) == S4_FD_FILE ;
  if (!files || can_end()) return ;
  for (int fd = 0 ; fd < 3 ; fd++) if (s4_fd_kind(fd) == S4_FD_FILE) s4_give_up_fd(fd) ;
  s4_warn("a file system that stdin, stdout or stderr lies on hangs: the kernel log instead") ;
}
