/* ISC license. */

/*
  stage4-runonce: runs those executables of a directory, by name, that have not yet succeeded with this content. Each
  success is on disk before the next one starts.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-runonce [ -v verbosity ] [ -s statedir ] [ -p stop|continue ] [ -t timeout ] [ -l allowlist ] [ -m ] [ -n ] dir|file prog..."
#define STATEDIR "/var/lib/stage4/runonce"

struct job
{
  char const *state ;
  char const *list ;    /* of what is allowed, or null */
  s4_ms timeout ;
  int stop ;            /* at the first failure */
  int mark ;            /* -m */
  s4_once *once ;       /* the files */
  size_t n ;
  int single ;          /* a file was given: records of other names are others' */
  genalloc allowed ;    /* s4_sum */
  s4_stamps stamps ;
  s4_stampslock lock ;
  size_t left ;         /* of how many something is still to be done */
  int started ;         /* something was run or marked */
} ;

 /* --- what is known; 0: reported --- */

static int unusable (char const *what, char const *path)
{
  if (errno != EPERM) return s4_unable(what, path) ;
  s4_fatal("others than root can write it, not used: ", path) ;
  return 0 ;
}

static int load_list (struct job *j)
{
  size_t bad ;
  if (!j->list || s4_sums_load(j->list, &j->allowed, &bad)) return 1 ;
  if (!bad) return unusable("read ", j->list) ;
  s4_fatal("not a line of sha256sum: ", j->list, ", line ", S4_NUM((int64_t)bad)) ;
  return 0 ;
}

static size_t plan (struct job const *j, s4_once *o, size_t n, int stop)
{
  return s4_once_plan(o, n, &j->stamps.list, j->list ? &j->allowed : 0, stop) ;
}

static int know (struct job *j)
{
  if (!s4_stamps_load(&j->stamps, j->state)) return unusable("read the state directory ", j->state) ;
  if (!s4_once_look(j->once, j->n)) return s4_unable("read what is to be run", "") ;
  s4_strangers_find(&j->stamps.list, j->once, j->n, j->single) ;
  j->left = plan(j, j->once, j->n, j->stop) ;
  return 1 ;
}

 /* --- one after the other --- */

 /* The record is on disk before it is run, so a full one is found out, and gets its name after that. -1: unwritable */

static int run (struct job *j, s4_once const *o)
{
  int r ;
  if (!s4_stamp_prepare(j->state, &o->sum, j->timeout)) return -1 ;
  j->started = 1 ;
  r = j->mark ? S4_DONE : s4_once_run(o, &j->lock, j->timeout) ;
  if (r) s4_stamp_drop(j->state, &o->sum) ;
  else if (!s4_stamp_commit(j->state, &o->sum, j->timeout)) return -1 ;
  else s4_info(j->mark ? "marked as done: " : "done and recorded: ", o->path) ;
  return r ;
}

 /* What ran before this one may have changed it. */

static int take_one (struct job *j, s4_once *o)
{
  if (o->plan == S4_ONCE_RUN)
  {
    if (!s4_once_look_again(o)) o->err = errno ;
    plan(j, o, 1, 0) ;
    if (o->plan == S4_ONCE_RUN) return run(j, o) ;
  }
  s4_once_say(o) ;
  return s4_once_left(o->plan) ? S4_LEFT : S4_DONE ;
}

 /* Without a place for records nothing more is run. */

static int unwritable (struct job const *j)
{
  if (j->started)
  {
    s4_warnsys("unable to write to the state directory, the rest is not run: ", j->state) ;
    return S4_LEFT ;
  }
  s4_unable("write to the state directory ", j->state) ;
  return S4_NOTSTARTED ;
}

static int take_all (struct job *j)
{
  int code = S4_DONE ;
  for (size_t i = 0 ; i < j->n ; i++)
  {
    int const r = take_one(j, j->once + i) ;
    if (r == -1) return unwritable(j) ;
    if (r && code != S4_LATE) code = r == S4_LATE ? r : S4_LEFT ;
    if (!r || !j->stop) continue ;
    if (i + 1 < j->n) s4_warn("stopping, the rest is not run") ;
    break ;
  }
  return code ;
}

 /* Who has waited for another one knows nothing any more. */

static int take_all_locked (struct job *j)
{
  if (!know(j)) return S4_NOTSTARTED ;
  if (j->stamps.torn) s4_warn("torn records, which count as none, are removed: ", S4_NUM((int64_t)j->stamps.torn)) ;
  return s4_stamps_clean(&j->stamps, j->state) ? take_all(j) : unwritable(j) ;
}

static int work (struct job *j)
{
  int code = S4_NOTSTARTED ;
  if (s4_stamps_lock(&j->lock, j->state, j->timeout))
  {
    code = take_all_locked(j) ;
    s4_stamps_unlock(&j->lock) ;
  }
  else if (errno == EWOULDBLOCK) s4_fatal("another stage4-runonce is still at work in ", j->state) ;
  else s4_unable("make or lock the state directory ", j->state) ;
  return code ;
}

static int runonce (struct job *j, char const *path)
{
  if (!s4_once_list(&j->once, &j->n, path))
  {
    s4_unable("list ", path) ;
    return S4_NOTSTARTED ;
  }
  if (!j->n) return S4_DONE ;
  j->single = !strcmp(j->once->path, path) ;
  if (!load_list(j) || !know(j)) return S4_NOTSTARTED ;
  if (s4.dryrun) s4_once_show(j->once, j->n, j->mark) ;
  s4_strangers_show(&j->stamps.list) ;
  if (s4.dryrun) return j->left ? S4_LEFT : S4_DONE ;
  if (s4_once_any(j->once, j->n)) return work(j) ;
  if (!j->left) s4_strangers_say(&j->stamps.list) ;
  return take_all(j) ;
}

static int scan_policy (char const *arg)
{
  int const stop = !strcmp(arg, "stop") ;
  if (!stop && strcmp(arg, "continue")) s4_step_badarg("policy (stop or continue)", arg) ;
  return stop ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct job j = { .state = STATEDIR, .timeout = 300000, .stop = 1, .stamps = S4_STAMPS_ZERO,
    .allowed = GENALLOC_ZERO } ;
  s4_step_init("stage4-runonce", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "s:p:t:l:m", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 's' : j.state = s4_step_place("state directory (must begin with /)", l.arg) ; break ;
        case 'p' : j.stop = scan_policy(l.arg) ; break ;
        case 't' : j.timeout = s4_step_time(l.arg, 0) ; break ;
        case 'l' : if (!*l.arg) s4_step_badarg("path", l.arg) ; j.list = l.arg ; break ;
        case 'm' : j.mark = 1 ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc) s4_step_usage() ;
  argv[0] = s4_step_file("directory or file", argv[0]) ;
  s4_step_checked(argv + 1, 0) ;
  if (j.mark) j.stop = 0 ;   /* what is refused holds up nothing that isn't run */
  s4_step_next(argv + 1, runonce(&j, argv[0])) ;
}
