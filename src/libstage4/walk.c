/* ISC license. */

/*
  Walk mode: a child goes along the line, and each program of the toolkit checks its options and executes
  the next one without acting, up to the first foreign word. $STAGE4_WALK is the pid that walks.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/sig.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static char const *const ours[] =
{
#define S4_PROGRAM(name) "stage4-" #name,
#include "programs.h"
} ;

int s4_is_ours (char const *word)
{
  char const *base = strrchr(word, '/') ;
  base = base ? base + 1 : word ;
  for (unsigned int i = 0 ; i < sizeof ours / sizeof *ours ; i++)
    if (!strcmp(base, ours[i])) return 1 ;
  return !strcmp(base, "stage4") ;
}

s4_main_func *(*s4_multicall) (char const *) = 0 ;

 /* In the one binary a walk needs no exec to get to the next program, if that is this very file. */

static void walk_in_place (char const *const *argv, char const *file)
{
  struct stat its, ours ;
  char const *base = strrchr(argv[0], '/') ;
  s4_main_func *next ;
  char const *const *env ;
  int argc = 0 ;
  if (!s4_multicall) return ;
  next = (*s4_multicall)(base ? base + 1 : argv[0]) ;
  if (!next || stat(file, &its) == -1 || fstatat(s4_proc(), "self/exe", &ours, 0) == -1) return ;
  if (its.st_dev != ours.st_dev || its.st_ino != ours.st_ino || !(env = s4_nextenv())) return ;
  while (argv[argc]) argc++ ;
  s4.modifs = (stralloc)STRALLOC_ZERO ;
  _exit((*next)(argc, (char const **)argv, env)) ;
}

 /* Ends only walking children: nobody waits for anything here. */

void s4_walk_on (char const *const *next)
{
  stralloc path = STRALLOC_ZERO ;
  if (!next[0]) _exit(0) ;
  if (!s4_find_program(next[0], &path))
  {
    s4_fatalsys("unable to find the next program, ", next[0]) ;
    _exit(S4_USAGE) ;
  }
  if (!s4_is_ours(next[0])) _exit(0) ;
  walk_in_place(next, path.s) ;
  s4_exec(next) ;
  s4_fatalsys("unable to execute the next program, ", next[0]) ;
  _exit(S4_USAGE) ;
}

int s4_walk (char const *const *argv, s4_ms timeout)
{
  int wstat ;
  pid_t pid ;
  if (!argv[0]) return 1 ;
  pid = s4_fork_worker(-1, 0) ;
  if (pid == -1)
  {
    s4_warnsys("unable to fork, the line is not checked") ;
    return 1 ;
  }
  if (!pid)
  {
    char fmt[PID_FMT] ;
    fmt[pid_fmt(fmt, getpid())] = 0 ;
    if (!s4_setenv("STAGE4_WALK", fmt))
    {
      s4_fatal("out of memory") ;
      _exit(S4_NOTSTARTED) ;
    }
    s4_walk_on(argv) ;
  }
  if (!s4_wait(pid, s4_now() + timeout, &wstat))
  {
    s4_warn("checking the line takes too long, going on without") ;
    kill(pid, SIGKILL) ;
    return 1 ;
  }
  if (WIFSIGNALED(wstat))   /* the OOM killer knows nothing of the line */
  {
    s4_warn("checking the line was ended by ", sig_name(WTERMSIG(wstat)), ", going on without") ;
    return 1 ;
  }
  return !WEXITSTATUS(wstat) ;
}
