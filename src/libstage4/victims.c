/* ISC license. */

/*
  Processes that are to end. Each is opened (pidfd) before it is looked at: it is the one that was looked at, however
  quickly pids are used again.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define SPARE_FILES 32  /* that are not taken for victims: what looks at them and signals them needs some */

s4_victim *s4_victims_list (s4_victims const *victims)
{
  return genalloc_s(s4_victim, &victims->list) ;
}

size_t s4_victims_count (s4_victims const *victims)
{
  return genalloc_len(s4_victim, &victims->list) ;
}

int s4_victims_have (s4_victims const *victims, pid_t pid)
{
  s4_victim const *v = s4_victims_list(victims) ;
  for (size_t n = s4_victims_count(victims) ; n-- ; ) if (v[n].p.pid == pid) return 1 ;
  return 0 ;
}

struct scan
{
  s4_victims *victims ;
  s4_victim_func *wanted ;
  void *data ;
  int files ;    /* fds from this one on are not kept */
} ;

int s4_victims_untouchable (s4_victims const *victims, pid_t group)
{
  return s4_pids_have(&victims->untouchable, group) ;
}

static int note_untouchable (s4_victims *victims, pid_t group)
{
  return s4_victims_untouchable(victims, group) || genalloc_append(pid_t, &victims->untouchable, &group) ;
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
      ok = genalloc_append(pid_t, &s->victims->others, &pid) && note_untouchable(s->victims, v.p.group) ;
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
  genalloc_setlen(pid_t, &victims->others, 0) ;
  return s4_processes(&consider, &s) == 1 ;
}

void s4_victims_forget (s4_victims *victims)
{
  s4_victim *v = s4_victims_list(victims) ;
  for (size_t n = s4_victims_count(victims) ; n-- ; ) if (v[n].pidfd >= 0) fd_close(v[n].pidfd) ;
  genalloc_setlen(s4_victim, &victims->list, 0) ;
  genalloc_setlen(pid_t, &victims->untouchable, 0) ;
}

void s4_victims_free (s4_victims *victims)
{
  s4_victims_forget(victims) ;
  genalloc_free(s4_victim, &victims->list) ;
  genalloc_free(pid_t, &victims->others) ;
  genalloc_free(pid_t, &victims->untouchable) ;
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

int s4_victim_lives (s4_victim const *v)
{
  struct pollfd x = { .fd = v->pidfd, .events = POLLIN } ;
  s4_process now ;
  if (v->pidfd >= 0) return poll(&x, 1, 0) != 1 ? 1 : (errno = ESRCH, 0) ;
  if (!s4_process_read(v->p.pid, &now)) return errno == ESRCH ? 0 : -1 ;
  return now.start == v->p.start && !now.dead ? 1 : (errno = ESRCH, 0) ;
}

enum s4_birth_e s4_victims_birth (s4_victims const *victims, uint64_t since)
{
  s4_victim const *v = s4_victims_list(victims) ;
  enum s4_birth_e birth = S4_BORN_OF_PID_1 ;
  for (size_t n = s4_victims_count(victims) ; n-- ; )
  {
    if (v[n].p.start <= since) return S4_BORN_BEFORE ;   /* in that tick: nobody knows */
    if (v[n].p.ppid != 1) birth = S4_BORN_OF_OTHERS ;
  }
  return birth ;
}
