/* ISC license. */

/* One chain at a time: a name that only one of them can have. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <skalibs/djbunix.h>

#include "stage4.h"

#define LOCK_TIMEOUT 200

 /*
   An abstract name in the kernel needs no file system, survives the pivot, and ends with the last process
   that has it open. Anybody may take a name: it counts only if root listens on it, in our pid namespace.
   Nobody accepts: once the backlog is full it can't be seen any more who listens.
 */

static struct sockaddr_un const lock_name = { .sun_family = AF_UNIX, .sun_path = "\0stage4-chain" } ;
#define LOCK_NAMELEN ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof "\0stage4-chain" - 1))

static int is_of_our_machine (pid_t pid)
{
  struct stat its, ours ;
  char name[S4_PROCNAME] ;
  s4_proc_name(name, pid, "/ns/pid") ;
  return !fstatat(s4_proc(), name, &its, 0) && !fstatat(s4_proc(), "self/ns/pid", &ours, 0)
   && its.st_ino == ours.st_ino ;
}

 /* answered: somebody listens there, whoever it is */

static int is_chain_under_way (int *answered)
{
  struct ucred peer = { .pid = 0, .uid = 1 } ;
  socklen_t len = sizeof peer ;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) ;
  int connected = fd != -1 && !connect(fd, (struct sockaddr const *)&lock_name, LOCK_NAMELEN) ;
  int known = connected && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ;
  *answered = connected || errno == EAGAIN ;
  if (fd != -1) fd_close(fd) ;
  return known && !peer.uid && is_of_our_machine(peer.pid) ;
}

 /* The socket stays open, for all that follow. */

static int lock = -1 ;

static int take_lock (void)
{
  lock = socket(AF_UNIX, SOCK_STREAM, 0) ;
  if (lock == -1) return 0 ;
  if (!bind(lock, (struct sockaddr const *)&lock_name, LOCK_NAMELEN) && !listen(lock, INT_MAX)) return 1 ;
  fd_close(lock) ;
  lock = -1 ;
  return 0 ;
}

 /* 0: another chain has it. One that has the name already may be just about to listen. */

int s4_lock_chain (void)
{
  s4_ms const until = s4_now() + LOCK_TIMEOUT ;
  int answered = 0 ;
  while (!take_lock())
  {
    int e = errno ;
    if (is_chain_under_way(&answered) && getpid() != 1) return 0 ;
    if (!answered && e == EADDRINUSE && s4_now() < until)
    {
      s4_poll(0, 0, s4_now() + S4_TICK) ;
      continue ;
    }
    s4_warnerr(e, "unable to keep other chains from beginning") ;
    break ;
  }
  return 1 ;
}

 /* Who listens is who has called listen(2) last (net/unix/af_unix.c:init_peercred). */

void s4_lock_is_mine (void)
{
  if (lock >= 0) listen(lock, INT_MAX) ;
}

int s4_lock_fd (void)
{
  return lock ;
}
