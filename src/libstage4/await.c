/* ISC license. */

/* Waiting until processes are gone, and who they are that don't go. */

#include <skalibs/nonposix.h>

#include <poll.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define NAMED_MAX 8     /* processes that one line names */
#define STACK_MAX 5     /* functions that are named of one that is stuck in the kernel */
#define PLACE_TIMEOUT 300   /* ms: to find out where all of these are, in which nobody's end is noticed */

struct living
{
  s4_process named[NAMED_MAX] ;    /* the first ones */
  unsigned int n ;                 /* all of them */
  pid_t stuck[NAMED_MAX] ;         /* those of the named that are in an uninterruptible sleep, in their order */
  unsigned int nstuck ;
  char place[NAMED_MAX][S4_ANSWER_MAX] ;
} ;

static void find_living (s4_victims const *victims, struct living *l)
{
  s4_victim const *v = s4_victims_list(victims) ;
  for (size_t i = 0 ; i < s4_victims_count(victims) ; i++)
  {
    s4_process now ;
    if (!s4_victim_lives(v + i)) continue ;
    if (l->n++ >= NAMED_MAX) continue ;
    l->named[l->n - 1] = s4_process_read(v[i].p.pid, &now) ? now : v[i].p ;
    if (l->named[l->n - 1].state == 'D') l->stuck[l->nstuck++] = v[i].p.pid ;
  }
}

 /* Where the kernel holds it: its stack, or at least the function (proc(5)). To look may mean to wait with it. */

static void tell_place (unsigned int i, stralloc *place, void *data)
{
  pid_t const pid = ((struct living const *)data)->stuck[i] ;
  stralloc text = STRALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  if ((!s4_proc_read(s4_proc_name(name, pid, "/stack"), &text) || s4_stack_names(place, &text, STACK_MAX) <= 0)
   && s4_proc_read(s4_proc_name(name, pid, "/wchan"), &text)) s4_cat(place, text.s) ;
}

unsigned int s4_victims_name (s4_victims const *victims, char const *what, s4_ms until)
{
  struct living l = { .n = 0 } ;
  s4_names names = S4_NAMES(NAMED_MAX) ;
  s4_ms const limit = s4_limit(PLACE_TIMEOUT) ;
  char const *place = l.place[0] ;
  find_living(victims, &l) ;
  if (!l.n) return 0 ;
  s4_ask_each(l.nstuck, &tell_place, &l, until < limit ? until : limit, l.place) ;
  for (unsigned int i = 0 ; i < l.n ; i++)
  {
    s4_process const *p = l.named + i ;
    if (!s4_names_next(&names)) continue ;
    if (!s4_cat(&names.text, S4_NUM(p->pid), " ", p->comm)) break ;
    if (p->state != 'D') continue ;
    if (!s4_cat(&names.text, " (uninterruptible in ", *place ? place : "the kernel", ")")) break ;
    place += S4_ANSWER_MAX ;
  }
  s4_info(what, s4_names_end(&names)) ;
  stralloc_free(&names.text) ;
  return l.n ;
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
      s4_victims_name(victims, "waiting for ", until) ;
      *next_report = s4_now() + S4_SLOW ;
      continue ;
    }
    if (v[i].pidfd < 0 && wake > now + S4_TICK) wake = now + S4_TICK ;
    s4_poll(&x, v[i].pidfd >= 0, wake) ;
  }
  return 1 ;
}
