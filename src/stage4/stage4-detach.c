/* ISC license. */

/*
  stage4-detach: takes the storage stack down, dm, md and loop devices, the uppermost first, pass after pass. What is
  left is named with what keeps it.
*/

#include <errno.h>
#include <limits.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-detach [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] prog..."
#define HOLDERS_TIMEOUT 2000   /* for who has them open */
#define PASSES_MAX 100         /* somebody may make them again and again */
#define PASSES_TIMEOUT 600000  /* and the budget may end before that */

 /* Why device i stays, in words; null: it goes. */

static char const *reason (s4_takedown const *t, unsigned int i)
{
  char const *because = t->plan.because[i] ;
  switch ((enum s4_detach_e)t->plan.verdict[i])
  {
    case S4_DETACHES : break ;
    case S4_IS_MOUNTED : return because ? s4_concat("mounted on ", because) : "mounted, in another mount namespace" ;
    case S4_IS_SWAP : return s4_concat("swap ", because) ;
    case S4_IS_HELD : return s4_concat("used by ", because) ;
    case S4_IS_SUSPENDED : return "it is suspended" ;
    case S4_IS_CONTAINER : return "a container" ;
    case S4_IS_HUNG : return "it was given up" ;
  }
  return 0 ;
}

 /* --- what is left --- */

static void say_holders (s4_block const *b, genalloc const *found, unsigned int target)
{
  s4_names names = S4_NAMES(UINT_MAX) ;
  s4_busy_names(&names, found, target) ;
  if (names.n) s4_warn("left: ", S4_BLOCK(b), ": ", s4_names_end(&names)) ;
  else s4_warnerr(EBUSY, "left: ", S4_BLOCK(b)) ;
  stralloc_free(&names.text) ;
}

 /* Of those that the kernel has refused, and that nobody was known to have. */

static void name_busy (s4_takedown const *t)
{
  genalloc names = GENALLOC_ZERO, which = GENALLOC_ZERO, found = GENALLOC_ZERO ;   /* char const *, tasks, s4_busy */
  unsigned int n, missing ;
  for (unsigned int k = 0 ; k < t->plan.n ; k++)
  {
    char const *name ;
    if (!s4_task_ended(t->tasks + k, EBUSY)) continue ;
    name = s4_concat("/dev/", s4_takedown_block(t, k)->name) ;
    genalloc_append(char const *, &names, &name) ;
    genalloc_append(unsigned int, &which, &k) ;
  }
  n = (unsigned int)genalloc_len(unsigned int, &which) ;
  if (n && s4_busy_find(&found, genalloc_s(char const *, &names), n, HOLDERS_TIMEOUT, &missing) != S4_SOUGHT)
    genalloc_setlen(s4_busy, &found, 0) ;
  for (unsigned int j = 0 ; j < n ; j++)
    say_holders(s4_takedown_block(t, genalloc_s(unsigned int, &which)[j]), &found, j) ;
  genalloc_free(char const *, &names) ;
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_busy, &found) ;
}

static void name_left (s4_takedown const *t, unsigned int i)
{
  s4_block const *b = s4_block_at(&t->blocks, i) ;
  s4_task const *task = s4_takedown_task(t, i) ;
  if (!task && t->plan.verdict[i] == S4_IS_CONTAINER) s4_verbose("left: ", S4_BLOCK(b), ": ", reason(t, i)) ;
  else if (!task) s4_info("left: ", S4_BLOCK(b), ": ", reason(t, i)) ;
  else if (task->state == S4_TASK_WAITS)
    s4_warn("left: ", S4_BLOCK(b), t->over ? ": not tried any more" : ": what lies on it is left") ;
  else if (task->state == S4_TASK_ENDED && task->err != EBUSY)
    s4_warnerr(task->err, "unable to detach ", S4_BLOCK(b)) ;
}

static int report (s4_takedown const *t)
{
  unsigned int left = 0 ;
  for (unsigned int i = 0 ; i < s4_blocks_count(&t->blocks) ; i++)
  {
    if (s4_takedown_has_gone(t, i)) continue ;
    left += t->plan.verdict[i] != S4_IS_CONTAINER ;   /* it has nothing to lose */
    name_left(t, i) ;
  }
  if (left) name_busy(t) ;
  if (t->gone || left) s4_info("detached ", S4_NUM(t->gone), " of ", S4_NUM(t->gone + left), " block devices") ;
  return t->dirty || genalloc_len(uint64_t, &t->hung) ? S4_LATE : left ? S4_LEFT : S4_DONE ;
}

 /* --- the passes --- */

 /* Something may have been in the way of what was tried before it. */

static int detach (s4_takedown *t)
{
  s4_ms const limit = s4_limit(PASSES_TIMEOUT) ;
  for (unsigned int passes = 0 ; s4_blocks_count(&t->blocks) ; passes++)
  {
    int const gone = s4_takedown_pass(t) ;
    if (gone == -1)
    {
      s4_warnsys("unable to start a worker") ;
      return S4_NOTSTARTED ;
    }
    if (!gone && !s4_takedown_fail_busy(t)) break ;
    if (!s4_takedown_plan(t))
    {
      s4_warnsys("unable to see what is left") ;
      return S4_LEFT ;
    }
    if (passes < PASSES_MAX && (!passes || s4_now() < limit)) continue ;
    if (!s4_takedown_stop(t)) return S4_LEFT ;
    break ;
  }
  return report(t) ;
}

static int show_plan (s4_takedown const *t)
{
  for (unsigned int k = 0 ; k < t->plan.n ; k++)
  {
    s4_block const *b = s4_takedown_block(t, k) ;
    int const stuck = t->plan.stuck[t->plan.order[k]] ;
    s4_planline("detach ", S4_BLOCK(b), stuck ? ": lies on a suspended one, so without a flush" : "") ;
  }
  for (unsigned int i = 0 ; i < s4_blocks_count(&t->blocks) ; i++)
    if (t->task_of[i] == S4_NONE) s4_planline("leave ", S4_BLOCK(s4_block_at(&t->blocks, i)), ": ", reason(t, i)) ;
  return S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  s4_takedown t = { .timeout = 10000 } ;
  s4_step_init("stage4-detach", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:", &l) ;
      if (opt == -1) break ;
      if (opt == 't') t.timeout = s4_step_time(l.arg, 0) ;
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  if (s4.container)
  {
    s4_info("a container: the block devices are the host's, nothing to do") ;
    s4_step_next(argv, S4_DONE) ;
  }
  if (!s4_takedown_plan(&t))
  {
    s4_warnsys("unable to see what block devices there are") ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  s4_step_next(argv, s4.dryrun ? show_plan(&t) : detach(&t)) ;
}
