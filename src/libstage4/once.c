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
    if (!memcmp(st[n].sum.hash, o->hash, S4_HASH_SIZE) && !strcmp(st[n].sum.name, o->name)) return 1 ;
  return 0 ;
}

 /* A list may have been made elsewhere: only the last part of its names counts. */

static int is_allowed (s4_once const *o, genalloc const *allowed)
{
  s4_sum const *sum = genalloc_s(s4_sum, allowed) ;
  for (size_t n = genalloc_len(s4_sum, allowed) ; n-- ; )
  {
    char const *slash = strrchr(sum[n].name, '/') ;
    if (!memcmp(sum[n].hash, o->hash, S4_HASH_SIZE) && !strcmp(slash ? slash + 1 : sum[n].name, o->name)) return 1 ;
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

 /* --- stamps of what isn't here --- */

 /* Of what is masked nobody has looked at the content, and nobody shall wonder at its stamps. */

static enum s4_known_e known (s4_stamp const *st, s4_once const *o, size_t n)
{
  enum s4_known_e k = S4_KNOWN_NOT ;
  for (size_t i = 0 ; i < n ; i++)
  {
    if (strcmp(o[i].name, st->sum.name)) continue ;
    if (o[i].verdict == S4_HOOK_MASKS) return S4_KNOWN ;
    if (!o[i].err && !memcmp(o[i].hash, st->sum.hash, S4_HASH_SIZE)) return S4_KNOWN ;
    k = S4_KNOWN_NAME ;
  }
  return k ;
}

void s4_once_know (s4_once const *o, size_t n, genalloc *stamps)
{
  s4_stamp *st = genalloc_s(s4_stamp, stamps) ;
  size_t const m = genalloc_len(s4_stamp, stamps) ;
  int64_t last = INT64_MIN ;
  for (size_t i = 0 ; i < m ; i++)
  {
    st[i].known = known(st + i, o, n) ;
    if (st[i].known == S4_KNOWN && st[i].when > last) last = st[i].when ;
  }
  for (size_t i = 0 ; i < m ; i++) st[i].later = st[i].known != S4_KNOWN && st[i].when > last ;
}
