/* ISC license. */

/* Waiting until processes are gone, and who they are that don't go. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <poll.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define NAMED_MAX 8     /* processes that one line names */
#define STACK_MAX 5     /* functions that are named of one that is stuck in the kernel */
#define PLACE_TIMEOUT 300

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
    if (!s4_victim_lives(v + i) || !s4_process_read(v[i].p.pid, &now) || !s4_names_next(&names)) continue ;
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
  for (size_t i = 0 ; i < s4_victims_count(victims) ; i++) while (s4_victim_lives(v + i))
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
