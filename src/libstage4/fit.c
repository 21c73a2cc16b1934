/* ISC license. */

/*
  What makes a process fit to walk a chain to its end: nothing ends it, nothing holds it back, nothing that
  it inherited keeps anything busy. Each of these may fail without stopping anything.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sig.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define PANIC_SECONDS "5"   /* time to read why */
#define CGROUPS_TIMEOUT 1000
#define PROC_CGROUP_INIT_INO 0xEFFFFFFBu   /* of the initial cgroup namespace, include/linux/proc_ns.h */
#define IOPRIO_WHO_PROCESS 1               /* include/uapi/linux/ioprio.h */
#define IOPRIO_OF_NICE 0                   /* class none: what its nice value says */

static void try (int ok, char const *what)
{
  if (!ok) s4_warnsys("unable to ", what) ;
}

static void leave_session (void)
{
   /* A leader of a process group can't leave its session, a member can. */
  if (getpgrp() == getpid() && getsid(0) != getpid()) setpgid(0, getpgid(getppid())) ;
  if (setsid() == -1 && getsid(0) != getpid()) s4_warnsys("unable to make an own session") ;
  ioctl(0, TIOCNOTTY) ;
}

static void ignore_signals (void)
{
  for (int sig = 1 ; sig < NSIG ; sig++) switch (sig)
  {
    case SIGCHLD : case SIGCONT : sig_restore(sig) ; break ;
     /* faults of our own */
    case SIGSEGV : case SIGBUS : case SIGILL : case SIGFPE : case SIGABRT : case SIGTRAP : case SIGSYS : break ;
    default : sig_ignore(sig) ;   /* fails for the two that can't be ignored, and those of the libc */
  }
  sig_blocknone() ;
  prctl(PR_SET_PDEATHSIG, 0) ;
}

static void become_important (void)
{
  struct sched_param const normal = { .sched_priority = 0 } ;
  try(s4_proc_write("self/oom_score_adj", "-1000"), "protect this process from the OOM killer") ;
  sched_setscheduler(0, SCHED_OTHER, &normal) ;
  setpriority(PRIO_PROCESS, 0, 0) ;
#ifdef SYS_ioprio_set
  syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_OF_NICE) ;
#endif
}

void s4_raise_files (void)
{
  struct rlimit files ;
  if (getrlimit(RLIMIT_NOFILE, &files) == -1) return ;
  files.rlim_cur = files.rlim_max ;
  setrlimit(RLIMIT_NOFILE, &files) ;
}

 /* One of time kills at its end, and one of memory or processes leaves steps without workers. */

static void lift_limits (void)
{
  static int const limits[] = { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_NPROC } ;
  for (unsigned int i = 0 ; i < sizeof limits / sizeof *limits ; i++)
  {
    struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY } ;
    if (!setrlimit(limits[i], &rl) || getrlimit(limits[i], &rl) == -1) continue ;
    rl.rlim_cur = rl.rlim_max ;
    setrlimit(limits[i], &rl) ;
  }
}

static void raise_limits (void)
{
  struct rlimit const nocore = { 0, 0 } ;
  struct rlimit files ;
  stralloc max = STRALLOC_ZERO ;
  uint64_t u ;
  setrlimit(RLIMIT_CORE, &nocore) ;
  lift_limits() ;
  if (s4_proc_read("sys/fs/nr_open", &max) && uint64_scan(max.s, &u))
  {
    files.rlim_cur = files.rlim_max = (rlim_t)u ;
    if (!setrlimit(RLIMIT_NOFILE, &files)) return ;
  }
  s4_raise_files() ;
}

 /* --- cgroups --- */

 /* A container may have a cgroup namespace of its own; without it the root is that of the host, which limits it. */

static int is_root_cgroup_ours (void)
{
  struct stat st ;
  return !s4.container || (!fstatat(s4_proc(), "self/ns/cgroup", &st, 0) && st.st_ino != PROC_CGROUP_INIT_INO) ;
}

 /* A hierarchy is found by any of its controllers. 0 or errno */

static int leave_cgroup (char const *controllers, char const *pid)
{
  stralloc controller = STRALLOC_ZERO ;
  int root, e ;
  if (!stralloc_catb(&controller, controllers, strcspn(controllers, ",")) || !stralloc_0(&controller)) return ENOMEM ;
  root = s4_cgroup_root(controller.s, 1) ;
  e = errno ;
  stralloc_free(&controller) ;
  if (root == -1) return e ;
  e = s4_cgroup_write(root, "", "/cgroup.procs", pid) ? 0 : errno ;
  fd_close(root) ;
  return e ;
}

 /* In a child, which looks at mounts; answers which it could not leave. */

static int leave_all_cgroups (int fd, void *data)
{
  stralloc text = STRALLOC_ZERO ;
  size_t pos = 0 ;
  char *line ;
  if (!s4_proc_read("self/cgroup", &text)) return errno ;
  while ((line = s4_next_line(&text, &pos)))
  {
    char const *controllers ;
    char const *path = s4_cgroup_line(line, &controllers) ;
    int e = path && strcmp(path, "/") ? leave_cgroup(controllers, data) : 0 ;
    if (e) s4_answer_word(fd, s4_concat(*controllers ? controllers : "2", " (", strerror(e), ")")) ;
  }
  return 0 ;
}

static void leave_cgroups (void)
{
  stralloc left = STRALLOC_ZERO ;
  char pid[S4_NUMFMT] ;
  int e ;
  if (!is_root_cgroup_ours()) return ;
  s4_num_fmt(pid, getpid()) ;
  e = s4_ask(&leave_all_cgroups, pid, CGROUPS_TIMEOUT, &left) ? 0 : errno ;
  if (e == EAGAIN || e == ENOMEM) e = leave_all_cgroups(-1, pid) ;   /* this cgroup may allow no child */
  if (e && e != ENOENT && e != ENODEV) s4_warnerr(e, "unable to move to the root cgroups") ;
  else if (left.len && stralloc_0(&left)) s4_warn("unable to move to the root of cgroup", left.s) ;
  stralloc_free(&left) ;
}

 /* --- the kernel --- */

 /*
   The kernel's emergency sync writes data and starts commits of journals, as sync(2), but in a thread of the kernel's:
   a process that hangs in sync(2) would keep busy what it was executed from, and all files that it has open.
 */

static int start_sync (void)
{
  return s4_proc_write("sysrq-trigger", "s") ;
}

 /* Machine-wide settings: never from a container. */

static void prepare_kernel (void)
{
   /* not a regular file, so nothing is dumped */
  try(s4_proc_write("sys/kernel/core_pattern", "/dev/null"), "turn core dumps off") ;
  try(s4_cad_resets(), "make Ctrl-Alt-Del a hard reboot") ;
  try(s4_proc_write("sys/kernel/panic", PANIC_SECONDS), "make a panic reboot") ;
   /* Else 10 lines in 5 s, also where the console can't take them; fails if the boot line fixed it. */
  s4_proc_write("sys/kernel/printk_devkmsg", "on\n") ;
  if (!start_sync()) s4_verbose("no early sync: ", errno == ENOENT ? "the kernel has no sysrq" : strerror(errno)) ;
}

 /* --- stdin, stdout, stderr --- */

static int open_output (char const *file)
{
  int fd = s4_open_output(file) ;
  if (fd == -1) return 0 ;
  s4_replace_fd(fd, 1) ;
  s4_replace_fd(fd, 2) ;
  if (fd > 2) fd_close(fd) ;
  return 1 ;
}

 /* The warning goes to where all that follows goes. In a container the kernel log is the host's. */

static void do_without_console (void)
{
  int e = errno ;
  if (!s4.container)
  {
    s4_give_up_fd(1) ;
    s4_give_up_fd(2) ;
  }
  s4_warnerr(e, "unable to open /dev/console") ;
}

static void redirect (enum s4_output_e output)
{
  int null = s4_open_device("/dev/null", O_RDONLY) ;
  if (null == -1) s4_warnsys("unable to open /dev/null") ;
  else if (null)
  {
    s4_replace_fd(null, 0) ;
    fd_close(null) ;
  }
  else uncoe(null) ;
  if (output == S4_TO_CONSOLE && !open_output("/dev/console")) do_without_console() ;
  if (output != S4_TO_KMSG) return ;
  if (!s4.container && s4_proc() != -1) s4_pstore_keep() ;   /* before: who looks at pstore later won't find it there */
  try(open_output("/dev/kmsg"), "open /dev/kmsg") ;
}

void s4_become_fit (enum s4_output_e output)
{
  umask(022) ;
  try(!chdir("/"), "enter /") ;
  ignore_signals() ;
  leave_session() ;
  become_important() ;
  leave_cgroups() ;
  raise_limits() ;
  if (!s4.container) prepare_kernel() ;
  redirect(output) ;
}
