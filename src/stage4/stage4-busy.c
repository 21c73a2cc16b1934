/* ISC license. */

/* stage4-busy: says who keeps file systems or block devices busy. */

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-busy [ -v verbosity ] [ -t timeout ] path|device..."

static void say (char const *const *names, genalloc const *found, unsigned int target)
{
  static stralloc line = STRALLOC_ZERO ;
  for (size_t k = 0 ; k < genalloc_len(s4_busy, found) ; k++)
  {
    s4_busy const *b = genalloc_s(s4_busy, found) + k ;
    if (b->target != target) continue ;
    line.len = 0 ;
    if (s4_busy_cat(&line, b)) s4_planline(names[target], ": ", line.s) ;
  }
}

static int find (char const *const *names, unsigned int n, s4_ms timeout)
{
  genalloc found = GENALLOC_ZERO ;   /* s4_busy */
  unsigned int which = 0 ;
  enum s4_sought_e const sought = s4_busy_find(&found, names, n, timeout, &which) ;
  int const e = errno ;
  if (sought == S4_NO_TABLE) s4_fatalsys("unable to read the mount table") ;
  if (sought == S4_NOT_THERE) s4_fatal("there is no ", names[which][0] == '/' ? "" : "dm device ", names[which]) ;
  if (sought != S4_SOUGHT) return S4_NOTSTARTED ;
  for (unsigned int i = 0 ; i < n ; i++) say(names, &found, i) ;
  if (e == ETIMEDOUT) s4_warn("not all could be seen: the time was up") ;
  else if (e) s4_warnerr(e, "not all could be seen") ;
  return e ? S4_LATE : genalloc_len(s4_busy, &found) ? S4_LEFT : S4_DONE ;
}

static char const *name_of (char const *arg)
{
  if (*arg == '/') return s4_step_path("path", arg) ;
  if (!*arg || strchr(arg, '/')) s4_step_badarg("path, device or name of a dm device", arg) ;
  return arg ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_ms timeout = 10000 ;
  s4_step_init("stage4-busy", USAGE, 0, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:", &l) ;
      if (opt == -1) break ;
      if (opt == 't') timeout = s4_step_time(l.arg, 0) ;
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc) s4_step_usage() ;
  for (int i = 0 ; i < argc ; i++) argv[i] = name_of(argv[i]) ;
  if (s4.walking) return S4_DONE ;
  return find(argv, (unsigned int)argc, timeout) ;
}
