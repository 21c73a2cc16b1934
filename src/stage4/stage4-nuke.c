/* ISC license. */

/*
  stage4-nuke: everybody but the spared ones is asked to end, then killed; goes on as soon as nobody is
  left. Round after round until a scan finds nobody: what was forked meanwhile is in the next one.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/sig.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-nuke [ -v verbosity ] [ -f ] [ -n ] [ -t termgrace ] [ -k killgrace ] [ -s sig ] [ -a ] [ -o pid ]... [ -O dir ]... prog..."
#define PATIENCE 250    /* before somebody may be frozen */
#define RESPAWNS 5      /* rounds that found nothing but processes that were started since */

struct options
{
  s4_ms termgrace, killgrace ;
  int sig ;
  int ancestors_too ;
  genalloc omit ;       /* pid_t: -o, our ancestors, -O */
  genalloc omit_dirs ;  /* char const *: -O */
} ;

static int is_wanted (s4_process const *p, void *data)
{
  struct options const *o = data ;
  return !s4_pids_have(&o->omit, p->pid) ;
}

enum outcome_e { NOBODY_LEFT, RESPAWNING, UNSEEN, SURVIVORS, SIGNALLED } ;

struct end
{
  int sig ;
  int last ;               /* nobody is signalled after this */
  s4_ms until ;
  uint64_t since ;         /* when it began, in ticks */
  unsigned int respawns ;  /* rounds that found nothing older */
  int by_others ;          /* somebody but pid 1 had children in them */
  size_t signalled ;
  int thawed ;
  int swept ;              /* without having seen anybody */
} ;

static enum outcome_e sweep_unseen (s4_victims const *victims, struct end *e)
{
  return e->sig == SIGKILL && !e->swept++ && s4_victims_sweep(victims) ? SIGNALLED : UNSEEN ;
}

 /*
   Pid 1, or somebody who is spared, starts again what we end. If none of them lives any more they were no new ones:
   they had been swept away before they were seen, and were dying.
 */

static int are_respawned (s4_victims const *victims, struct end *e, int late)
{
  enum s4_birth_e const birth = s4_victims_birth(victims, e->since) ;
  if (birth == S4_BORN_BEFORE) return 0 ;
  if (birth == S4_BORN_OF_OTHERS || getpid() == 1) e->by_others = 1 ;
  e->respawns++ ;
  if (!late && (e->respawns < RESPAWNS || getpid() == 1)) return 0 ;   /* pid 1 has the time: nobody escapes it */
  return !e->last || s4_victims_name(victims, e->by_others ? "somebody starts them again and again, going on: " :
    "pid 1 starts them again and again, going on: ", S4_NEVER) ;
}

static enum outcome_e find_and_signal (struct options *o, s4_victims *victims, struct end *e)
{
  int sure, late ;
  if (!s4_victims_scan(victims, &is_wanted, o, e->until, &sure))
  {
    s4_warnsys("unable to see who is there") ;
    return SURVIVORS ;
  }
  if (!s4_victims_drop_spared(victims))
  {
    s4_warnsys("unable to kill") ;
    return SURVIVORS ;
  }
  if (!s4_victims_count(victims)) return sure ? NOBODY_LEFT : sweep_unseen(victims, e) ;
  late = e->signalled && s4_now() >= e->until ;
  if (are_respawned(victims, e, late)) return RESPAWNING ;
  if (late) return SURVIVORS ;
  if (e->sig == SIGKILL && e->signalled) s4_victims_sweep(victims) ;   /* they have been born since */
  s4_victims_signal(victims, e->sig) ;
  e->signalled += s4_victims_count(victims) ;
  s4_verbose(sig_name(e->sig), " to ", S4_NUM((int64_t)s4_victims_count(victims)), " processes") ;
  return SIGNALLED ;
}

 /* Most are gone at once. Who isn't may be frozen. */

static void wait_for (s4_victims const *victims, struct end *e, s4_ms *next_report)
{
  s4_ms const soon = s4_now() + PATIENCE ;
  if (s4_victims_wait(victims, e->until < soon ? e->until : soon, next_report)) return ;
  if (!e->thawed++) s4_thaw_cgroups(victims) ;
  s4_victims_wait(victims, e->until, next_report) ;
}

static enum outcome_e end_all (struct options *o, s4_victims *victims, struct end *e, s4_ms grace)
{
  s4_ms next_report = s4_now() + S4_SLOW ;
  enum outcome_e outcome ;
  e->until = s4_limit(grace) ;
  e->since = s4_ticks() ;
   /* once more when the time is up: who has just been started was not asked in vain */
  while ((outcome = find_and_signal(o, victims, e)) == SIGNALLED) wait_for(victims, e, &next_report) ;
  return outcome ;
}

static int nuke (struct options *o)
{
  s4_ms const start = s4_now() ;
  int const nice = s4_nice(-20) ;   /* its workers, too: a fork bomb leaves nothing to the others */
  s4_victims victims = S4_VICTIMS_ZERO ;
  struct end asked = { .sig = o->sig }, killed = { .sig = SIGKILL, .last = 1 } ;
  enum outcome_e outcome = end_all(o, &victims, &asked, o->termgrace) ;
  if (outcome == SURVIVORS) s4_victims_name(&victims, "killing ", S4_NEVER) ;
  if (outcome != NOBODY_LEFT) outcome = end_all(o, &victims, &killed, o->killgrace) ;
  if (outcome == SURVIVORS) s4_victims_name(&victims, "can't be killed: ", S4_NEVER) ;
  if (outcome == UNSEEN && victims.unseen) s4_warnerr(victims.unseen, "unable to see all who are there") ;
  else if (outcome == UNSEEN) s4_info("processes come and go too fast to be seen, going on") ;
  s4_info(outcome == NOBODY_LEFT ? "nobody is left after " : "somebody is left after ", S4_MS(s4_now() - start),
    ", asked ", S4_NUM((int64_t)asked.signalled), ", killed ", S4_NUM((int64_t)killed.signalled)) ;
  s4_nice(nice) ;
  return outcome == NOBODY_LEFT ? S4_DONE : S4_LEFT ;
}

static char const *why_spared (enum s4_spared_e spared)
{
  switch (spared)
  {
    case S4_NOT_SPARED : break ;
    case S4_SPARED_STORAGE : return ": a storage daemon (@)" ;
    case S4_SPARED_CGROUP : return ": its cgroup is marked" ;
    case S4_SPARED_INIT : return ": the init of a spared process" ;
  }
  return "" ;
}

static int show_plan (struct options *o)
{
  s4_victims victims = S4_VICTIMS_ZERO ;
  pid_t const *omit = genalloc_s(pid_t, &o->omit) ;
  s4_victim const *v ;
  int sure ;
  if (!s4_victims_scan(&victims, &is_wanted, o, 0, &sure))
  {
    s4_fatalsys("unable to see who is there") ;
    return S4_NOTSTARTED ;
  }
  s4_planline("spare 1: pid 1") ;
  for (size_t i = 0 ; i < genalloc_len(pid_t, &o->omit) ; i++)
    s4_planline("spare ", S4_NUM(omit[i]), ": an ancestor of this process, or asked for") ;
  v = s4_victims_list(&victims) ;
  for (size_t i = 0 ; i < s4_victims_count(&victims) ; i++)
    s4_planline(v[i].spared ? "spare " : "end ", S4_NUM(v[i].p.pid), " ", v[i].p.comm,
      why_spared(v[i].spared)) ;
  return S4_DONE ;
}

static int omit_all (struct options *o)
{
  if (!s4_omit_ancestors(&o->omit, o->ancestors_too)) return 0 ;
  for (size_t i = 0 ; i < genalloc_len(char const *, &o->omit_dirs) ; i++)
    if (!s4_omit_pidfiles(&o->omit, genalloc_s(char const *, &o->omit_dirs)[i])) return 0 ;
  return 1 ;
}

static int scan_signal (char const *s)
{
  int sig ;
  if (!sig0_scan(s, &sig) || sig < 1 || sig >= NSIG) s4_step_badarg("signal", s) ;
  return sig ;
}

static pid_t scan_pid (char const *s)
{
  unsigned int pid ;
  if (!uint0_scan(s, &pid) || !pid || pid > INT32_MAX) s4_step_badarg("pid", s) ;
  return (pid_t)pid ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .termgrace = 10000, .killgrace = 5000, .sig = SIGTERM } ;
  int ok = 1 ;
  s4_step_init("stage4-nuke", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:k:s:ao:O:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 't' : o.termgrace = s4_step_time(l.arg, 1) ; break ;
        case 'k' : o.killgrace = s4_step_time(l.arg, 0) ; break ;
        case 's' : o.sig = scan_signal(l.arg) ; break ;
        case 'a' : o.ancestors_too = 1 ; break ;
        case 'o' : { pid_t pid = scan_pid(l.arg) ; ok &= genalloc_append(pid_t, &o.omit, &pid) ; break ; }
        case 'O' : ok &= genalloc_append(char const *, &o.omit_dirs, &l.arg) ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  if (s4_proc() == -1)
  {
    s4_warn("no /proc: can't see who is there") ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  if (!s4.dryrun) sig_ignore(SIGHUP) ;   /* the terminal's session leader may be one of them */
  s4_raise_files() ;   /* each victim is held by one; in a chain there are enough, a login has few */
  if (!ok || !omit_all(&o)) s4_warnsys("unable to spare all that should be") ;
  s4_step_next(argv, s4.dryrun ? show_plan(&o) : nuke(&o)) ;
}
