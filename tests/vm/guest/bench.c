/*
   For tools/bench: loads for the programs, and the bare system calls that they are measured against.

   bench time LABEL PROG...       runs it, and prints "bench LABEL MICROSECONDS"
   bench calls LABEL PROG...      the same with the number of system calls, of its children, too
   bench then PROG...             executes it, and does nothing else
   bench nothing                  does nothing
   bench sleepers N FILE          N processes that end at SIGTERM; their pids into FILE
   bench end FILE                 SIGTERM to these, and waits until all are gone
   bench mount N DIR              N tmpfs below DIR
   bench umount N DIR             reads the mount table, as everybody has to, and away with them
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fail (char const *what)
{
  perror(what) ;
  return 111 ;
}

static long long now (void)
{
  struct timespec t ;
  clock_gettime(CLOCK_MONOTONIC, &t) ;
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000 ;
}

static int time_it (char const *label, char **prog)
{
  long long const start = now() ;
  int wstat ;
  pid_t pid = fork() ;
  if (!pid)
  {
    execvp(prog[0], prog) ;
    _exit(fail(prog[0])) ;
  }
  if (pid == -1 || waitpid(pid, &wstat, 0) != pid) return fail(prog[0]) ;
  printf("bench %s %lld\n", label, now() - start) ;
  return wstat ? 1 : 0 ;
}

static int run (char **prog)
{
  execvp(prog[0], prog) ;
  return fail(prog[0]) ;
}

static int is_call (pid_t pid)
{
  struct __ptrace_syscall_info info ;
  return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY ;
}

/* Each new process stops once before it does anything; the first one with the signal of its exec. */
static int count_calls (char const *label, char **prog)
{
  long const options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC ;
  unsigned long calls = 0 ;
  int wstat, code = 1 ;
  pid_t pid ;
  pid_t const first = fork() ;
  if (!first)
  {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1) _exit(fail("ptrace")) ;
    _exit(run(prog)) ;
  }
  if (first == -1 || waitpid(first, &wstat, 0) != first || !WIFSTOPPED(wstat)) return fail(prog[0]) ;
  if (ptrace(PTRACE_SETOPTIONS, first, 0, options) == -1 || ptrace(PTRACE_SYSCALL, first, 0, 0) == -1) return fail("ptrace") ;
  while ((pid = waitpid(-1, &wstat, __WALL)) > 0)
  {
    int signal = 0 ;
    if (pid == first && !WIFSTOPPED(wstat)) code = wstat ;
    if (!WIFSTOPPED(wstat)) continue ;
    if (WSTOPSIG(wstat) == (SIGTRAP | 0x80)) calls += is_call(pid) ;
    else if (!(wstat >> 16) && WSTOPSIG(wstat) != SIGSTOP) signal = WSTOPSIG(wstat) ;
    ptrace(PTRACE_SYSCALL, pid, 0, signal) ;
  }
  printf("bench %s %lu\n", label, calls) ;
  return !!code ;
}

static int sleepers (unsigned int n, char const *file)
{
  FILE *f = fopen(file, "w") ;
  if (!f) return fail(file) ;
  while (n--)
  {
    pid_t pid = fork() ;
    if (!pid) for (;;) pause() ;
    if (pid == -1) return fail("fork") ;
    fprintf(f, "%d\n", pid) ;
  }
  return fclose(f) ? fail(file) : 0 ;
}

static int end_all (char const *file)
{
  static struct pollfd x[100000] ;
  struct rlimit const files = { 1048576, 1048576 } ;
  unsigned int n = 0 ;
  int pid ;
  FILE *f = fopen(file, "r") ;
  if (!f) return fail(file) ;
  setrlimit(RLIMIT_NOFILE, &files) ;
  while (fscanf(f, "%d", &pid) == 1) x[n++].fd = (int)syscall(SYS_pidfd_open, pid, 0) ;
  for (unsigned int i = 0 ; i < n ; i++) syscall(SYS_pidfd_send_signal, x[i].fd, SIGTERM, 0, 0) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    x[i].events = POLLIN ;
    poll(x + i, 1, -1) ;
  }
  return 0 ;
}

static int read_table (void)
{
  static char buf[65536] ;
  int fd = open("/proc/self/mountinfo", O_RDONLY) ;
  ssize_t r ;
  if (fd == -1) return 0 ;
  while ((r = read(fd, buf, sizeof buf)) > 0) ;
  close(fd) ;
  return r == 0 ;
}

static int each_mount (unsigned int n, char const *dir, int away)
{
  char path[256] ;
  mkdir(dir, 0755) ;
  if (away && !read_table()) return fail("mountinfo") ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    snprintf(path, sizeof path, "%s/%u", dir, away ? n - 1 - i : i) ;
    if (away ? umount2(path, UMOUNT_NOFOLLOW) : (mkdir(path, 0755), mount("bench", path, "tmpfs", 0, 0))) return fail(path) ;
  }
  return 0 ;
}

int main (int argc, char **argv)
{
  char const *what = argc > 2 ? argv[1] : "" ;
  if (argc > 3 && !strcmp(what, "time")) return time_it(argv[2], argv + 3) ;
  if (argc > 3 && !strcmp(what, "calls")) return count_calls(argv[2], argv + 3) ;
  if (argc > 2 && !strcmp(what, "then")) return run(argv + 2) ;
  if (argc == 2 && !strcmp(argv[1], "nothing")) return 0 ;
  if (argc == 4 && !strcmp(what, "sleepers")) return sleepers((unsigned int)atoi(argv[2]), argv[3]) ;
  if (argc == 3 && !strcmp(what, "end")) return end_all(argv[2]) ;
  if (argc == 4 && !strcmp(what, "mount")) return each_mount((unsigned int)atoi(argv[2]), argv[3], 0) ;
  if (argc == 4 && !strcmp(what, "umount")) return each_mount((unsigned int)atoi(argv[2]), argv[3], 1) ;
  fputs("usage: see the source\n", stderr) ;
  return 100 ;
}
