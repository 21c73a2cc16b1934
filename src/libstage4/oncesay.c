/* ISC license. */

/* What stage4-runonce says of the files that it doesn't run, or would run, and of records of others. */

#include <skalibs/genalloc.h>

#include "stage4.h"

#define NAMED_MAX 6

void s4_once_show (s4_once const *o, size_t n, int mark)
{
  for (size_t i = 0 ; i < n ; i++)
  {
    char const *verb = o[i].plan != S4_ONCE_RUN ? "leave " : mark ? "mark " : "run " ;
    s4_planline(verb, o[i].path, ": ", s4_once_reason(o[i].plan)) ;
  }
}

void s4_once_say (s4_once const *o)
{
  if (s4_once_left(o->plan)) s4_warn(s4_once_reason(o->plan), ", not run: ", o->path) ;
  else s4_verbose(s4_once_reason(o->plan), ": ", o->path) ;
}

void s4_strangers_show (genalloc const *stamps)
{
  s4_stamp const *st = genalloc_s(s4_stamp, stamps) ;
  for (size_t i = 0 ; i < genalloc_len(s4_stamp, stamps) ; i++)
  {
    char const *how = st[i].known == S4_KNOWN_NAME ? "with another content" : "not here" ;
    char const *when = st[i].later ? ", and later than all that are here" : "" ;
    if (st[i].known == S4_KNOWN) continue ;
    if (s4.dryrun) s4_planline("recorded ", st[i].sum.name, ": ", how, when) ;
    else s4_verbose("recorded ", st[i].sum.name, ": ", how, when) ;
  }
}

void s4_strangers_say (genalloc const *stamps)
{
  s4_names later = S4_NAMES(NAMED_MAX) ;
  s4_stamp const *st = genalloc_s(s4_stamp, stamps) ;
  for (size_t i = 0 ; i < genalloc_len(s4_stamp, stamps) ; i++)
    if (st[i].later && s4_names_next(&later)) s4_cat(&later.text, st[i].sum.name) ;
  if (later.n) s4_info("all is done, but something else was recorded later: ", s4_names_end(&later)) ;
}
