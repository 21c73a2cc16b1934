/* ISC license. */

/*
  stage4-runonce: runs those executables of a directory, by name, that have not yet succeeded with this content. Each
  success is on disk before the next one starts.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-runonce [ -v verbosity ] [ -s statedir ] [ -p stop|continue ] [ -t timeout ] [ -l allowlist ] [ -m ] [ -n ] dir|file prog..."

#define STATEDIR "/var/lib/stage4/runonce"
#define KILLGRACE 2000
#define NAMED_MAX 6

static struct
{
  char const *state ;
  char const *list ;      /* of what is allowed, or null */
  s4_ms timeout ;
  int stop ;              /* at the first failure */
  int mark ;              /* -m */
} opt = { .state = STATEDIR, .timeout = 300000, .stop = 1 } ;

static s4_once *once ;    /* the files */
static size_t n ;
static s4_stamps stamps = S4_STAMPS_ZERO ;
static genalloc allowed = GENALLOC_ZERO ;   /* s4_sum */
static int single ;                         /* a file was given: other names are others' */
static int started ;                        /* something was run or marked */

 /* --- what is known; 0: reported --- */

static int list_files (char const *path)
{
  genalloc files = GENALLOC_ZERO ;
  s4_hookfile const *f ;
  if (!s4_hookfiles_add(&files, path, 0)) return s4_unable("list ", path) ;
  s4_hookfiles_sort(&files) ;
  f = genalloc_s(s4_hookfile, &files) ;
  n = genalloc_len(s4_hookfile, &files) ;
  once = calloc(n + !n, sizeof *once) ;
  if (!once) return s4_unable("list ", path) ;
  for (size_t i = 0 ; i < n ; i++)
    once[i] = (s4_once){ .name = f[i].name, .path = f[i].path, .verdict = f[i].verdict } ;
  single = n == 1 && !strcmp(f->path, path) ;
  return 1 ;
}

static int load_list (void)
{
  static stralloc text = STRALLOC_ZERO ;
  size_t bad ;
  if (s4_sums_load(opt.list, &text, &allowed, &bad)) return 1 ;
  if (bad) s4_fatal("not a line of sha256sum: ", opt.list, ", line ", S4_NUM((int64_t)bad)) ;
  else if (errno == EPERM) s4_fatal("others than root can write it, not used: ", opt.list) ;
  else s4_unable("read ", opt.list) ;
  return 0 ;
}

static int load_stamps (void)
{
  if (s4_stamps_load(&stamps, opt.state)) return 1 ;
  if (errno != EPERM) return s4_unable("read the state directory ", opt.state) ;
  s4_fatal("others than root can write it, not used: ", opt.state) ;
  return 0 ;
}

static size_t plan (void)
{
  return s4_once_plan(once, n, &stamps.list, opt.list ? &allowed : 0, opt.stop && !opt.mark) ;
}

static int know (size_t *left)
{
  if (!load_stamps()) return 0 ;
  if (!s4_once_look(once, n)) return s4_unable("read what is to be run", "") ;
  *left = plan() ;
  s4_once_know(once, n, &stamps.list) ;
  return 1 ;
}

 /* --- saying it --- */

static void show_plan (void)
{
  for (size_t i = 0 ; i < n ; i++)
  {
    char const *verb = once[i].plan != S4_ONCE_RUN ? "leave " : opt.mark ? "mark " : "run " ;
    s4_planline(verb, once[i].path, ": ", s4_once_reason(once[i].plan)) ;
  }
}

static int is_strange (s4_stamp const *st)
{
  return st->known != S4_KNOWN && !(single && st->known == S4_KNOWN_NOT) ;
}

static void show_strangers (void)
{
  s4_stamp const *st = genalloc_s(s4_stamp, &stamps.list) ;
  for (size_t i = 0 ; i < genalloc_len(s4_stamp, &stamps.list) ; i++)
  {
    char const *how = st[i].known == S4_KNOWN_NAME ? "with another content" : "not here" ;
    char const *when = st[i].later ? ", and later than all that are here" : "" ;
    if (!is_strange(st + i)) continue ;
    if (s4.dryrun) s4_planline("recorded ", st[i].sum.name, ": ", how, when) ;
    else s4_verbose("recorded ", st[i].sum.name, ": ", how, when) ;
  }
}

 /* Once everything here is done, the last one that was recorded should be one of these. */

static void say_later_ones (void)
{
  s4_names later = S4_NAMES(NAMED_MAX) ;
  s4_stamp const *st = genalloc_s(s4_stamp, &stamps.list) ;
  for (size_t i = 0 ; i < genalloc_len(s4_stamp, &stamps.list) ; i++)
    if (st[i].later && is_strange(st + i) && s4_names_next(&later)) s4_cat(&later.text, st[i].sum.name) ;
  if (later.n) s4_info("all is done, but something else was recorded later: ", s4_names_end(&later)) ;
}

 /* --- running --- */

 /* The input is that of prog. */

static pid_t fork_without_input (int keep)
{
  pid_t pid = s4_fork_program(keep) ;
  if (pid > 0) s4_stamps_lock_with(pid) ;
  if (!pid)
  {
    int fd = s4_open_device("/dev/null", O_RDONLY) ;
    if (fd > 0) fd_move(0, fd) ;
    else if (fd == -1) close(0) ;
  }
  return pid ;
}

 /* Without a place for records nothing more is run. */

static int unwritable (int *end)
{
  *end = 1 ;
  if (started) s4_warnsys("unable to write to the state directory, the rest is not run: ", opt.state) ;
  else s4_unable("write to the state directory ", opt.state) ;
  return started ? S4_LEFT : S4_NOTSTARTED ;
}

 /* Only what it was when it began could be recorded. If it has removed itself, that is as good. */

static int has_changed (s4_once const *o)
{
  s4_once now = *o ;
  if (!s4_once_look_again(&now) || now.err == ENOENT) return 0 ;
  return now.err || memcmp(now.hash, o->hash, S4_HASH_SIZE) ;
}

static int execute (s4_once const *o)
{
  char const *argv[] = { o->path, 0 } ;
  int r = s4_hook_by(&fork_without_input, argv, opt.timeout, KILLGRACE) ;
  if (r || !has_changed(o)) return r ;
  s4_warn("changed while it ran, not recorded: ", o->path) ;
  return S4_LEFT ;
}

static int run (s4_once const *o, int *end)
{
  s4_sum sum = { .name = o->name } ;
  int r ;
  memcpy(sum.hash, o->hash, S4_HASH_SIZE) ;
  if (!s4_stamp_prepare(opt.state, &sum, opt.timeout)) return unwritable(end) ;
  started = 1 ;
  r = opt.mark ? S4_DONE : execute(o) ;
  if (r) s4_stamp_drop(opt.state, &sum) ;
  else if (!s4_stamp_commit(opt.state, &sum, opt.timeout)) return unwritable(end) ;
  else s4_info(opt.mark ? "marked as done: " : "done and recorded: ", o->path) ;
  return r ;
}

 /* Meanwhile others may have run, and changed what is to run. */

static int take_one (s4_once *o, int *end)
{
  if (o->plan == S4_ONCE_RUN)
  {
    if (!s4_once_look_again(o)) o->err = errno ;
    s4_once_plan(o, 1, &stamps.list, opt.list ? &allowed : 0, 0) ;
    if (o->plan == S4_ONCE_RUN) return run(o, end) ;
  }
  if (s4_once_left(o->plan)) s4_warn(s4_once_reason(o->plan), ", not run: ", o->path) ;
  else s4_verbose(s4_once_reason(o->plan), ": ", o->path) ;
  return s4_once_left(o->plan) ? S4_LEFT : S4_DONE ;
}

static int take_all (void)
{
  int code = S4_DONE, end = 0 ;
  for (size_t i = 0 ; i < n && !end ; i++)
  {
    int r = take_one(once + i, &end) ;
    if (r == S4_NOTSTARTED && end) return r ;
    if (r && code != S4_LATE) code = r == S4_LATE ? r : S4_LEFT ;
    if (!r || end || !opt.stop || opt.mark) continue ;
    if (i + 1 < n) s4_warn("stopping, the rest is not run") ;
    break ;
  }
  return code ;
}

static int lock (void)
{
  if (s4_stamps_lock(opt.state, opt.timeout)) return 1 ;
  if (errno != EWOULDBLOCK) return s4_unable("make or lock the state directory ", opt.state) ;
  s4_fatal("another stage4-runonce is still at work in ", opt.state) ;
  return 0 ;
}

 /* Who has waited for another one knows nothing any more. */

static int work (void)
{
  size_t left ;
  int code = S4_NOTSTARTED ;
  if (!lock()) return code ;
  if (know(&left))
  {
    if (stamps.torn) s4_warn("torn records, which count as none, are removed: ", S4_NUM((int64_t)stamps.torn)) ;
    if (!s4_stamps_clean(&stamps, opt.state)) unwritable(&(int){ 0 }) ;
    else code = take_all() ;
  }
  s4_stamps_unlock() ;
  return code ;
}

static int is_something_to_run (void)
{
  for (size_t i = 0 ; i < n ; i++) if (once[i].plan == S4_ONCE_RUN) return 1 ;
  return 0 ;
}

static int runonce (char const *path)
{
  size_t left ;
  if (!list_files(path) || (opt.list && !load_list())) return S4_NOTSTARTED ;
  if (!n) return S4_DONE ;
  if (!know(&left)) return S4_NOTSTARTED ;
  if (s4.dryrun) show_plan() ;
  show_strangers() ;
  if (s4.dryrun) return left ? S4_LEFT : S4_DONE ;
  if (is_something_to_run()) return work() ;
  if (!left) say_later_ones() ;
  return take_all() ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct sigaction pipe_was ;
  int was_reaper = 0, code ;
  sigaction(SIGPIPE, 0, &pipe_was) ;
  prctl(PR_GET_CHILD_SUBREAPER, &was_reaper) ;
  s4_step_init("stage4-runonce", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int o = s4_step_getopt(argc, argv, "s:p:t:l:m", &l) ;
      if (o == -1) break ;
      switch (o)
      {
        case 's' : opt.state = s4_step_place("state directory", l.arg) ; break ;
        case 'p' :
          opt.stop = !strcmp(l.arg, "stop") ;
          if (!opt.stop && strcmp(l.arg, "continue")) s4_step_badarg("policy (stop or continue)", l.arg) ;
          break ;
        case 't' : opt.timeout = s4_step_time(l.arg, 0) ; break ;
        case 'l' :
          if (!*l.arg) s4_step_badarg("path", l.arg) ;
          opt.list = l.arg ;
          break ;
        case 'm' : opt.mark = 1 ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc || !*argv[0]) s4_step_usage() ;
  s4_step_checked(argv + 1, 0) ;
  code = runonce(argv[0]) ;
   /* prog may be a service, outside of any chain: it gets its signals and its orphans as they were */
  prctl(PR_SET_CHILD_SUBREAPER, was_reaper) ;
  sigaction(SIGPIPE, &pipe_was, 0) ;
  s4_step_next(argv + 1, code) ;
}
