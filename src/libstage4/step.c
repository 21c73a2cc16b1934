/* ISC license. */

/* The step: the way of every program from its command line to the next program of the chain. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sig.h>
#include <skalibs/strerr.h>
#include <skalibs/types.h>

#include <execline/execline.h>

#include "stage4.h"

#define COMMON_OPTIONS_MAX 64
#define TIMERSLACK 50000ul        /* ns: the kernel's default */
#define BLOCK_WALK_TIMEOUT 5000   /* less than a whole line gets: the rest of it is still to be walked */

static char const *usage ;
static unsigned int flags ;
static char const *walk_mode ;   /* $STAGE4_WALK */
static struct sigaction pipe_was ;

 /* Else the next file to be opened could become stderr. Where there is no /dev/null, sockets that nobody hears. */

static void occupy_fds (void)
{
  if (fd_sanitize()) return ;
  for (int fd = 0 ; fd < 3 ; fd++)
  {
    int s = fcntl(fd, F_GETFD) == -1 ? socket(AF_UNIX, SOCK_STREAM, 0) : fd ;
    if (s > fd) fd_close(s) ;
  }
}

void s4_step_init (char const *prog, char const *usagestring, unsigned int f, char const **argv,
  char const *const *envp)
{
  unsigned int pid ;
  PROG = prog ;
  usage = usagestring ;
  flags = f ;
  s4.marker = (char *)argv[0] ;
  s4.dryrun = s4.force = 0 ;   /* walking in place, another program was here before */
  prctl(PR_SET_TIMERSLACK, TIMERSLACK) ;   /* inherited, it makes each wait so much longer */
  sigaction(SIGPIPE, 0, &pipe_was) ;
  sig_ignore(SIGPIPE) ;    /* a report to a logger that is dead must not kill the step */
  sig_restore(SIGCHLD) ;   /* ignored, it would hide the ends of children */
  occupy_fds() ;
  s4_chain_read(envp, !!(f & S4_FINISHES)) ;
   /* The pid makes a variable that somebody inherits by mistake harmless. */
  walk_mode = s4_getenv("STAGE4_WALK") ;
  s4.walking = getpid() != 1 && walk_mode && uint0_scan(walk_mode, &pid) && pid == (unsigned int)getpid() ;
}

int s4_step_getopt (int argc, char const *const *argv, char const *opts, subgetopt *l)
{
  char all[COMMON_OPTIONS_MAX] = "v:" ;
  strcat(all, flags & S4_DESTROYS ? "fn" : flags & S4_PLANS ? "n" : "") ;
  strcat(all, opts) ;
  for (;;)
  {
    int opt = subgetopt_r(argc, argv, all, l) ;
    switch (opt)
    {
      case 'v' :
        if (!uint0_scan(l->arg, &s4.verbosity) || s4.verbosity > 3) s4_step_badarg("verbosity", l->arg) ;
        continue ;
      case 'n' :
        if (flags & (S4_DESTROYS | S4_PLANS)) { s4.dryrun = 1 ; continue ; }
        return opt ;
      case 'f' :
        if (flags & S4_DESTROYS) { s4.force = 1 ; continue ; }
        return opt ;
      case '?' :
        s4_step_usage() ;
      default : return opt ;
    }
  }
}

void s4_step_usage (void)
{
  s4_fatal("usage: ", usage) ;
  s4_step_giveup(S4_USAGE) ;
}

void s4_step_badarg (char const *what, char const *arg)
{
  s4_fatal("invalid ", what, ": ", arg) ;
  s4_step_giveup(S4_USAGE) ;
}

void s4_step_refuse (char const *why)
{
  s4_fatal(why) ;
  s4_step_giveup(S4_USAGE) ;
}

void s4_step_nomem (void)
{
  s4_fatal("out of memory") ;
  s4_step_giveup(S4_NOTSTARTED) ;
}

char const *s4_step_path (char const *what, char const *arg)
{
  size_t len = strlen(arg) ;
  char *path ;
  if (*arg != '/') s4_step_badarg(what, arg) ;
  while (len > 1 && arg[len-1] == '/') len-- ;
  path = (char *)s4_concat(arg) ;
  if (*path) path[len] = 0 ;
  return path ;
}

char const *s4_step_place (char const *what, char const *arg)
{
  char const *path = s4_step_path(what, arg) ;
  if (!path[1]) s4_step_badarg(what, arg) ;
  return path ;
}

char const *s4_step_file (char const *what, char const *arg)
{
  if (!*arg) s4_step_badarg(what, arg) ;
  if (strchr(arg, '/')) return arg ;
  arg = s4_concat("./", arg) ;
  if (!*arg) s4_step_nomem() ;
  return arg ;
}

s4_ms s4_step_time (char const *arg, int zero)
{
  s4_ms t ;
  if (!s4_ms_scan(arg, &t)) s4_step_badarg("time (like 1500, 1500ms or 10s)", arg) ;
  if (!t && !zero) s4_step_badarg("time (0 makes no sense here)", arg) ;
  return t ;
}

char const **s4_step_block (int argc, char const **argv)
{
  int const quoted = argc && (*argv[0] == ' ' || !*argv[0]) ;
  int len = el_semicolon(argv) ;
  if (len > argc && !quoted) s4_step_usage() ;   /* no block at all */
  if (!len || len > argc)
  {
    s4_fatal(len ? "unterminated block" : "empty block") ;
    s4_step_giveup(S4_USAGE) ;
  }
  argv[len] = 0 ;
  return argv + len + 1 ;
}

static void walk_block (char const *const *block)
{
  if (!s4_walk(block, BLOCK_WALK_TIMEOUT)) _exit(S4_USAGE) ;
}

void s4_step_checked (char const *const *next, char const *const *block)
{
  if (s4.walking)
  {
    if (s4.dryrun) s4_step_refuse("-n: this step would do nothing, and nothing would follow it") ;
    if (block) walk_block(block) ;
    s4_walk_on(next) ;
  }
  if (flags & S4_DESTROYS && !s4.pid && !s4.force && !s4.dryrun)
  {
    s4_fatal("this destroys: only in a chain that stage4-begin has begun, or with -f") ;
    s4_step_giveup(S4_USAGE) ;
  }
}

 /* Who must end the machine can't just plan: that would be the end of the chain, or of pid 1. */

static void end_plan (int code)
{
  if ((getpid() == 1 || getpid() == s4.pid) && !s4.container)
  {
    s4_fatal("-n: nothing was done, and nothing will follow") ;
    s4_step_giveup(code) ;
  }
  _exit(code) ;
}

void s4_step_walk (char const *const *next)
{
  if (s4_walk(next, S4_WALK_TIMEOUT)) return ;
  s4_fatal("this line can't be walked to its end; nothing was touched") ;
  s4_step_giveup(S4_USAGE) ;
}

 /* What follows outside of a chain may be a service, whose SIGPIPE is its own affair. In a chain it stays ignored. */

static void execute (char const *const *next)
{
  if (!s4.pid) sigaction(SIGPIPE, &pipe_was, 0) ;
  s4_exec(next) ;
  sig_ignore(SIGPIPE) ;
}

void s4_step_next (char const *const *next, int code)
{
  if (s4.dryrun) end_plan(code) ;
  if (!next[0])
  {
    if (getpid() != 1 || s4.container) _exit(code) ;
    s4_fatal("this is pid 1, and nothing to execute into") ;
    s4_step_giveup(code) ;
  }
  s4_set_code((unsigned int)code) ;
  execute(next) ;
  s4_fatalsys("unable to execute ", next[0]) ;
  s4_step_giveup(errno == ENOENT ? 127 : 126) ;
}

void s4_step_giveup (int code)
{
  if (!s4.walking && (getpid() == s4.pid || getpid() == 1)) s4_lastresort(code) ;
  _exit(code) ;
}
