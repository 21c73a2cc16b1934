/* ISC license. */

/*
  Walk mode: a child goes along the line, and each program of the toolkit checks its options and executes
  the next one without acting, up to the first foreign word. $STAGE4_WALK is the pid that walks.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static char const *const ours[] =
{
#define S4_PROGRAM(name) "stage4-" #name,
#include "programs.h"
#undef S4_PROGRAM
} ;

int s4_is_ours (char const *word)
{
  char const *base = strrchr(word, '/') ;
  base = base ? base + 1 : word ;
  for (unsigned int i = 0 ; i < sizeof ours / sizeof *ours ; i++)
    if (!strcmp(base, ours[i])) return 1 ;
  return !strcmp(base, "stage4") ;
}

static int is_executable (char const *file)
{
  struct stat st ;
  if (stat(file, &st) == -1) return 0 ;
  if (!S_ISREG(st.st_mode)) return (errno = EACCES, 0) ;
  return !access(file, X_OK) ;
}

static int try_place (stralloc *path, char const *dir, size_t len, char const *word)
{
  path->len = 0 ;
  return stralloc_catb(path, dir, len) && (!len || stralloc_cats(path, "/"))
   && stralloc_cats(path, word) && stralloc_0(path) && is_executable(path->s) ;
}

 /* The search of execvp(3), as skalibs' execvep does it: a word with a slash is a path. */

int s4_find_program (char const *word, stralloc *path)
{
  char const *dirs = s4_nextpath() ;
  int e = ENOENT ;
  if (strchr(word, '/')) return try_place(path, "", 0, word) ;
  for (;;)
  {
    size_t len = strcspn(dirs, ":") ;
    if (try_place(path, len ? dirs : ".", len ? len : 1, word)) return 1 ;
    if (errno == EACCES) e = EACCES ;
    if (!dirs[len]) return (errno = e, 0) ;
    dirs += len + 1 ;
  }
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
  s4_exec(next) ;
  s4_fatalsys("unable to execute the next program, ", next[0]) ;
  _exit(S4_USAGE) ;
}

int s4_walk (char const *const *argv, s4_ms timeout)
{
  int wstat ;
  pid_t pid ;
  if (!argv[0]) return 1 ;
  pid = s4_fork(-1, 0) ;
  if (pid == -1)
  {
    s4_warnsys("unable to fork, the line is not checked") ;
    return 1 ;
  }
  if (!pid)
  {
    char fmt[PID_FMT] ;
    fmt[pid_fmt(fmt, getpid())] = 0 ;
    if (!s4_setenv("STAGE4_WALK", fmt)) _exit(S4_NOTSTARTED) ;
    s4_walk_on(argv) ;
  }
  if (!s4_wait(pid, s4_now() + timeout, &wstat))
  {
    s4_warn("checking the line takes too long, going on without") ;
    return 1 ;
  }
  return WIFEXITED(wstat) && !WEXITSTATUS(wstat) ;
}
