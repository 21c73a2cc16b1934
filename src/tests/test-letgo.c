/* ISC license. */

/* Files are let go, whether they lie on a file system or not. What hangs in that is tested in a virtual machine. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

static int is_open (int fd)
{
  return fcntl(fd, F_GETFD) != -1 ;
}

static int is_same (int a, int b)
{
  struct stat x, y ;
  return fstat(a, &x) != -1 && fstat(b, &y) != -1 && x.st_dev == y.st_dev && x.st_ino == y.st_ino ;
}

static int file (void)
{
  char name[] = "/tmp/stage4-letgo.XXXXXX" ;
  int fd = mkstemp(name) ;
  if (fd == -1) bail_out("unable to make ", name) ;
  unlink(name) ;
  return fd ;
}

static void opening (void)
{
  int null = open("/dev/null", O_RDONLY) ;
  int fd = s4_open_node("/dev/null", O_WRONLY) ;
  ok(is_same(fd, null) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY, "a node is opened for writing") ;
  ok(!(fcntl(fd, F_GETFD) & FD_CLOEXEC), "with no flags but those asked for") ;
  close(fd) ;
  close(null) ;
  fd = open("/dev/null", O_RDONLY) ;
  ok(fd == null, "nothing else stays open") ;
  close(fd) ;
  ok(s4_open_node("/nonexistent/node", O_WRONLY) == -1 && errno == ENOENT, "what is not there is told") ;
}

static void replacing (void)
{
  int old = file(), new = file(), null = open("/dev/null", O_WRONLY) ;
  s4_replace_fd(new, old) ;
  ok(is_same(new, old), "a file by a file") ;
  s4_replace_fd(null, old) ;
  ok(is_same(null, old), "a file by something else") ;
  s4_replace_fd(new, old) ;
  ok(is_same(new, old), "something else by a file") ;
  close(old) ;
  s4_replace_fd(null, old) ;
  ok(is_same(null, old), "nothing by something") ;
  s4_give_up_fd(new) ;
  ok(is_open(new) && s4_fd_kind(new) != S4_FD_FILE, "a file is given up") ;
  ok(waitpid(-1, 0, WNOHANG) == -1 && errno == ECHILD, "no child remains") ;
  close(old) ;
  close(new) ;
  close(null) ;
}

 /* In a child, which tells what it has kept. */

static int is_shed (int with_file)
{
  int fd = file() ;
  int p[2] ;
  if (pipe(p) == -1) return 1 ;
  dup2(p[0], 40) ;
  dup2(p[1], 50) ;
  if (with_file) dup2(fd, 60) ;
  else close(fd) ;
  s4_shed_fds(50) ;
  if (!is_open(50)) return 2 ;
  for (int i = 3 ; i < 100 ; i++) if (i != 50 && i != s4_proc() && is_open(i)) return i ;
  for (int i = 0 ; i < 3 ; i++) if (!is_open(i)) return 3 ;
  return waitpid(-1, 0, WNOHANG) != -1 ;
}

static void shedding (void)
{
  for (int with_file = 0 ; with_file < 2 ; with_file++)
  {
    int wstat = -1 ;
    pid_t pid = fork() ;
    if (pid == -1) bail_out("unable to ", "fork") ;
    if (!pid)
    {
      alarm(50) ;
      _exit(is_shed(with_file)) ;
    }
    waitpid(pid, &wstat, 0) ;
    ok(!wstat, "all is closed but what was to be kept, %s a file (%d)", with_file ? "with" : "without", wstat) ;
  }
}

 /* stdout and stderr may be files that are all right. */

static void staying (void)
{
  int fd = file(), wstat = -1 ;
  struct stat st ;
  pid_t pid = fork() ;
  if (pid == -1) bail_out("unable to ", "fork") ;
  if (!pid)
  {
    alarm(50) ;
    dup2(fd, 1) ;
    dup2(fd, 2) ;
    s4_shed_fds(-1) ;
    _exit(write(1, "out", 3) != 3 || write(2, "err", 3) != 3) ;
  }
  waitpid(pid, &wstat, 0) ;
  ok(!wstat && !fstat(fd, &st) && st.st_size == 6, "they stay, and nothing else is written to them") ;
  close(fd) ;
}

int main (void)
{
  opening() ;
  replacing() ;
  shedding() ;
  staying() ;
  return done() ;
}
