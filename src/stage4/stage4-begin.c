/* ISC license. */

/*
  stage4-begin: makes this process fit to walk the rest of the line, after a look whether the line can be
  walked at all. Until that look is over nothing is touched; after it nothing stops the chain.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>
#include <skalibs/sig.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-begin [ -v verbosity ] [ -n ] -A action | -r | -p | -h | -k [ -t budget ] [ -R ramfs ] [ -a arg ] [ -c | -K | -o ] prog..."
#define CHECK_TIMEOUT 3000
#define WALK_TIMEOUT 10000
#define PANIC_SECONDS "5"   /* time to read why */

struct options
{
  enum s4_action_e action ;
  s4_ms budget ;          /* 0: none */
  char const *ramfs ;
  char const *arg ;
  char output ;           /* c: console, K: kernel log, o: as it is */
  int left ;              /* something that was asked for could not be done */
} ;

 /* --- what the rest of the line will find in its environment --- */

static int use_ramfs (struct options *o)
{
  stralloc why = STRALLOC_ZERO, path = STRALLOC_ZERO ;
  unsigned int stale = 0 ;
  if (!o->ramfs) return s4_setenv("STAGE4_RAMFS", 0) ;
  if (!s4_ramfs_check(o->ramfs, CHECK_TIMEOUT, &why, &stale))
  {
    s4_warn("the ramfs ", o->ramfs, " is not used: ", why.s) ;
    o->left = 1 ;
    return s4_setenv("STAGE4_RAMFS", 0) ;
  }
  if (stale) s4_warn("the ramfs ", o->ramfs, " is stale: ", S4_NUM(stale), " files have changed since it was made") ;
  return s4_setenv("STAGE4_RAMFS", o->ramfs) && s4_path_inside(&path, s4_nextpath(), o->ramfs) && s4_setenv("PATH", path.s) ;
}

static int set_environment (struct options *o)
{
  s4.begun = s4_now() ;
  return s4_setenv("STAGE4_ACTION", s4_action_name(o->action)) && s4_setenv("STAGE4_ARG", o->arg)
   && s4_setenv("STAGE4_PID", S4_NUM(getpid())) && s4_setenv("STAGE4_BEGUN", S4_NUM(s4.begun))
   && s4_setenv("STAGE4_DEADLINE", o->budget ? S4_NUM(s4.begun + o->budget) : 0)
   && s4_setenv("STAGE4_VERBOSITY", S4_NUM(s4.verbosity)) && s4_setenv("STAGE4_OLDROOT", 0) && use_ramfs(o) ;
}

 /* --- one chain at a time --- */

 /* An abstract name in the kernel needs no file system, survives the pivot, and ends with the last process that has it open. */

static int lock_chain (void)
{
  struct sockaddr_un const name = { .sun_family = AF_UNIX, .sun_path = "\0stage4-chain" } ;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0) ;
  if (fd == -1) return -1 ;
  if (!bind(fd, (struct sockaddr const *)&name, sizeof(sa_family_t) + 13)) return fd ;
  fd_close(fd) ;
  return errno == EADDRINUSE ? -2 : -1 ;
}

 /* --- fit for the way: each of these may fail without stopping anything --- */

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
    case SIGSEGV : case SIGBUS : case SIGILL : case SIGFPE : case SIGABRT : case SIGTRAP : case SIGSYS : break ;   /* faults of our own */
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
  if (!getrlimit(RLIMIT_NOFILE, &files))
  {
    files.rlim_cur = files.rlim_max ;
    setrlimit(RLIMIT_NOFILE, &files) ;
  }
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
  if (!stralloc_cats(&procs, "/sys/fs/cgroup/") || !stralloc_cats(&procs, name)
   || !stralloc_cats(&procs, *name ? "/cgroup.procs" : "cgroup.procs") || !stralloc_0(&procs)) return ;
  if (!openwritenclose_unsafe(procs.s, "0", 1) && *name == 0)
    try(openwritenclose_unsafe("/sys/fs/cgroup/unified/cgroup.procs", "0", 1), "move to the root cgroup") ;
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

static void start_sync (void)
{
  pid_t pid = s4_fork(-1, 0) ;
  if (pid == -1) s4_warnsys("unable to start an early sync") ;
  if (pid) return ;
  sync() ;
  _exit(0) ;
}

 /* Once a machine: not from a container. */

static void prepare_kernel (void)
{
  try(s4_proc_write("sys/kernel/core_pattern", "/dev/null"), "turn core dumps off") ;   /* not a regular file, so nothing is dumped */
  try(!reboot(RB_ENABLE_CAD), "make Ctrl-Alt-Del a hard reboot") ;
  try(s4_proc_write("sys/kernel/panic", PANIC_SECONDS), "make a panic reboot") ;
  start_sync() ;
}

 /* --- stdin, stdout, stderr --- */

static int open_output (char const *file)
{
  int fd = open(file, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) ;
  if (fd == -1) return 0 ;
  ndelay_off(fd) ;
  if (dup2(fd, 1) == -1 || dup2(fd, 2) == -1) return 0 ;
  if (fd > 2) fd_close(fd) ;
  return 1 ;
}

static void redirect (char output)
{
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC) ;
  if (null == -1) s4_warnsys("unable to open /dev/null") ;
  else if (null)
  {
    dup2(null, 0) ;
    fd_close(null) ;
  }
  else uncoe(null) ;
  if (output == 'c') try(open_output("/dev/console"), "open /dev/console") ;
  if (output != 'K') return ;
  if (!s4.container) s4_proc_write("sys/kernel/printk_devkmsg", "on\n") ;   /* else 10 lines in 5 s; fails if the boot line fixed it */
  if (!openwritenclose_unsafe("/sys/module/printk/parameters/always_kmsg_dump", "Y", 1))
    s4_verbose("the kernel log of an orderly reboot is not kept in pstore") ;
  try(open_output("/dev/kmsg"), "open /dev/kmsg") ;
}

static void become_fit (struct options *o, int lock)
{
  umask(022) ;
  try(!chdir("/"), "enter /") ;
  ignore_signals() ;
  leave_session() ;
  become_important() ;
  leave_cgroups() ;
  raise_limits() ;
  if (!s4.container) prepare_kernel() ;
  redirect(o->output) ;
  s4_close_all_but(s4.watchdog, lock) ;
}

static int show_plan (struct options const *o, char const *const *next)
{
  s4_planline("begin ", s4_action_name(o->action), ": by pid ", S4_NUM(getpid())) ;
  if (o->budget) s4_planline("budget ", S4_MS(o->budget)) ;
  if (o->ramfs) s4_planline(o->left ? "not used: " : "use ", "the ramfs ", o->ramfs) ;
  s4_planline("output ", o->output == 'c' ? "/dev/console" : o->output == 'K' ? "/dev/kmsg" : "stays") ;
  for (; *next ; next++) s4_planline("word ", *next) ;
  return S4_DONE ;
}

static void begin (struct options *o, char const *const *next)
{
  int lock ;
  if (geteuid())
  {
    s4_fatal("only root can end the machine; nothing was touched") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  if (!s4_walk(next, WALK_TIMEOUT))
  {
    s4_fatal("this line can't be walked to its end; nothing was touched") ;
    s4_step_giveup(S4_USAGE) ;
  }
  lock = lock_chain() ;
  if (lock == -2 && getpid() != 1)
  {
    s4_fatal("a chain is under way on this machine already") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  if (lock < 0) s4_warn("unable to keep other chains from beginning") ;
  become_fit(o, lock) ;
  s4_info(s4_action_name(o->action), " by pid ", S4_NUM(getpid()), o->budget ? ", within " : "", o->budget ? S4_MS(o->budget) : "") ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .action = S4_NOACTION, .output = 'c' } ;
  s4_step_init("stage4-begin", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "A:rphkt:R:a:cKo", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'A' : if (!s4_action_scan(l.arg, &o.action)) s4_step_badarg("action", l.arg) ; break ;
        case 'r' : o.action = S4_REBOOT ; break ;
        case 'p' : o.action = S4_POWEROFF ; break ;
        case 'h' : o.action = S4_HALT ; break ;
        case 'k' : o.action = S4_KEXEC ; break ;
        case 't' : o.budget = s4_step_time(l.arg, 0) ; break ;
        case 'R' : if (*l.arg != '/' || !l.arg[1]) s4_step_badarg("ramfs (must begin with /)", l.arg) ; o.ramfs = l.arg ; break ;
        case 'a' : o.arg = l.arg ; break ;
        case 'c' : case 'K' : case 'o' : o.output = (char)opt ; break ;
      }
    }
    argv += l.ind ;
  }
  if (o.action == S4_NOACTION || !argv[0]) s4_step_usage() ;
  s4.action = o.action ;
  if (!set_environment(&o))
  {
    s4_fatalsys("unable to set the environment") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  s4_step_checked(argv, 0) ;

  if (s4.dryrun) s4_step_next(argv, show_plan(&o, argv)) ;
  begin(&o, argv) ;
  s4.pid = getpid() ;
  s4_step_next(argv, o.left ? S4_LEFT : S4_DONE) ;
}
