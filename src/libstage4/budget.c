/* ISC license. */

/* How long a wait may last, given the budget of the whole chain (doc/index.html, STAGE4_DEADLINE). */

#include "stage4.h"

#define RESERVE_MAX 15000      /* the last quarter, but not more, belongs to the finishing steps */
#define OBJECT_GRACE 500       /* past the deadline: one try of half a second for each object ... */
#define STEP_GRACE 2000        /* ... and two seconds for a step */

s4_ms s4_budget_deadline (s4_ms begun, s4_ms deadline, int finishing)
{
  s4_ms reserve ;
  if (deadline == S4_NEVER || finishing) return deadline ;
  reserve = deadline > begun ? (deadline - begun) / 4 : 0 ;
  return deadline - (reserve > RESERVE_MAX ? RESERVE_MAX : reserve) ;
}

s4_ms s4_budget_limit (s4_budget const *b, s4_ms now, s4_ms timeout)
{
  s4_ms limit, last ;
  if (b->deadline >= S4_NEVER - STEP_GRACE) return now + timeout ;
  limit = b->deadline > now + OBJECT_GRACE ? b->deadline : now + OBJECT_GRACE ;
  last = (b->deadline > b->start ? b->deadline : b->start) + STEP_GRACE ;
  if (limit > last) limit = last ;
  return limit < now + timeout ? limit : now + timeout ;
}
