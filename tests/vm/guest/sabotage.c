/*
  Faults that come while a chain is under way:

    sabotage kill NAME, sabotage stop NAME   as soon as there is a process of that name: SIGKILL or SIGSTOP for it
    sabotage flow DEVICE                     a terminal whose output is stopped, as by ^S

  The first two say "ready" when they have begun to look. Names are cut to 15 letters, as the kernel does. Who has
  STAGE4_WALK in its environment only checks its options.
*/

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static ssize_t get (char const *pid, char const *file, char *buf, size_t size)
{
  char path[300] ;
  ssize_t r = -1 ;
  int fd ;
  snprintf(path, sizeof path, "/proc/%s/%s", pid, file) ;
  fd = open(path, O_RDONLY | O_CLOEXEC) ;
  if (fd != -1)
  {
    r = read(fd, buf, size - 1) ;
    close(fd) ;
  }
  buf[r > 0 ? r : 0] = 0 ;
  return r ;
}

static int is_named (char const *pid, char const *name)
{
  char comm[32] ;
  ssize_t r = get(pid, "comm", comm, sizeof comm) ;
  if (r > 0) comm[r-1] = 0 ;
  return r > 0 && !strncmp(comm, name, 15) && strlen(comm) == strnlen(name, 15) ;
}

static int is_walking (char const *pid)
{
  static char const variable[] = "STAGE4_WALK=" ;
  char env[65536] ;
  ssize_t r = get(pid, "environ", env, sizeof env) ;
  return r <= 0 || memmem(env, (size_t)r, variable, sizeof variable - 1) ;   /* in the middle of execve(2): not yet known */
}

static pid_t find (char const *name)
{
  DIR *proc = opendir("/proc") ;
  struct dirent *d ;
  pid_t pid = 0 ;
  while (proc && !pid && (d = readdir(proc)))
    if (strspn(d->d_name, "0123456789") == strlen(d->d_name) && is_named(d->d_name, name) && !is_walking(d->d_name))
      pid = atoi(d->d_name) ;
  if (proc) closedir(proc) ;
  return pid ;
}

static int send (char const *name, int sig)
{
  struct sched_param const p = { .sched_priority = 1 } ;
  struct timespec const nap = { .tv_nsec = 1000000 } ;
  pid_t pid ;
  sched_setscheduler(0, SCHED_FIFO, &p) ;
  (void)!write(1, "ready\n", 6) ;
  while (!(pid = find(name))) nanosleep(&nap, 0) ;
  kill(pid, sig) ;
  return 0 ;
}

int main (int argc, char const *const *argv)
{
  signal(SIGPIPE, SIG_IGN) ;
  if (argc == 3 && !strcmp(argv[1], "kill")) return send(argv[2], SIGKILL) ;
  if (argc == 3 && !strcmp(argv[1], "stop")) return send(argv[2], SIGSTOP) ;
  if (argc == 3 && !strcmp(argv[1], "flow"))
  {
    int fd = open(argv[2], O_RDWR | O_NOCTTY | O_NONBLOCK) ;
    return fd == -1 || tcflow(fd, TCOOFF) == -1 ? 111 : 0 ;
  }
  fputs("usage: sabotage kill NAME | stop NAME | flow DEVICE\n", stderr) ;
  return 100 ;
}
