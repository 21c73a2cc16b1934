/* ISC license. */

/* One file of stage4-runonce is run. It counts only if it is then still what it was. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <skalibs/djbunix.h>

#include "stage4.h"

#define KILLGRACE 2000

static s4_stampslock const *lock ;   /* of the run that is under way */

 /* The input is that of the program behind this one. */

static pid_t fork_without_input (int keep)
{
  pid_t pid = s4_fork_program(keep) ;
  if (pid > 0) s4_stamps_lock_with(lock, pid) ;
  if (!pid)
  {
    int fd = s4_open_device("/dev/null", O_RDONLY) ;
    if (fd > 0) fd_move(0, fd) ;
    else if (fd == -1) close(0) ;
  }
  return pid ;
}

int s4_once_run (s4_once const *o, s4_stampslock const *held, s4_ms timeout)
{
  char const *argv[] = { o->path, 0 } ;
  s4_once now = *o ;
  int r ;
  lock = held ;
  r = s4_hook_by(&fork_without_input, argv, timeout, KILLGRACE) ;
  if (r) return r ;
  if (!s4_once_look_again(&now)) s4_warnsys("unable to read it again, not recorded: ", o->path) ;
  else if (now.err == ENOENT) return S4_DONE ;   /* if it has removed itself, that is as good */
  else if (!now.err && s4_sum_is(&now.sum, &o->sum)) return S4_DONE ;
  else s4_warn("changed while it ran, not recorded: ", o->path) ;
  return S4_LEFT ;
}
