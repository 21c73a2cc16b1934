/* ISC license. */

/* Signals for processes that are to end: through their pidfds, or to all at once. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sig.h>

#include "stage4.h"

#define FIRST 99   /* real-time priority, the highest there is (sched(7)) */

 /* Without a pidfd of its own it is opened for that long, and looked at again: its pid may be another's meanwhile. */

static int signal_one (s4_victim const *v, int sig)
{
  int fd = v->pidfd >= 0 ? v->pidfd : s4_pidfd(v->p.pid) ;
  int r = (v->pidfd >= 0 || s4_victim_lives(v) == 1) && s4_pidfd_kill(fd, v->p.pid, sig) ;
  if (v->pidfd < 0 && fd >= 0) fd_close(fd) ;   /* keeps errno */
  return r ;
}

static void send (s4_victim const *v, int sig)
{
  if (signal_one(v, sig)) s4_trace(sig_name(sig), " to ", S4_NUM(v->p.pid), " ", v->p.comm) ;
  else if (errno != ESRCH) s4_warnsys("unable to send ", sig_name(sig), " to ", S4_NUM(v->p.pid), " ", v->p.comm) ;
}

int s4_nice (int value)
{
  int const before = getpriority(PRIO_PROCESS, 0) ;
  setpriority(PRIO_PROCESS, 0, value) ;   /* where it isn't permitted it only takes longer */
  return before ;
}

 /*
   Those who are woken up to die would run before us, one by one, and the last ones would begin their cleaning up
   only when all others are gone. So all are told first. But not if anybody else has a real-time policy: one that
   doesn't end would keep us out for ever.
 */

static int is_ordinary (int policy)
{
  return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ;
}

 /* Not by way of the libc: that of musl only ever says ENOSYS. */

static int set_policy (int policy, int priority)
{
  struct sched_param const p = { .sched_priority = priority } ;
  return !syscall(SYS_sched_setscheduler, 0, policy, &p) ;
}

 /* The policy to go back to, -1: none, it is ahead of the ordinary ones already or can't be. */

static int get_ahead (void)
{
  int const before = (int)syscall(SYS_sched_getscheduler, 0) ;
  return before >= 0 && is_ordinary(before) && set_policy(SCHED_RR, FIRST) ? before : -1 ;
}

void s4_victims_signal (s4_victims const *victims, int sig)
{
  s4_victim const *v = s4_victims_list(victims) ;
  size_t const n = s4_victims_count(victims) ;
  int const before = victims->some_realtime ? -1 : get_ahead() ;
  for (size_t i = 0 ; i < n ; i++) send(v + i, sig) ;
  for (size_t i = 0 ; i < n && sig != SIGKILL ; i++)
  {
    if (v[i].p.tty) signal_one(v + i, SIGHUP) ;   /* what an interactive shell ends on */
    signal_one(v + i, SIGCONT) ;                  /* a stopped process sees the others only then */
  }
  if (before >= 0) set_policy(before, 0) ;
}

 /* Nobody but victims: its leader is one, or is known to be gone. A group lives as long as somebody in it. */

static int is_theirs (s4_victims const *victims, pid_t group)
{
  s4_victim const *v = s4_victims_list(victims) ;
  s4_process leader ;
  if (group <= 1 || s4_victims_untouchable(victims, group)) return 0 ;
  if (!s4_process_read(group, &leader)) return errno == ESRCH ;
  if (leader.dead) return 1 ;
  for (size_t n = s4_victims_count(victims) ; n-- ; )
    if (v[n].p.pid == group && v[n].p.start == leader.start) return 1 ;
  return 0 ;
}

 /*
   fork(2) fails while a signal to all, or to the process group, is on its way (copy_process(), kernel/fork.c): there is
   no child that it doesn't reach.
 */

int s4_victims_sweep (s4_victims const *victims)
{
  s4_victim const *v = s4_victims_list(victims) ;
  pid_t last = 0 ;
  int some = 0 ;
  if (!victims->some_others && !victims->unseen) return !kill(-1, SIGKILL) ;
  for (size_t i = 0 ; i < s4_victims_count(victims) ; i++)
  {
    if (v[i].p.group == last) continue ;
    last = v[i].p.group ;
    some |= is_theirs(victims, last) && !kill(-last, SIGKILL) ;
  }
  return some ;
}
