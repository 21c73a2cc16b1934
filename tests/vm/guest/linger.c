/*
   What outlives its process, by some milliseconds: a reference to FILE that the kernel lets go of later.
   linger inflight FILE PROG...: an open file in flight, in a socket that was sent over itself
   linger uring FILE PROG...: an open file that is registered with an io_uring
   A child that has it is killed, and as soon as it has ended PROG is executed.
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/io_uring.h>

/* Both ends over the one: only the garbage collector of the kernel finds out that nobody has them any more. */
static int inflight (int fd)
{
  union { struct cmsghdr h ; char room[CMSG_SPACE(3 * sizeof(int))] ; } control = { .h = { .cmsg_len = 0 } } ;
  struct iovec v = { .iov_base = "x", .iov_len = 1 } ;
  struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room } ;
  int fds[3] ;
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == -1) return 0 ;
  fds[2] = fd ;
  control.h.cmsg_level = SOL_SOCKET ;
  control.h.cmsg_type = SCM_RIGHTS ;
  control.h.cmsg_len = CMSG_LEN(sizeof fds) ;
  memcpy(CMSG_DATA(&control.h), fds, sizeof fds) ;
  return sendmsg(fds[0], &m, 0) == 1 ;
}

static int uring (int fd)
{
  struct io_uring_params p = { .flags = 0 } ;
  int ring = (int)syscall(SYS_io_uring_setup, 1, &p) ;
  return ring >= 0 && !syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) ;
}

static int hold (char const *kind, char const *file)
{
  int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644) ;
  if (fd == -1) return 0 ;
  return (strcmp(kind, "uring") ? inflight(fd) : uring(fd)) && !close(fd) ;
}

int main (int argc, char *const *argv)
{
  int wstat = 0 ;
  pid_t pid ;
  if (argc < 4) return 100 ;
  pid = fork() ;
  if (!pid)
  {
    if (hold(argv[1], argv[2])) raise(SIGKILL) ;
    perror("linger") ;
    return 111 ;
  }
  if (pid == -1 || waitpid(pid, &wstat, 0) == -1 || !WIFSIGNALED(wstat)) return 111 ;
  execvp(argv[3], argv + 3) ;
  perror(argv[3]) ;
  return 111 ;
}
