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
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sig.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define PANIC_SECONDS "5"   /* time to read why */

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
}

void s4_raise_files (void)
{
  struct rlimit files ;
  if (getrlimit(RLIMIT_NOFILE, &files) == -1) return ;
  files.rlim_cur = files.rlim_max ;
  setrlimit(RLIMIT_NOFILE, &files) ;
}

static void raise_limits (void)
{
  struct rlimit const nocore = { 0, 0 } ;
  struct rlimit files ;
  stralloc max = STRALLOC_ZERO ;
  uint64_t u ;
  setrlimit(RLIMIT_CORE, &nocore) ;
  if (s4_proc_read("sys/fs/nr_open", &max) && uint64_scan(max.s, &u))
  {
    files.rlim_cur = files.rlim_max = (rlim_t)u ;
    if (!setrlimit(RLIMIT_NOFILE, &files)) return ;
  }
  s4_raise_files() ;
}

 /* "0::/path" is cgroup 2, "N:controllers:/path" a hierarchy of cgroup 1; cgroups(7). */

static void leave_cgroup (char *line)
{
  stralloc procs = STRALLOC_ZERO ;
  char *name = strchr(line, ':') ;
  char *path = name ? strchr(name + 1, ':') : 0 ;
  if (!path || !strcmp(path, ":/")) return ;
  *path = 0 ;
  name += !strncmp(name + 1, "name=", 5) ? 6 : 1 ;
  if (!s4_cat(&procs, "/sys/fs/cgroup/", name, *name ? "/cgroup.procs" : "cgroup.procs")) return ;
  if (!openwritenclose_unsafe(procs.s, "0", 1)
   && (*name || !openwritenclose_unsafe("/sys/fs/cgroup/unified/cgroup.procs", "0", 1)))
    s4_warnsys("unable to move to the root cgroup", *name ? " of " : "", name) ;
  stralloc_free(&procs) ;
}

static void leave_cgroups (void)
{
  stralloc text = STRALLOC_ZERO ;
  if (!s4_proc_read("self/cgroup", &text)) return ;
  for (char *line = text.s, *end ; (end = strchr(line, '\n')) ; line = end + 1)
  {
    *end = 0 ;
    leave_cgroup(line) ;
  }
}

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

static void redirect (enum s4_output_e output)
{
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC) ;
  if (null == -1) s4_warnsys("unable to open /dev/null") ;
  else if (null)
  {
    s4_replace_fd(null, 0) ;
    fd_close(null) ;
  }
  else uncoe(null) ;
  if (output == S4_TO_CONSOLE) try(open_output("/dev/console"), "open /dev/console") ;
  if (output != S4_TO_KMSG) return ;
  if (!s4.container && s4_proc() != -1)
  {
    s4_proc_write("sys/kernel/printk_devkmsg", "on\n") ;   /* else 10 lines in 5 s; fails if the boot line fixed it */
    s4_pstore_keep() ;
  }
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
