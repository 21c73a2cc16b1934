/*
   hidden PROG...: PROG as pid 1 of a pid, mount and user namespace, in which root is root outside, too, and no procfs
   is in sight, so that the kernel allows none to be mounted. Ends as PROG.
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void die (char const *what)
{
  perror(what) ;
  _exit(111) ;
}

static void end_as (pid_t pid)
{
  int wstat ;
  if (pid == -1 || waitpid(pid, &wstat, 0) != pid) die("wait") ;
  if (WIFEXITED(wstat)) _exit(WEXITSTATUS(wstat)) ;
  signal(WTERMSIG(wstat), SIG_DFL) ;
  raise(WTERMSIG(wstat)) ;
  _exit(128 + WTERMSIG(wstat)) ;
}

static void map (pid_t pid, char const *file)
{
  static char const all[] = "0 0 4294967295" ;
  char name[64] ;
  int fd ;
  snprintf(name, sizeof name, "/proc/%d/%s", (int)pid, file) ;
  fd = open(name, O_WRONLY) ;
  if (fd == -1 || write(fd, all, sizeof all - 1) != sizeof all - 1) die(name) ;
  close(fd) ;
}

static void go (int to, int from, char *const *prog)
{
  char c ;
  pid_t pid ;
  if (unshare(CLONE_NEWNS) || mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) || umount2("/proc", MNT_DETACH)) die("/proc") ;
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)) die("unshare") ;
  if (write(to, "x", 1) != 1 || read(from, &c, 1) != 1) die("pipe") ;
  close(to) ;
  close(from) ;
  pid = fork() ;
  if (pid) end_as(pid) ;
  execvp(prog[0], prog) ;
  die(prog[0]) ;
}

int main (int argc, char *const *argv)
{
  int up[2], down[2] ;
  char c ;
  pid_t pid ;
  if (argc < 2) return 100 ;
  if (pipe(up) || pipe(down)) die("pipe") ;
  pid = fork() ;
  if (!pid) go(up[1], down[0], argv + 1) ;
  close(up[1]) ;
  if (pid == -1 || read(up[0], &c, 1) != 1) die("child") ;
  map(pid, "uid_map") ;
  map(pid, "gid_map") ;
  if (write(down[1], "x", 1) != 1) die("child") ;
  end_as(pid) ;
}
