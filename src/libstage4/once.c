/* ISC license. */

/* What stage4-runonce does with each file, by what is known of it and what is recorded. Pure. */

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

static int is_stamped (s4_once const *o, genalloc const *stamps)
{
  s4_stamp const *st = genalloc_s(s4_stamp, stamps) ;
  for (size_t n = genalloc_len(s4_stamp, stamps) ; n-- ; )
    if (s4_sum_is(&st[n].sum, &o->sum)) return 1 ;
  return 0 ;
}

 /* A list may have been made elsewhere: only the last part of its names counts. */

static int is_allowed (s4_once const *o, genalloc const *allowed)
{
  s4_sum const *sum = genalloc_s(s4_sum, allowed) ;
  for (size_t n = genalloc_len(s4_sum, allowed) ; n-- ; )
  {
    char const *slash = strrchr(sum[n].name, '/') ;
    s4_sum last = sum[n] ;
    if (slash) last.name = slash + 1 ;
    if (s4_sum_is(&last, &o->sum)) return 1 ;
  }
  return 0 ;
}

 /* What is done is not run, so it doesn't matter any more who can write it. */

static enum s4_once_e judge (s4_once const *o, genalloc const *stamps, genalloc const *allowed)
{
  if (o->verdict == S4_HOOK_MASKS) return S4_ONCE_MASKED ;
  if (o->err == ENOENT) return S4_ONCE_GONE ;
  if (!o->err && is_stamped(o, stamps)) return S4_ONCE_DONE ;
  if (o->verdict == S4_HOOK_NOT_EXECUTABLE) return S4_ONCE_NOT_EXECUTABLE ;
  if (o->verdict == S4_HOOK_UNSAFE) return S4_ONCE_UNSAFE ;
  if (o->err) return S4_ONCE_UNREADABLE ;
  return allowed && !is_allowed(o, allowed) ? S4_ONCE_NOT_ALLOWED : S4_ONCE_RUN ;
}

int s4_once_left (enum s4_once_e plan)
{
  return plan != S4_ONCE_DONE && plan != S4_ONCE_MASKED && plan != S4_ONCE_GONE ;
}

int s4_once_refused (enum s4_once_e plan)
{
  return s4_once_left(plan) && plan != S4_ONCE_RUN && plan != S4_ONCE_BEHIND ;
}

size_t s4_once_plan (s4_once *o, size_t n, genalloc const *stamps, genalloc const *allowed, int stop)
{
  size_t left = 0 ;
  int stopped = 0 ;
  for (size_t i = 0 ; i < n ; i++)
  {
    o[i].plan = judge(o + i, stamps, allowed) ;
    if (stopped && o[i].plan == S4_ONCE_RUN) o[i].plan = S4_ONCE_BEHIND ;
    if (stop && s4_once_refused(o[i].plan)) stopped = 1 ;
    left += (size_t)s4_once_left(o[i].plan) ;
  }
  return left ;
}

int s4_once_any (s4_once const *o, size_t n)
{
  for (size_t i = 0 ; i < n ; i++) if (o[i].plan == S4_ONCE_RUN) return 1 ;
  return 0 ;
}

char const *s4_once_reason (enum s4_once_e p)
{
  switch (p)
  {
    case S4_ONCE_RUN : return "not run yet" ;
    case S4_ONCE_DONE : return "done already" ;
    case S4_ONCE_MASKED : return "masked" ;
    case S4_ONCE_GONE : return "gone" ;
    case S4_ONCE_NOT_EXECUTABLE : return "not executable" ;
    case S4_ONCE_UNSAFE : return "others than root can write it" ;
    case S4_ONCE_UNREADABLE : return "can't be read" ;
    case S4_ONCE_NOT_ALLOWED : return "not in the list of what is allowed" ;
    default : return "what is before it is not done" ;
  }
}
