/* ISC license. */

/* The budget: who may use how much of it, and what remains past its end. */

#include "stage4.h"
#include "tap.h"

static struct { char const *name ; s4_ms begun, deadline ; int finishing ; s4_ms want ; } const deadlines[] =
{
  { "no budget", 1000, S4_NEVER, 0, S4_NEVER },
  { "no budget, finishing", 1000, S4_NEVER, 1, S4_NEVER },
  { "a quarter is reserved", 1000, 41000, 0, 31000 },
  { "all of it for the finishing steps", 1000, 41000, 1, 41000 },
  { "15 s are reserved at most", 0, 90000, 0, 75000 },
  { "exactly 15 s", 5000, 65000, 0, 50000 },
  { "a millisecond less", 0, 59996, 0, 44997 },
  { "far away", 0, 86400000, 0, 86385000 },
  { "less than four milliseconds", 100, 103, 0, 103 },
  { "nothing", 100, 100, 0, 100 },
  { "over before it began", 100, 50, 0, 50 },
  { "over before it began, finishing", 100, 50, 1, 50 },
  { "not known when it began", 0, 1000000, 0, 985000 },
} ;

#define LIMIT(d, s) { .deadline = (d), .start = (s) }

static struct { char const *name ; s4_budget b ; s4_ms now, timeout, want ; } const limits[] =
{
  { "no budget", LIMIT(S4_NEVER, 0), 5000, 300, 5300 },
  { "no budget, long", LIMIT(S4_NEVER, 0), 5000, 2147483647, 2147488647 },
  { "no budget, no time", LIMIT(S4_NEVER, 0), 5000, 0, 5000 },
  { "the time is shorter than the budget", LIMIT(10000, 0), 1000, 300, 1300 },
  { "the time ends with the budget", LIMIT(10000, 0), 1000, 9000, 10000 },
  { "the budget is shorter", LIMIT(10000, 0), 1000, 60000, 10000 },
  { "half a second before the end", LIMIT(10000, 0), 9500, 60000, 10000 },
  { "at the end: half a second", LIMIT(10000, 0), 10000, 60000, 10500 },
  { "past the end: half a second", LIMIT(10000, 0), 10700, 60000, 11200 },
  { "past the end: less if less is asked for", LIMIT(10000, 0), 10700, 200, 10900 },
  { "past the end: two seconds in all", LIMIT(10000, 0), 11800, 60000, 12000 },
  { "two seconds past the end: nothing", LIMIT(10000, 0), 12000, 60000, 12000 },
  { "long past the end: long over", LIMIT(10000, 0), 20000, 60000, 12000 },
  { "a step that begins past the end: half a second", LIMIT(10000, 50000), 50000, 60000, 50500 },
  { "a step that begins past the end: two seconds in all", LIMIT(10000, 50000), 51900, 60000, 52000 },
  { "an end that never comes", LIMIT(INT64_MAX - 1, 0), 5000, 300, 5300 },
  { "a step that begins past the end: over", LIMIT(10000, 50000), 53000, 60000, 52000 },
} ;

 /* Twenty objects that hang, one after the other, at any moment: each gets its try, the step ends in time. */

static int bounded (s4_ms deadline, s4_ms start, s4_ms timeout)
{
  s4_budget b = LIMIT(deadline, start) ;
  s4_ms last = (deadline > start ? deadline : start) + 2000 ;
  s4_ms now = start ;
  for (unsigned int i = 0 ; i < 20 ; i++)
  {
    s4_ms limit = s4_budget_limit(&b, now, timeout) ;
    if (limit > now + timeout) return 0 ;
    if (limit > last) return 0 ;
    if (now + 500 <= last && timeout >= 500 && limit < now + 500) return 0 ;
    if (limit > now) now = limit ;
  }
  return now <= last ;
}

int main (void)
{
  int good = 1 ;
  for (size_t i = 0 ; i < sizeof deadlines / sizeof *deadlines ; i++)
    is_number(s4_budget_deadline(deadlines[i].begun, deadlines[i].deadline, deadlines[i].finishing), deadlines[i].want, deadlines[i].name) ;
  for (size_t i = 0 ; i < sizeof limits / sizeof *limits ; i++)
    is_number(s4_budget_limit(&limits[i].b, limits[i].now, limits[i].timeout), limits[i].want, limits[i].name) ;
  for (unsigned int i = 0 ; i < 2000 && good ; i++)
  {
    s4_ms deadline = 1 + random_below(100000), start = random_below(120000), timeout = random_below(30000) ;
    good = bounded(deadline, start, timeout) ;
    if (!good) note("deadline %" PRId64 ", start %" PRId64 ", timeout %" PRId64, deadline, start, timeout) ;
  }
  ok(good, "twenty objects that hang are over in time, whenever") ;
  return done() ;
}
