/* ISC license. */

/* What files are, as it is found out without asking their file system. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

static char const *const names[] = { [S4_FD_CLOSED] = "closed", [S4_FD_KMSG] = "kmsg", [S4_FD_FILE] = "file",
  [S4_FD_STREAM] = "stream" } ;

static void kind (int fd, enum s4_fdkind_e wanted, char const *what)
{
  is_string(names[s4_fd_kind(fd)], names[wanted], what) ;
  if (fd > 2) close(fd) ;
}

int main (void)
{
  int p[2] ;
  char name[] = "/tmp/stage4-fdkind.XXXXXX" ;
  if (pipe(p) == -1) bail_out("unable to ", "pipe") ;
  kind(p[0], S4_FD_STREAM, "the end of a pipe that is read") ;
  kind(p[1], S4_FD_STREAM, "the one that is written to") ;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == -1) bail_out("unable to ", "socketpair") ;
  kind(p[0], S4_FD_STREAM, "a socket") ;
  kind(open("/dev/null", O_WRONLY), S4_FD_STREAM, "/dev/null") ;
  kind(open("/", O_RDONLY), S4_FD_FILE, "a directory") ;
  kind(open("/proc/version", O_RDONLY), S4_FD_FILE, "a file of /proc") ;
  p[0] = mkstemp(name) ;
  if (p[0] == -1) bail_out("unable to make ", name) ;
  p[1] = open(name, O_WRONLY | O_APPEND) ;
  kind(p[0], S4_FD_FILE, "a file") ;
  kind(p[1], S4_FD_FILE, "one that is appended to") ;
  unlink(name) ;
  if (!mkfifo(name, 0600)) kind(open(name, O_RDWR), S4_FD_STREAM, "a named pipe") ;
  unlink(name) ;
  kind(p[0], S4_FD_CLOSED, "nothing") ;
  kind(-1, S4_FD_CLOSED, "no number") ;
  p[0] = open("/dev/kmsg", O_WRONLY) ;
  if (p[0] == -1) ok(1, "the kernel log # SKIP not for nobody") ;
  else kind(p[0], S4_FD_KMSG, "the kernel log") ;
  return done() ;
}
