/* ISC license. */

/* Times from any text, and budgets from any numbers that the environment can hold (s4_chain_read). */

#include <limits.h>

#include "stage4.h"
#include "fuzz.h"

static void scan (uint8_t const *data, size_t size)
{
  char *s = fuzz_string(data, size) ;
  char buf[S4_MSFMT], again[32] ;
  s4_ms t = -1, u ;
  if (s4_ms_scan(s, &t))
  {
    must(t >= 0 && t <= INT_MAX && *s >= '0' && *s <= '9') ;
    snprintf(again, sizeof again, "%lldms", (long long)t) ;
    must(s4_ms_scan(again, &u) && u == t) ;
    must(s4_ms_fmt(buf, t) == buf && strlen(buf) < sizeof buf) ;
  }
  free(s) ;
}

static void budget (s4_ms begun, s4_ms deadline, s4_ms start, s4_ms now, s4_ms timeout)
{
  char buf[S4_MSFMT] ;
  s4_ms mine = s4_budget_deadline(begun, deadline, 0) ;
  s4_budget b = { .deadline = mine, .start = start } ;
  s4_ms limit ;
  must(s4_budget_deadline(begun, deadline, 1) == deadline) ;
  must(deadline == S4_NEVER ? mine == S4_NEVER : mine <= deadline && deadline - mine <= 15000) ;
  if (deadline != S4_NEVER && begun <= deadline) must(mine >= begun && deadline - mine <= (deadline - begun) / 4) ;
  for (unsigned int finishing = 0 ; finishing < 2 ; finishing++)
  {
    b.deadline = finishing ? deadline : mine ;
    limit = s4_budget_limit(&b, now, timeout) ;
    must(limit <= now + timeout) ;
    if (b.deadline == S4_NEVER) must(limit == now + timeout) ;
    else if (limit > b.deadline && limit > start) must(limit - (b.deadline > start ? b.deadline : start) <= 2000) ;
    if (now <= b.deadline && now + timeout <= b.deadline) must(limit == now + timeout) ;
    s4_ms_fmt(buf, limit - now) ;
    must(memchr(buf, 0, sizeof buf)) ;
  }
  s4_ms_fmt(buf, begun - deadline) ;
  must(memchr(buf, 0, sizeof buf)) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  uint64_t x[5] ;
  scan(data, size) ;
  if (size < sizeof x) return 0 ;
  memcpy(x, data, sizeof x) ;
  x[0] &= INT64_MAX ;   /* begun */
  x[1] &= INT64_MAX ;   /* deadline */
  x[2] &= INT64_MAX >> 8 ;   /* a clock doesn't reach the end of time */
  x[3] &= INT64_MAX >> 8 ;
  x[4] &= INT_MAX ;
  if (x[2] > x[3]) x[3] = x[2] ;   /* now is never before the step began */
  budget((s4_ms)x[0], (s4_ms)x[1], (s4_ms)x[2], (s4_ms)x[3], (s4_ms)x[4]) ;
  return 0 ;
}
