/* ISC license. */

/*
  Directories that are opened to be held. To open one may mean to mount it, and to wait for that, or for a server that
  is dead: a child for each does it, all of them side by side, and hands the fd over.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include <skalibs/ancil.h>
#include <skalibs/djbunix.h>

#include "stage4.h"

#define SIGN 'd'   /* of the message that carries the fd */

struct opener { pid_t pid ; int socket ; } ;

 /*
   Without O_PATH, which triggers no automount. What is on autofs itself after that has nothing mounted on it, or is the
   directory of an indirect map: to hold it would keep nothing there.
 */

static int open_dir (char const *dir, int to)
{
  struct statfs fs ;
  int fd = open(dir, O_RDONLY | O_DIRECTORY) ;
  if (fd == -1 || fstatfs(fd, &fs) == -1) return errno ;
  if (fs.f_type == AUTOFS_SUPER_MAGIC) return S4_STILL_AUTOFS ;
  return ancil_send_fd(to, fd, SIGN) ? 0 : errno ;
}

static int opener_start (struct opener *o, char const *dir)
{
  int s[2] ;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == -1) return errno ;
  o->pid = s4_fork_worker(s[1], 0) ;
  if (!o->pid) _exit(open_dir(dir, s[1]) & 255) ;
  fd_close(s[1]) ;
  o->socket = s[0] ;
  if (o->pid > 0) return 0 ;
  fd_close(s[0]) ;
  return errno ;
}

 /* Its end of the socket closes with its death, whatever that was of. */

static int opener_result (struct opener const *o, int *fd, s4_ms until)
{
  struct pollfd x = { .fd = o->socket, .events = POLLIN } ;
  int wstat ;
  int const r = s4_poll(&x, 1, until) ;
  if (r <= 0)
  {
    int const e = r ? errno : ETIMEDOUT ;
    kill(o->pid, SIGKILL) ;
    return e ;
  }
  *fd = ancil_recv_fd(o->socket, SIGN) ;
  if (!s4_wait(o->pid, until, &wstat) && *fd < 0) return ETIMEDOUT ;
  if (*fd >= 0) return uncoe(*fd) == -1 ? errno : 0 ;
  return WIFEXITED(wstat) && WEXITSTATUS(wstat) ? WEXITSTATUS(wstat) : EOWNERDEAD ;
}

int s4_hold_dirs (s4_held *held, unsigned int n, s4_ms timeout)
{
  s4_ms const until = s4_limit(timeout) ;
  struct opener opener[n + 1] ;
  int all = 1 ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    held[i].fd = -1 ;
    held[i].err = opener_start(opener + i, held[i].dir) ;
  }
  for (unsigned int i = 0 ; i < n ; i++)
  {
    if (!held[i].err)
    {
      held[i].err = opener_result(opener + i, &held[i].fd, until) ;
      fd_close(opener[i].socket) ;
    }
    all &= !held[i].err ;
  }
  return all ;
}
