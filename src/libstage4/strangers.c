/* ISC license. */

/*
  Records of what isn't here: an update has edited or dropped it. If one is later than all that are of something here,
  it may have been a downgrade. Pure.
*/

#include <stdint.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

 /* Of what is masked nobody has looked at the content, and nobody shall wonder at its records. */

static enum s4_known_e known (s4_stamp const *st, s4_once const *o, size_t n)
{
  enum s4_known_e k = S4_KNOWN_NOT ;
  for (size_t i = 0 ; i < n ; i++)
  {
    if (strcmp(o[i].sum.name, st->sum.name)) continue ;
    if (o[i].verdict == S4_HOOK_MASKS || (!o[i].err && s4_sum_is(&o[i].sum, &st->sum))) return S4_KNOWN ;
    k = S4_KNOWN_NAME ;
  }
  return k ;
}

void s4_strangers_find (genalloc *stamps, s4_once const *o, size_t n, int single)
{
  s4_stamp *st = genalloc_s(s4_stamp, stamps) ;
  size_t const m = genalloc_len(s4_stamp, stamps) ;
  int64_t last = INT64_MIN ;
  for (size_t i = 0 ; i < m ; i++)
  {
    st[i].known = known(st + i, o, n) ;
    if (st[i].known == S4_KNOWN && st[i].when > last) last = st[i].when ;
    if (single && st[i].known == S4_KNOWN_NOT) st[i].known = S4_KNOWN ;
  }
  for (size_t i = 0 ; i < m ; i++) st[i].later = st[i].known != S4_KNOWN && st[i].when > last ;
}
