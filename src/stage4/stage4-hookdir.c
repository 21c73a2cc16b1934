/* ISC license. */

/*
  stage4-hookdir: runs the executables of directories one after the other, by name, each with a limit, the
  action as argument.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-hookdir [ -v verbosity ] -d path [ -d path ]... [ -t timeout ] [ -k killgrace ] [ -e ] prog..."
#define LIST_TIMEOUT 5000

struct hook
{
  char const *name ;
  char const *path ;
  unsigned int rank ;    /* of its directory on the command line */
  char verdict ;
} ;

 /* --- listing, in a child: "verdict path NUL" for each file --- */

#define RUN '+'
#define MASKED '0'
#define UNSAFE 'w'
#define NOT_EXECUTABLE 'x'

static int is_unsafe (struct stat const *st)
{
  return (st->st_uid && st->st_uid != geteuid()) || st->st_mode & (S_IWGRP | S_IWOTH) ;
}

static char judge_file (char const *path)
{
  char target[16] ;
  struct stat st ;
  ssize_t r = readlink(path, target, sizeof target) ;
  if (r == 9 && !memcmp(target, "/dev/null", 9)) return MASKED ;
  if (stat(path, &st) == -1 || !S_ISREG(st.st_mode) || access(path, X_OK) == -1) return NOT_EXECUTABLE ;
  return is_unsafe(&st) ? UNSAFE : RUN ;
}

static int tell (int fd, char verdict, char const *path)
{
  int e = s4_answer(fd, &verdict, 1) ;
  return e ? e : s4_answer(fd, path, strlen(path) + 1) ;
}

struct listing
{
  char const *dirname ;
  int unsafe ;
  int out ;
  int err ;
} ;

static int list_file (char const *name, void *data)
{
  struct listing *l = data ;
  stralloc path = STRALLOC_ZERO ;
  if (!s4_cat(&path, l->dirname, "/", name)) l->err = ENOMEM ;
  else l->err = tell(l->out, l->unsafe ? UNSAFE : judge_file(path.s), path.s) ;
  stralloc_free(&path) ;
  return !l->err ;
}

static int list_directory (int out, char const *dirname, int unsafe)
{
  struct listing l = { .dirname = dirname, .unsafe = unsafe, .out = out } ;
  return s4_dir_each(open(dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &list_file, &l) == -1 ? errno : l.err ;
}

static int list (int fd, void *data)
{
  char const *path = data ;
  struct stat st ;
  if (stat(path, &st) == -1) return errno == ENOENT ? 0 : errno ;   /* no directory is no failure */
  return S_ISDIR(st.st_mode) ? list_directory(fd, path, is_unsafe(&st)) : tell(fd, judge_file(path), path) ;
}

static int add_hooks (genalloc *hooks, stralloc const *answer, unsigned int rank)
{
  for (size_t i = 0 ; i < answer->len ; i += strlen(answer->s + i) + 1)
  {
    struct hook h = { .verdict = answer->s[i], .path = answer->s + i + 1, .rank = rank } ;
    h.name = strrchr(h.path, '/') ;
    h.name = h.name ? h.name + 1 : h.path ;
    if (!genalloc_append(struct hook, hooks, &h)) return 0 ;
  }
  return 1 ;
}

 /* --- running --- */

static int by_name (void const *a, void const *b)
{
  struct hook const *x = a, *y = b ;
  int r = strcmp(x->name, y->name) ;
  return r ? r : x->rank < y->rank ? -1 : x->rank > y->rank ;
}

static int run_hook (struct hook const *h, s4_ms timeout, s4_ms killgrace)
{
  char const *argv[] = { h->path, s4_action_name(s4.action), 0 } ;
  switch (h->verdict)
  {
    case MASKED : s4_verbose(h->path, " masks ", h->name) ; return S4_DONE ;
    case NOT_EXECUTABLE : s4_warn("not executable, not run: ", h->path) ; return S4_LEFT ;
    case UNSAFE : s4_warn("others than root can write it, not run: ", h->path) ; return S4_LEFT ;
    default : return s4_hook(argv, timeout, killgrace) ;
  }
}

static int run_all (struct hook const *h, size_t n, s4_ms timeout, s4_ms killgrace, int stop)
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
  genalloc hooks = GENALLOC_ZERO ;
  int failed = 0 ;
  int r ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    stralloc answer = STRALLOC_ZERO ;
    if (!s4_ask(&list, (void *)dirs[i], LIST_TIMEOUT, &answer))
    {
      s4_warnsys("unable to list ", dirs[i]) ;
      failed = 1 ;
    }
    else if (!add_hooks(&hooks, &answer, i)) failed = 1 ;
  }
  n = (unsigned int)genalloc_len(struct hook, &hooks) ;
  if (n) qsort(hooks.s, n, sizeof(struct hook), &by_name) ;
  r = run_all(genalloc_s(struct hook, &hooks), n, timeout, killgrace, stop) ;
  return r ? r : failed ? S4_LEFT : S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_ms timeout = 30000, killgrace = 2000 ;
  genalloc dirs = GENALLOC_ZERO ;
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
        case 'd' :
          if (!*l.arg) s4_step_badarg("path", l.arg) ;
          if (!genalloc_append(char const *, &dirs, &l.arg)) s4_step_nomem() ;
          break ;
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
