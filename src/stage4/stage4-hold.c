/* ISC license. */

/*
  stage4-hold: opens directories, so that automounts happen, and stay, until SIGTERM; then executes into what finishes
  the work. It sleeps in between, without any timer.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/sig.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-hold [ -v verbosity ] [ -d notificationfd ] [ -c file ] [ -t timeout ] -p dir [ -p dir ]... prog..."

struct options
{
  int notify ;          /* -1: nobody */
  char const *cancel ;  /* what is cancelled when it is gone; null: nothing */
  s4_ms timeout ;
  genalloc dirs ;       /* s4_held */
} ;

 /* First of all: what comes from now on waits until it is asked for, also where it was ignored. */

static void block_term (sigset_t *term, sigset_t *before)
{
  sigemptyset(term) ;
  sigaddset(term, SIGTERM) ;
  sigprocmask(SIG_BLOCK, term, before) ;
  sig_restore(SIGTERM) ;
}

 /* One that was inherited can't be close-on-exec: that is one of our own which happens to have this number. */

static int is_inherited (int fd)
{
  int const flags = fcntl(fd, F_GETFD) ;
  return flags != -1 && !(flags & FD_CLOEXEC) ;
}

static int scan_fd (char const *arg)
{
  unsigned int fd ;
  if (!uint0_scan(arg, &fd) || fd < 3 || fd > INT32_MAX) s4_step_badarg("notification fd (3 or more)", arg) ;
  if (!s4.walking && !is_inherited((int)fd)) s4_step_badarg("notification fd (it is not open)", arg) ;
  return (int)fd ;
}

static void add_dir (struct options *o, char const *arg)
{
  s4_held held = { .dir = s4_step_path("directory (must begin with /)", arg) } ;
  if (!genalloc_append(s4_held, &o->dirs, &held)) s4_step_nomem() ;
}

static int hold (struct options const *o)
{
  s4_held *held = genalloc_s(s4_held, &o->dirs) ;
  unsigned int const n = (unsigned int)genalloc_len(s4_held, &o->dirs) ;
  int const all = s4_hold_dirs(held, n, o->timeout) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    errno = held[i].err ;
    if (!errno) s4_verbose("holds ", held[i].dir, ", fd ", S4_NUM(held[i].fd)) ;
    else if (errno == S4_STILL_AUTOFS) s4_fatal("nothing was mounted on ", held[i].dir, ", which is autofs") ;
    else if (errno == ETIMEDOUT) s4_fatal("unable to open ", held[i].dir, " within ", S4_MS(o->timeout)) ;
    else s4_fatalsys("unable to open ", held[i].dir) ;
  }
  return all ;
}

 /* An automounter looks for who is busy in its own mount namespace only. */

static void look_at_namespace (void)
{
  uint64_t const ours = s4_proc_mountns(getpid()) ;
  uint64_t const its = ours ? s4_proc_mountns(1) : 0 ;
  if (!its) s4_trace("not known whether pid 1 has this mount namespace") ;
  else if (ours != its) s4_warn("pid 1 has another mount namespace: there nothing is held by this") ;
}

 /* A pipe that is full would keep us from ever hearing SIGTERM. */

static void tell_ready (int fd, s4_ms timeout)
{
  struct pollfd x = { .fd = fd, .events = POLLOUT } ;
  int const r = s4_poll(&x, 1, s4_limit(timeout)) ;
  if (!r) errno = ETIMEDOUT ;
  if (r <= 0 || write(fd, "\n", 1) != 1) s4_warnsys("unable to tell that it is ready, on fd ", S4_NUM(fd)) ;
  close(fd) ;
}

static void wait_for_term (sigset_t const *term)
{
  while (sigwaitinfo(term, 0) == -1) ;   /* EINTR: it was stopped, and goes on */
}

static int look_for (int fd, void *file)
{
  struct stat st ;
  (void)fd ;
  return lstat(file, &st) == -1 ? errno : 0 ;
}

 /* When in doubt it is there: prog can look itself. In a child: it may lie on what hangs. */

static int is_cancelled (struct options const *o)
{
  stralloc nothing = STRALLOC_ZERO ;
  if (!o->cancel || s4_ask(&look_for, (void *)o->cancel, o->timeout, &nothing)) return 0 ;
  if (errno == ENOENT || errno == ENOTDIR) return 1 ;
  s4_warnsys("unable to see whether ", o->cancel, " is there, so it counts as there") ;
  return 0 ;
}

 /* Ignored before it is unblocked: so what has come meanwhile is discarded. */

static void ignore_term (sigset_t const *before)
{
  sig_ignore(SIGTERM) ;
  sigprocmask(SIG_SETMASK, before, 0) ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .notify = -1, .timeout = 30000, .dirs = GENALLOC_ZERO } ;
  sigset_t term, before ;
  block_term(&term, &before) ;
  s4_step_init("stage4-hold", USAGE, 0, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "d:c:t:p:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'd' : o.notify = scan_fd(l.arg) ; break ;
        case 'c' : o.cancel = s4_step_place("file (must begin with /)", l.arg) ; break ;
        case 't' : o.timeout = s4_step_time(l.arg, 0) ; break ;
        case 'p' : add_dir(&o, l.arg) ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc || !genalloc_len(s4_held, &o.dirs)) s4_step_usage() ;
  if (s4.pid) s4_step_refuse("this waits for a signal, and may not be part of a chain") ;
  s4_step_checked(argv, 0) ;

  if (chdir("/") == -1) s4_warnsys("unable to change directory to /") ;
  s4_step_walk(argv) ;
  if (!hold(&o)) s4_step_giveup(S4_NOTSTARTED) ;
  look_at_namespace() ;
  if (o.notify >= 0) tell_ready(o.notify, o.timeout) ;
  wait_for_term(&term) ;
  if (is_cancelled(&o))
  {
    s4_info(o.cancel, " is gone: ", argv[0], " is not run") ;
    return S4_DONE ;
  }
  ignore_term(&before) ;
  s4_step_next(argv, S4_DONE) ;
}
