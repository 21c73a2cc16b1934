/*
  fault CALLS ERROR WHEN PROG... : PROG, in which system calls fail
    CALLS  names, with a comma between them; fork is all ways to fork. openat@X, read@X: only of files whose name has X
    ERROR  of errno, or a number that the call returns
    WHEN   3: the third one of all; 3+: that and all later ones
  Only in programs of stage4 and their workers, not in others that they execute. It says how many have failed, on
  stdout. Exits as PROG does; 125: that didn't end by itself within half a minute, and was killed.
  @fault ... : the same, but this very process becomes PROG, and a child of it, that is spared, lets calls fail. It
  prints nothing; the kernel log gets a line, "fault: first of CALLS failed", as soon as one has.
*/

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#define LIMIT 30000   /* ms */
#define CALLS_MAX 16
#define START_BRK 47   /* the field of /proc/PID/stat, proc(5) */

static struct { char const *name ; int nr ; } const known[] =
{
  { "openat", SYS_openat }, { "open", SYS_open }, { "read", SYS_read }, { "write", SYS_write }, { "close", SYS_close },
  { "umount2", SYS_umount2 }, { "mount", SYS_mount }, { "fspick", SYS_fspick }, { "fsopen", SYS_fsopen },
  { "fsconfig", SYS_fsconfig }, { "fsmount", SYS_fsmount }, { "move_mount", SYS_move_mount },
  { "open_tree", SYS_open_tree }, { "pivot_root", SYS_pivot_root }, { "chroot", SYS_chroot }, { "chdir", SYS_chdir },
  { "fchdir", SYS_fchdir }, { "mkdir", SYS_mkdir }, { "swapoff", SYS_swapoff }, { "reboot", SYS_reboot },
  { "sync", SYS_sync }, { "syncfs", SYS_syncfs }, { "ioctl", SYS_ioctl }, { "pidfd_open", SYS_pidfd_open },
  { "pidfd_send_signal", SYS_pidfd_send_signal }, { "kill", SYS_kill }, { "pipe2", SYS_pipe2 }, { "pipe", SYS_pipe },
  { "poll", SYS_poll }, { "wait4", SYS_wait4 }, { "waitid", SYS_waitid }, { "prctl", SYS_prctl },
  { "mmap", SYS_mmap }, { "brk", SYS_brk }, { "mremap", SYS_mremap }, { "execve", SYS_execve },
  { "getdents64", SYS_getdents64 }, { "newfstatat", SYS_newfstatat }, { "fstat", SYS_fstat }, { "stat", SYS_stat },
  { "fstatfs", SYS_fstatfs }, { "statfs", SYS_statfs }, { "statx", SYS_statx }, { "readlinkat", SYS_readlinkat },
  { "readlink", SYS_readlink }, { "setsid", SYS_setsid }, { "dup2", SYS_dup2 }, { "fcntl", SYS_fcntl },
  { "socket", SYS_socket }, { "clock_gettime", SYS_clock_gettime }, { "close_range", SYS_close_range },
  { "fork", SYS_fork }, { "fork", SYS_vfork }, { "fork", SYS_clone }, { "fork", SYS_clone3 },
} ;

static struct { char const *name ; int e ; } const errors[] =
{
  { "EPERM", EPERM }, { "ENOENT", ENOENT }, { "EINTR", EINTR }, { "EIO", EIO }, { "EAGAIN", EAGAIN },
  { "ENOMEM", ENOMEM }, { "EACCES", EACCES }, { "EBUSY", EBUSY }, { "EINVAL", EINVAL }, { "ENFILE", ENFILE },
  { "EMFILE", EMFILE }, { "ENOSYS", ENOSYS }, { "ESRCH", ESRCH }, { "EROFS", EROFS },
} ;

struct fault
{
  char const *calls ;        /* as they were given */
  int nr[CALLS_MAX] ;
  unsigned int n ;
  char const *file ;         /* part of a file's name, or 0 */
  int error ;                /* 0: value */
  long long value ;
  unsigned long first ;
  int later_too ;
  unsigned long seen, failed ;
} ;

static int proc ;   /* a chain may take it elsewhere */
static int kmsg = -1 ;   /* the kernel log, of who has no stdout */

static void die (char const *what)
{
  perror(what) ;
  exit(111) ;
}

static void add_call (struct fault *f, char *name)
{
  char *at = strchr(name, '@') ;
  unsigned int before = f->n ;
  if (at)
  {
    *at = 0 ;
    f->file = at + 1 ;
  }
  for (unsigned int i = 0 ; i < sizeof known / sizeof *known && f->n < CALLS_MAX ; i++)
    if (!strcmp(known[i].name, name)) f->nr[f->n++] = known[i].nr ;
  if (f->n == before) die(name) ;
}

static void scan (struct fault *f, char **argv)
{
  char *end ;
  f->calls = strdup(argv[0]) ;
  if (!f->calls) die("strdup") ;
  for (char *s = strtok(argv[0], ",") ; s ; s = strtok(0, ",")) add_call(f, s) ;
  f->value = strtoll(argv[1], &end, 10) ;
  for (unsigned int i = 0 ; *end && i < sizeof errors / sizeof *errors ; i++)
    if (!strcmp(errors[i].name, argv[1])) f->error = errors[i].e ;
  if (*end && !f->error) die(argv[1]) ;
  f->first = strtoul(argv[2], &end, 10) ;
  f->later_too = *end == '+' ;
}

 /* execve always: until it is answered the listener, which is closed by that, can be taken over. */

static int filter (struct fault const *f)
{
  struct sock_filter code[CALLS_MAX + 4] ;
  struct sock_fprog prog = { .filter = code } ;
  unsigned short n = 0 ;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) ;
  for (unsigned int i = 0 ; i < f->n ; i++)
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)f->nr[i],
      (unsigned char)(f->n - i + 1), 0) ;
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0) ;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) ;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) ;
  prog.len = n ;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) return -1 ;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) ;
}

static void read_file (pid_t pid, char const *file, char *text, size_t max)
{
  char name[64] ;
  ssize_t r ;
  int fd ;
  snprintf(name, sizeof name, "%d/%s", (int)pid, file) ;
  fd = openat(proc, name, O_RDONLY | O_CLOEXEC) ;
  r = fd == -1 ? 0 : read(fd, text, max - 1) ;
  text[r > 0 ? r : 0] = 0 ;
  if (fd != -1) close(fd) ;
}

static int is_ours (pid_t pid)
{
  char comm[32] ;
  read_file(pid, "comm", comm, sizeof comm) ;
  return !strncmp(comm, "stage4-", 7) || !strncmp(comm, "@umount", 7) ;
}

 /* Not malloc, but the C library, which asks for a page before main(), and can't begin without. */

static int is_beginning (pid_t pid, unsigned long long end)
{
  char stat[1024] ;
  char *s ;
  read_file(pid, "stat", stat, sizeof stat) ;
  s = strrchr(stat, ')') ;
  for (int field = 2 ; s && field < START_BRK ; field++) s = strchr(s + 1, ' ') ;
  return !s || end < strtoull(s, 0, 10) + 65536 ;
}

static int is_that_file (struct fault const *f, struct seccomp_notif const *r)
{
  char name[64], path[256] = "" ;
  if (!f->file) return 1 ;
  if (r->data.nr == SYS_openat)
  {
    struct iovec to = { path, sizeof path - 1 }, from = { (void *)r->data.args[1], sizeof path - 1 } ;
    from.iov_len = 4096 - r->data.args[1] % 4096 < from.iov_len ? 4096 - r->data.args[1] % 4096 : from.iov_len ;
    process_vm_readv((pid_t)r->pid, &to, 1, &from, 1, 0) ;
  }
  else
  {
    snprintf(name, sizeof name, "%d/fd/%d", (int)r->pid, (int)r->data.args[0]) ;
    if (readlinkat(proc, name, path, sizeof path - 1) == -1) *path = 0 ;
  }
  return !!strstr(path, f->file) ;
}

 /* Not dprintf: that seeks, which this device doesn't. */

static void note_first (struct fault const *f)
{
  char line[256] ;
  int n = snprintf(line, sizeof line, "<2>fault: first of %s failed\n", f->calls) ;
  (void)!write(kmsg, line, (size_t)n < sizeof line ? (size_t)n : sizeof line) ;
}

static int fails (struct fault *f, struct seccomp_notif const *r)
{
  int listed = 0 ;
  for (unsigned int i = 0 ; i < f->n ; i++) listed |= f->nr[i] == r->data.nr ;
  if (!listed || (r->data.nr == SYS_brk && is_beginning((pid_t)r->pid, r->data.args[0]))) return 0 ;
  if (!is_ours((pid_t)r->pid) || !is_that_file(f, r)) return 0 ;
  f->seen++ ;
  if (f->seen != f->first && !(f->later_too && f->seen > f->first)) return 0 ;
  if (!f->failed++) note_first(f) ;
  return 1 ;
}

static void answer (struct fault *f, int listener)
{
  struct seccomp_notif r ;
  struct seccomp_notif_resp a = { .flags = 0 } ;
  memset(&r, 0, sizeof r) ;
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &r) == -1) return ;
  a.id = r.id ;
  if (!fails(f, &r)) a.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE ;
  else if (r.data.nr == SYS_brk) a.val = 0 ;
  else
  {
    a.error = -f->error ;
    a.val = f->value ;
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a) ;
}

static long now (void)
{
  struct timespec ts ;
  clock_gettime(CLOCK_BOOTTIME, &ts) ;
  return ts.tv_sec * 1000 + ts.tv_nsec / 1000000 ;
}

static int take_over (pid_t pid, int volatile *number)
{
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0) ;
  while (*number == -2) sched_yield() ;
  return *number == -1 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, *number, 0) ;
}

 /* Until it has ended, or nobody is left. */

static int supervise (struct fault *f, pid_t pid, int volatile *number, long until)
{
  struct pollfd x[2] = { { .fd = take_over(pid, number), .events = POLLIN },
    { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN } } ;
  if (x[0].fd == -1) die("unable to take over") ;
  for (;;)
  {
    if (until && now() >= until) return 0 ;
    if (poll(x, 2, 1000) <= 0) continue ;
    if (x[0].revents & POLLIN) answer(f, x[0].fd) ;
    else if (x[0].revents || x[1].revents) return 1 ;
  }
}

static void become (struct fault const *f, char **argv, int volatile *number)
{
  int fd = filter(f) ;
  *number = fd ;
  if (fd == -1) die("seccomp") ;
  execvp(argv[0], argv) ;
  die(argv[0]) ;
}

static void be_child (struct fault *f, pid_t parent, int volatile *number)
{
  int null = open("/dev/null", O_RDWR) ;
  kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC) ;
  for (int fd = 0 ; fd < 3 ; fd++) dup2(null, fd) ;
  for (int sig = 1 ; sig < NSIG ; sig++) signal(sig, SIG_IGN) ;
  setsid() ;
  supervise(f, parent, number, 0) ;
  _exit(0) ;
}

static void kill_all (pid_t pid)
{
  char name[64], line[4096] ;
  snprintf(name, sizeof name, "task/%d/children", (int)pid) ;
  read_file(pid, name, line, sizeof line) ;
  for (char *s = strtok(line, " ") ; s ; s = strtok(0, " ")) kill(atoi(s), SIGKILL) ;
  kill(pid, SIGKILL) ;
}

int main (int argc, char **argv)
{
  struct fault f = { .n = 0 } ;
  int volatile *number = mmap(0, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ;
  pid_t parent = getpid(), pid ;
  int wstat, in_time ;
  if (argc < 5 || number == MAP_FAILED) die("usage: fault CALLS ERROR WHEN PROG...") ;
  scan(&f, argv + 1) ;
  proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  *number = -2 ;
  if (argv[0][0] == '@')
  {
    pid = fork() ;
    if (pid == -1) die("fork") ;
    if (!pid) be_child(&f, parent, number) ;
    become(&f, argv + 4, number) ;
  }
  pid = fork() ;
  if (pid == -1) die("fork") ;
  if (!pid) become(&f, argv + 4, number) ;
  in_time = supervise(&f, pid, number, now() + LIMIT) ;
  if (!in_time) kill_all(pid) ;
  waitpid(pid, &wstat, 0) ;
  printf("%lu\n", f.failed) ;
  if (!in_time) return 125 ;
  return WIFEXITED(wstat) ? WEXITSTATUS(wstat) : 128 + WTERMSIG(wstat) ;
}
