/* ISC license. */

/* Names in a report: "a, b, c and 4 more". */

#include <skalibs/stralloc.h>

#include "stage4.h"

int s4_names_next (s4_names *x)
{
  return ++x->n <= x->max && (x->n == 1 || s4_cat(&x->text, ", ")) ;
}

char const *s4_names_end (s4_names *x)
{
  if (x->n > x->max && !s4_cat(&x->text, " and ", S4_NUM(x->n - x->max), " more")) return "" ;
  return x->text.len ? x->text.s : "" ;
}
