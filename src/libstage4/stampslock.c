/* ISC license. */

/*
  The state directory of stage4-runonce is made, and kept from others, by a child: no other process inherits the lock,
  and a disk that hangs doesn't hold us up. If we are killed, what we have started goes on; so does the lock, until that
  has ended.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>

#include "stage4.h"

#define DEATH_TIMEOUT 1000

 /* What was made must not be gone after a power cut, with all that will be in it. */

static int open_made (char const *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd != -1 || errno != ENOENT) return fd ;
  if (!s4_make_path(dir)) return -1 ;
  fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd == -1 || !syncfs(fd)) return fd ;
  fd_close(fd) ;
  return -1 ;
}

 /* It isn't our child, and may end at any time; without pidfds its number may get another's, and is waited for, too. */

static void await_death (pid_t pid, int pidfd)
{
  struct pollfd x = { .fd = pidfd, .events = POLLIN } ;
  if (pidfd >= 0) while (poll(&x, 1, -1) == -1) ;
  else while (!kill(pid, 0)) poll(0, 0, S4_SLOW) ;
}

 /* Its parent tells who is at work, and ends it when nobody is. If the parent ends instead, who is at work still is. */

static void keep_lock (int fd)
{
  pid_t pid, now = 0 ;
  int pidfd = -1 ;
  prctl(PR_SET_PDEATHSIG, 0) ;
  while (fd_read(fd, (char *)&pid, sizeof pid) == sizeof pid)
  {
    now = pid ;
    if (pidfd >= 0) close(pidfd) ;
    pidfd = s4_pidfd(now) ;
  }
  if (now) await_death(now, pidfd) ;
}

 /*
   vfat counts what is in a directory that was made since the mount as its parent's (fs/fat/dir.c:fat_alloc_new_dir):
   fsync(2) of the directory writes none of it, until there was one of the parent.
 */

static void sync_parent (int dir)
{
  int fd = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd == -1) return ;
  fsync(fd) ;
  fd_close(fd) ;
}

 /* Says EWOULDBLOCK once, if there is somebody; then 0 or an errno; then it only has it. */

static void hold_lock (int fd, char const *dir)
{
  int d = open_made(dir) ;
  unsigned char e = d == -1 ? (unsigned char)errno : 0 ;
  if (!e && flock(d, LOCK_EX | LOCK_NB) == -1)
  {
    e = (unsigned char)errno ;
    if (e == EWOULDBLOCK)
    {
      s4_answer(fd, &e, 1) ;
      e = flock(d, LOCK_EX) == -1 ? (unsigned char)errno : 0 ;
    }
  }
  if (!e) sync_parent(d) ;
  if (!s4_answer(fd, &e, 1) && !e) keep_lock(fd) ;
  _exit(0) ;
}

 /* 0 or an errno; ETIMEDOUT: the directory itself can't be reached */

static int await_lock (int fd, char const *dir, s4_ms limit)
{
  struct pollfd x = { .fd = fd, .events = POLLIN } ;
  s4_ms const begun = s4_now() ;
  unsigned char e = 0 ;
  for (;;)
  {
    s4_ms const next = s4_now() + S4_SLOW ;
    int r = s4_poll(&x, 1, next < limit ? next : limit) ;
    if (r > 0 && (fd_read(fd, (char *)&e, 1) != 1)) return EOWNERDEAD ;
    if (r > 0 && e != EWOULDBLOCK) return e ;
    if (s4_now() >= limit) return e ? e : ETIMEDOUT ;
    if (!r && e) s4_info("waiting for another stage4-runonce in ", dir, ", ", S4_MS(s4_now() - begun)) ;
  }
}

int s4_stamps_lock (s4_stampslock *x, char const *dir, s4_ms timeout)
{
  int p[2], e ;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == -1) return 0 ;
  x->holder = s4_fork_worker(p[1], 0) ;
  if (!x->holder) hold_lock(p[1], dir) ;
  e = errno ;
  fd_close(p[1]) ;
  x->fd = p[0] ;
  if (x->holder == -1) fd_close(p[0]) ;
  else e = await_lock(p[0], dir, s4_limit(timeout)) ;
  if (e && x->holder != -1) s4_stamps_unlock(x) ;
  return e ? (errno = e, 0) : 1 ;
}

void s4_stamps_lock_with (s4_stampslock const *x, pid_t pid)
{
  allwrite(x->fd, (char const *)&pid, sizeof pid) ;
}

void s4_stamps_unlock (s4_stampslock const *x)
{
  int wstat ;
  fd_close(x->fd) ;
  kill(x->holder, SIGKILL) ;   /* it may be waiting for the lock, or for the disk */
  s4_wait(x->holder, s4_now() + DEATH_TIMEOUT, &wstat) ;
}
