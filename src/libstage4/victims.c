/* ISC license. */

/*
  Processes that are to end. Each is opened (pidfd) before it is looked at, and signalled through that:
  it is the one that was looked at, however quickly pids are used again.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sig.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define SPARE_FILES 32  /* that are not taken for victims: what looks at them and signals them needs some */
#define NAMED_MAX 8     /* processes that one line names */
#define STACK_MAX 5     /* functions that are named of one that is stuck in the kernel */
#define PLACE_TIMEOUT 300

s4_victim *s4_victims_list (s4_victims const *victims)
{
  return genalloc_s(s4_victim, &victims->list) ;
}

size_t s4_victims_count (s4_victims const *victims)
{
  return genalloc_len(s4_victim, &victims->list) ;
}

 /* --- finding --- */

struct scan
{
  s4_victims *victims ;
  s4_victim_func *wanted ;
  void *data ;
  int files ;    /* fds from this one on are not kept */
} ;

static int is_untouchable (s4_victims const *victims, pid_t group)
{
  pid_t const *g = genalloc_s(pid_t, &victims->untouchable) ;
  for (size_t n = genalloc_len(pid_t, &victims->untouchable) ; n-- ; ) if (g[n] == group) return 1 ;
  return 0 ;
}

static int note_untouchable (s4_victims *victims, pid_t group)
{
  return is_untouchable(victims, group) || genalloc_append(pid_t, &victims->untouchable, &group) ;
}

 /* Beyond the limit victims are known by their pids and when they were born. */

static int open_victim (struct scan const *s, pid_t pid)
{
  int fd = s4_pidfd(pid) ;
  if (fd < s->files) return fd ;
  fd_close(fd) ;
  return -1 ;
}

static int consider (pid_t pid, void *data)
{
  struct scan *s = data ;
  s4_victim v = { .spared = S4_NOT_SPARED } ;
  int ok = 1 ;
  if (pid == 1 || pid == getpid()) return note_untouchable(s->victims, getpgid(pid)) ;
  v.pidfd = open_victim(s, pid) ;
  if (!s4_process_read(pid, &v.p))
  {
    if (errno != ESRCH) s->victims->unseen = errno ;
  }
  else if (!v.p.kthread && !v.p.dead)
  {
    s->victims->some_realtime |= v.p.realtime ;
    if (s->wanted(&v.p, s->data))
    {
      if (genalloc_append(s4_victim, &s->victims->list, &v)) return 1 ;
      ok = 0 ;
    }
    else
    {
      s->victims->some_others = 1 ;
      ok = note_untouchable(s->victims, v.p.group) ;
    }
  }
  if (v.pidfd >= 0) fd_close(v.pidfd) ;
  return ok ;
}

int s4_victims_find (s4_victims *victims, s4_victim_func *wanted, void *data)
{
  struct scan s = { .victims = victims, .wanted = wanted, .data = data, .files = INT_MAX } ;
  struct rlimit limit ;
  if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < INT_MAX) s.files = (int)limit.rlim_cur - SPARE_FILES ;
  victims->some_realtime = victims->some_others = victims->unseen = 0 ;
  return s4_processes(&consider, &s) == 1 ;
}

void s4_victims_forget (s4_victims *victims)
{
  s4_victim *v = s4_victims_list(victims) ;
  for (size_t n = s4_victims_count(victims) ; n-- ; ) if (v[n].pidfd >= 0) fd_close(v[n].pidfd) ;
  genalloc_setlen(s4_victim, &victims->list, 0) ;
  genalloc_setlen(pid_t, &victims->untouchable, 0) ;
}

int s4_victims_drop_spared (s4_victims *victims)
{
  s4_victim *v = s4_victims_list(victims) ;
  size_t n = s4_victims_count(victims) ;
  size_t kept = 0 ;
  int ok = 1 ;
  for (size_t i = 0 ; i < n ; i++)
  {
    if (!v[i].spared)
    {
      v[kept++] = v[i] ;
      continue ;
    }
    victims->some_others = 1 ;
    ok &= note_untouchable(victims, v[i].p.group) ;
    if (v[i].pidfd >= 0) fd_close(v[i].pidfd) ;
  }
  genalloc_setlen(s4_victim, &victims->list, kept) ;
  return ok ;
}

 /* --- signals --- */

 /* Without a pidfd of its own it is opened for that long, and looked at again: its pid may be another's meanwhile. */

static int is_still_there (s4_victim const *v)
{
  s4_process now ;
  return s4_process_read(v->p.pid, &now) && now.start == v->p.start && !now.dead ;
}

static int signal_one (s4_victim const *v, int sig)
{
  int fd = v->pidfd >= 0 ? v->pidfd : s4_pidfd(v->p.pid) ;
  int r = v->pidfd >= 0 || is_still_there(v) ? s4_pidfd_kill(fd, v->p.pid, sig) : (errno = ESRCH, 0) ;
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

static void set_policy (int policy)
{
  struct sched_param const p = { .sched_priority = sched_get_priority_max(policy) } ;
  sched_setscheduler(0, policy, &p) ;
}

void s4_victims_signal (s4_victims const *victims, int sig)
{
  s4_victim const *v = s4_victims_list(victims) ;
  size_t const n = s4_victims_count(victims) ;
  if (!victims->some_realtime) set_policy(SCHED_RR) ;
  for (size_t i = 0 ; i < n ; i++) send(v + i, sig) ;
  for (size_t i = 0 ; i < n && sig != SIGKILL ; i++)
  {
    if (v[i].p.tty) signal_one(v + i, SIGHUP) ;   /* what an interactive shell ends on */
    signal_one(v + i, SIGCONT) ;                  /* a stopped process sees the others only then */
  }
  if (!victims->some_realtime) set_policy(SCHED_OTHER) ;
}

 /* Nobody but victims, who may all be gone: a group lives as long as somebody in it. */

static int is_theirs (s4_victims const *victims, pid_t group)
{
  s4_victim const *v = s4_victims_list(victims) ;
  s4_process leader ;
  if (group <= 1 || is_untouchable(victims, group)) return 0 ;
  if (!s4_process_read(group, &leader) || leader.dead) return 1 ;
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

 /* --- waiting --- */

static int is_gone (s4_victim const *v)
{
  struct pollfd x = { .fd = v->pidfd, .events = POLLIN } ;
  return v->pidfd >= 0 ? poll(&x, 1, 0) == 1 : !is_still_there(v) ;
}

 /* Where the kernel holds it: its stack, or at least the function (proc(5)). To look may mean to wait with it. */

static int tell_place (int fd, void *data)
{
  pid_t const pid = *(pid_t const *)data ;
  stralloc text = STRALLOC_ZERO, place = STRALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  if ((!s4_proc_read(s4_proc_name(name, pid, "/stack"), &text) || s4_stack_names(&place, &text, STACK_MAX) <= 0)
   && s4_proc_read(s4_proc_name(name, pid, "/wchan"), &text) && !s4_cat(&place, text.s)) return ENOMEM ;
  return s4_answer(fd, place.s, place.len) ;
}

static int add_place (stralloc *sa, pid_t pid)
{
  static stralloc place = STRALLOC_ZERO ;
  int known = s4_ask(&tell_place, &pid, PLACE_TIMEOUT, &place) && place.len && stralloc_0(&place) ;
  return s4_cat(sa, " (uninterruptible in ", known ? place.s : "the kernel", ")") ;
}

unsigned int s4_victims_name (s4_victims const *victims, char const *what)
{
  s4_victim const *v = s4_victims_list(victims) ;
  s4_names names = S4_NAMES(NAMED_MAX) ;
  for (size_t i = 0 ; i < s4_victims_count(victims) ; i++)
  {
    s4_process now ;
    if (is_gone(v + i) || !s4_process_read(v[i].p.pid, &now) || !s4_names_next(&names)) continue ;
    if (!s4_cat(&names.text, S4_NUM(now.pid), " ", now.comm)) break ;
    if (now.state == 'D' && !add_place(&names.text, now.pid)) break ;
  }
  if (names.n) s4_info(what, s4_names_end(&names)) ;
  stralloc_free(&names.text) ;
  return names.n ;
}

 /* One after the other: all of them must be gone anyway. */

int s4_victims_wait (s4_victims const *victims, s4_ms until, s4_ms *next_report)
{
  s4_victim const *v = s4_victims_list(victims) ;
  for (size_t i = 0 ; i < s4_victims_count(victims) ; i++) while (!is_gone(v + i))
  {
    struct pollfd x = { .fd = v[i].pidfd, .events = POLLIN } ;
    s4_ms now = s4_now() ;
    s4_ms wake = until < *next_report ? until : *next_report ;
    if (now >= until) return 0 ;
    if (now >= *next_report)
    {
      s4_victims_name(victims, "waiting for ") ;
      *next_report = now + S4_SLOW ;
      continue ;
    }
    if (v[i].pidfd < 0 && wake > now + S4_TICK) wake = now + S4_TICK ;
    s4_poll(&x, v[i].pidfd >= 0, wake) ;
  }
  return 1 ;
}
