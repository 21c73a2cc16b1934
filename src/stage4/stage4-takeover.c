/* ISC license. */

/* stage4-takeover: makes pid 1 of an s6 system, s6-svscan, execute into a chain. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdio.h>   /* rename */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/sgetopt.h>
#include <skalibs/skamisc.h>
#include <skalibs/stralloc.h>

#include <execline/config.h>

#include <s6/supervise.h>

#include "stage4.h"

#define USAGE "stage4-takeover [ -v verbosity ] [ -t timeout ] scandir prog..."
#define FINISH "/" S6_SVSCAN_CTLDIR "/finish"

struct names
{
  stralloc finish, new, old ;
  int had_old ;
  int placed ;
} ;

static int make_names (struct names *n, char const *scandir)
{
  return s4_cat(&n->finish, scandir, FINISH) && s4_cat(&n->new, scandir, FINISH ".stage4-new")
   && s4_cat(&n->old, scandir, FINISH ".stage4-old") ;
}

 /* Pid 1 has its own directory and $PATH: what was found here must be found there. */

static int find_absolute (stralloc *path, char const *word)
{
  stralloc cwd = STRALLOC_ZERO ;
  if (!s4_find_program(word, path)) return 0 ;
  path->len = strlen(path->s) ;
  if (path->s[0] == '/') return 1 ;
  return sagetcwd(&cwd) != -1 && stralloc_append(&cwd, '/') && stralloc_insert(path, 0, &cwd) && stralloc_0(path)
   && (path->len--, 1) ;
}

static int find_execline (stralloc *path, char const *word)
{
  if (find_absolute(path, s4_concat(EXECLINE_EXTBINPREFIX, word))
   || find_absolute(path, s4_concat(EXECLINE_SHEBANGPREFIX, word))
   || find_absolute(path, word)) return 1 ;
  s4_warnsys("unable to find execline's ", word) ;
  return 0 ;
}

static int pid1_has_path (void)
{
  stralloc env = STRALLOC_ZERO ;
  if (!s4_proc_read("1/environ", &env)) return 0 ;
  for (size_t i = 0 ; i < env.len ; i += strlen(env.s + i) + 1)
    if (!strncmp(env.s + i, "PATH=", 5)) return !strcmp(env.s + i + 5, s4_nextpath()) ;
  return 0 ;
}

static int add_word (stralloc *script, char const *word)
{
  return string_quote(script, word, strlen(word)) && stralloc_append(script, ' ') ;
}

 /*
   An execline script: no shell, and every word quoted, so that it means the same there. -P: what s6-svscan
   adds as arguments is not ours.
 */

static int make_script (stralloc *script, char const *const *prog)
{
  stralloc path = STRALLOC_ZERO ;
  if (!find_execline(&path, "execlineb") || !s4_cat(script, "#!", path.s, " -P\n")) return 0 ;
  if (!pid1_has_path()
   && (!find_execline(&path, "export") || !add_word(script, path.s)
    || !add_word(script, "PATH") || !add_word(script, s4_nextpath()))) return 0 ;
  if (!find_absolute(&path, prog[0]) || !add_word(script, path.s)) return 0 ;
  for (prog++ ; *prog ; prog++) if (!add_word(script, *prog)) return 0 ;
  return stralloc_append(script, '\n') ;
}

static int put_in_place (struct names *n, stralloc const *script)
{
  unlink(n->old.s) ;
  if (!openwritenclose_unsafe(n->new.s, script->s, script->len) || chmod(n->new.s, 0755) == -1) return 0 ;
  n->had_old = !link(n->finish.s, n->old.s) ;
  if (!n->had_old && errno != ENOENT) return 0 ;
  n->placed = !rename(n->new.s, n->finish.s) ;   /* atomic: there is always one that s6-svscan can execute */
  return n->placed ;
}

static void put_back (struct names *n)
{
  unlink(n->new.s) ;
  if (!n->placed)
  {
    if (n->had_old) unlink(n->old.s) ;
    return ;
  }
  if (n->had_old ? rename(n->old.s, n->finish.s) == -1 : unlink(n->finish.s) == -1)
    s4_warnsys("unable to put back ", n->finish.s) ;
}

static int pid1_program (stralloc *sa)
{
  char target[4096] ;
  ssize_t r = readlinkat(s4_proc(), "1/exe", target, sizeof target) ;
  return r > 0 && stralloc_copyb(sa, target, (size_t)r) && stralloc_0(sa) ;
}

 /* s6-svscan, told to abort, executes its finish script: pid 1 is another program then. */

static int wait_for_change (stralloc const *before, s4_ms until)
{
  stralloc now = STRALLOC_ZERO ;
  for (;;)
  {
    if (pid1_program(&now) && strcmp(now.s, before->s)) return 1 ;
    if (s4_now() >= until) return 0 ;
    s4_poll(0, 0, s4_now() + S4_TICK) ;
  }
}

static int is_scandir_of_pid1 (char const *scandir)
{
  struct stat its, ours ;
  return !fstatat(s4_proc(), "1/cwd", &its, 0) && !stat(scandir, &ours) && its.st_dev == ours.st_dev
   && its.st_ino == ours.st_ino ;
}

static int takeover (char const *scandir, char const *const *prog, s4_ms timeout)
{
  struct names n = { .finish = STRALLOC_ZERO, .new = STRALLOC_ZERO, .old = STRALLOC_ZERO } ;
  stralloc script = STRALLOC_ZERO, before = STRALLOC_ZERO ;
  if (!pid1_program(&before)) return (s4_fatalsys("unable to see what pid 1 is"), 0) ;
  if (!is_scandir_of_pid1(scandir)) return (s4_fatal("pid 1, ", before.s, ", does not run on ", scandir), 0) ;
  if (!make_names(&n, scandir) || !make_script(&script, prog))
    return (s4_fatalsys("unable to make the finish script"), 0) ;
  if (!put_in_place(&n, &script)) s4_fatalsys("unable to write ", n.finish.s) ;
  else if (s6_svc_writectl(scandir, S6_SVSCAN_CTLDIR, "b", 1) <= 0)
    s4_fatalsys("unable to tell s6-svscan on ", scandir, " to end") ;
  else if (wait_for_change(&before, s4_now() + timeout)) return 1 ;
  else s4_fatal("pid 1 is still ", before.s, " after ", S4_MS(timeout)) ;
  put_back(&n) ;
  return wait_for_change(&before, 0) ;   /* it may have read the script at the last moment */
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_ms timeout = 5000 ;
  s4_step_init("stage4-takeover", USAGE, 0, argv, envp) ;
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
  if (argc < 2) s4_step_usage() ;
  s4_step_checked(argv + 1, 0) ;

  if (geteuid())
  {
    s4_fatal("only root can take over pid 1; nothing was touched") ;
    s4_step_giveup(S4_NOTSTARTED) ;
  }
  s4_step_walk(argv + 1) ;
  if (!takeover(argv[0], argv + 1, timeout)) s4_step_giveup(S4_NOTSTARTED) ;
  s4_info("pid 1 is the chain now") ;
  for (;;) s4_poll(0, 0, S4_NEVER) ;
}
