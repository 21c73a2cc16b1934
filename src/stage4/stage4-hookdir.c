/* ISC license. */

/*
  stage4-hookdir: runs the executables of directories one after the other, by name, each with a limit, the
  action as argument.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-hookdir [ -v verbosity ] -d path [ -d path ]... [ -t timeout ] [ -k killgrace ] [ -e ] prog..."

static int run_hook (s4_hookfile const *h, s4_ms timeout, s4_ms killgrace)
{
  char const *argv[] = { h->path, s4_action_name(s4.action), 0 } ;
  switch (h->verdict)
  {
    case S4_HOOK_MASKS : s4_verbose(h->path, " masks ", h->name) ; return S4_DONE ;
    case S4_HOOK_NOT_EXECUTABLE : s4_warn("not executable, not run: ", h->path) ; return S4_LEFT ;
    case S4_HOOK_UNSAFE : s4_warn("others than root can write it, not run: ", h->path) ; return S4_LEFT ;
    default : return s4_hook(argv, timeout, killgrace) ;
  }
}

static int run_all (s4_hookfile const *h, size_t n, s4_ms timeout, s4_ms killgrace, int stop)
{
  int code = S4_DONE ;
  for (size_t i = 0 ; i < n ; i++)
  {
    int r ;
    if (i && !strcmp(h[i].name, h[i-1].name)) continue ;   /* the first directory wins */
    r = run_hook(h + i, timeout, killgrace) ;
    if (r && code != S4_LATE) code = r == S4_LATE ? r : S4_LEFT ;
    if (r && stop)
    {
      if (i + 1 < n) s4_warn("stopping, the rest is not run") ;
      break ;
    }
  }
  return code ;
}

static int hookdir (char const *const *dirs, unsigned int n, s4_ms timeout, s4_ms killgrace, int stop)
{
  genalloc hooks = GENALLOC_ZERO ;   /* s4_hookfile */
  int failed = 0 ;
  int r ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    if (s4_hookfiles_add(&hooks, dirs[i], i)) continue ;
    s4_warnsys("unable to list ", dirs[i]) ;
    failed = 1 ;
  }
  s4_hookfiles_sort(&hooks) ;
  r = run_all(genalloc_s(s4_hookfile, &hooks), genalloc_len(s4_hookfile, &hooks), timeout, killgrace, stop) ;
  return r ? r : failed ? S4_LEFT : S4_DONE ;
}

static void add_path (genalloc *dirs, char const *arg)
{
  char const *path = s4_step_file("path", arg) ;
  if (!genalloc_append(char const *, dirs, &path)) s4_step_nomem() ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_ms timeout = 30000, killgrace = 2000 ;
  genalloc dirs = GENALLOC_ZERO ;   /* char const * */
  int stop = 0 ;
  s4_step_init("stage4-hookdir", USAGE, 0, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "d:t:k:e", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'd' : add_path(&dirs, l.arg) ; break ;
        case 't' : timeout = s4_step_time(l.arg, 0) ; break ;
        case 'k' : killgrace = s4_step_time(l.arg, 1) ; break ;
        case 'e' : stop = 1 ; break ;
      }
    }
    argv += l.ind ;
  }
  if (!genalloc_len(char const *, &dirs)) s4_step_usage() ;
  s4_step_checked(argv, 0) ;
  s4_step_next(argv, hookdir(genalloc_s(char const *, &dirs), (unsigned int)genalloc_len(char const *, &dirs),
    timeout, killgrace, stop)) ;
}
