/*
   What stage4-begin should mend, and a look at it.

     fitness spoil KIND PROG...   executes PROG with what hinders it; KIND: realtime, idle, or nice
     fitness look                 "name value" of this process, a line each
     fitness child PROG...        its pid, after starting PROG, which is to end with it; ends when there is /parent-ends
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IO_PROCESS 1             /* include/uapi/linux/ioprio.h */
#define IO_IDLE (3 << 13)
#define IO_REALTIME (1 << 13)

static struct { char const *name ; int resource ; rlim_t spoilt ; } const limits[] =
{
  { "cpu", RLIMIT_CPU, 1000 }, { "fsize", RLIMIT_FSIZE, 1 << 20 },
  { "as", RLIMIT_AS, 1 << 28 }, { "data", RLIMIT_DATA, 1 << 28 }, { "nproc", RLIMIT_NPROC, 100 },
  { "core", RLIMIT_CORE, 1 << 20 }, { "files", RLIMIT_NOFILE, 64 },
} ;
#define LIMITS (sizeof limits / sizeof *limits)

static int spoil (char const *kind, char *const *prog)
{
  struct sched_param const none = { .sched_priority = 0 }, some = { .sched_priority = 50 } ;
  int io = IO_IDLE ;
  sigset_t all ;
  sigfillset(&all) ;
  sigprocmask(SIG_SETMASK, &all, 0) ;
  umask(0) ;
  for (size_t i = 0 ; i < LIMITS ; i++)
    if (setrlimit(limits[i].resource, &(struct rlimit){ limits[i].spoilt, limits[i].spoilt })) return 111 ;
  if (!strcmp(kind, "nice") && setpriority(PRIO_PROCESS, 0, 19)) return 111 ;
  if (!strcmp(kind, "idle") && sched_setscheduler(0, SCHED_IDLE, &none)) return 111 ;
  if (!strcmp(kind, "realtime"))
  {
    io = IO_REALTIME ;
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &some)) return 111 ;
  }
  if (syscall(SYS_ioprio_set, IO_PROCESS, 0, io)) return 111 ;
  for (int fd = 20 ; fd < 30 ; fd++) dup2(open("/", O_RDONLY), fd) ;
  execvp(prog[0], prog) ;
  return 127 ;
}

static void look_at_signals (void)
{
  sigset_t set ;
  int blocked = 0, pdeath = 0 ;
  struct sigaction sa ;
  printf("ignored") ;
  for (int sig = 1 ; sig < 32 ; sig++) if (!sigaction(sig, 0, &sa) && sa.sa_handler == SIG_IGN) printf(" %d", sig) ;
  sigprocmask(SIG_SETMASK, 0, &set) ;
  for (int sig = 1 ; sig < 65 ; sig++) blocked += sigismember(&set, sig) == 1 ;
  prctl(PR_GET_PDEATHSIG, &pdeath) ;
  printf("\nblocked %d\npdeathsig %d\n", blocked, pdeath) ;
}

static void look_at_files (void)
{
  printf("open") ;
  for (int fd = 3 ; fd < 100 ; fd++) if (fcntl(fd, F_GETFD) != -1) printf(" %d", fd) ;
  printf("\n") ;
}

static int look (void)
{
  mode_t const mask = umask(022) ;
  look_at_files() ;
  look_at_signals() ;
  printf("umask %03o\npolicy %d\nnice %d\nioprio %ld\n", (unsigned int)mask, sched_getscheduler(0),
    getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, IO_PROCESS, 0) >> 13) ;
  printf("session %d\nterminal %d\n", getsid(0) == getpid(), open("/dev/tty", O_RDWR | O_NOCTTY) >= 0) ;
  for (size_t i = 0 ; i < LIMITS ; i++)
  {
    struct rlimit rl ;
    getrlimit(limits[i].resource, &rl) ;
    printf("%s %lld %lld\n", limits[i].name, (long long)rl.rlim_cur, (long long)rl.rlim_max) ;
  }
  return 0 ;
}

static int child (char *const *prog)
{
  int p[2] ;
  char c ;
  pid_t pid ;
  if (pipe2(p, O_CLOEXEC)) return 111 ;
  pid = fork() ;
  if (!pid)
  {
    prctl(PR_SET_PDEATHSIG, SIGKILL) ;
    execvp(prog[0], prog) ;
    _exit(127) ;
  }
  close(p[1]) ;
  if (read(p[0], &c, 1)) return 111 ;
  printf("%d\n", (int)pid) ;
  fflush(stdout) ;
  while (access("/parent-ends", F_OK)) usleep(10000) ;
  return 0 ;
}

int main (int argc, char *const *argv)
{
  if (argc > 3 && !strcmp(argv[1], "spoil")) return spoil(argv[2], argv + 3) ;
  if (argc > 2 && !strcmp(argv[1], "child")) return child(argv + 2) ;
  return argc == 2 && !strcmp(argv[1], "look") ? look() : 100 ;
}
