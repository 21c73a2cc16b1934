/* ISC license. */

/* stage4-detach: takes the storage stack down: dm, md and loop devices, the uppermost first. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-detach [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] prog..."
#define LOOP_TIMEOUT 5000      /* for what their files are: one may hang ... */
#define LOOP_AGAIN 500         /* ... and does so in each pass */
#define HOLDERS_TIMEOUT 2000   /* for who has them open */
#define NOT_CLEAN "gave up waiting for mdmon: it is not clean: "
#define PASSES_MAX 100         /* somebody may make them again and again */
#define PASSES_TIMEOUT 600000  /* and the budget may end before that */
#define PATHS_TIMEOUT 500      /* for what multipath devices say of their paths */

struct stall   /* of a task */
{
  uint64_t progress ;   /* as it was seen first */
  s4_ms next ;          /* when to look for paths; 0: it has just begun */
} ;

struct stack
{
  s4_ms timeout ;
  s4_blocks blocks ;
  s4_detachplan plan ;
  s4_mounts ms ;
  stralloc swaptext ;
  genalloc swaps ;          /* s4_swap */
  genalloc loops ;          /* s4_loop */
  genalloc hung ;           /* uint64_t: devices that were given up */
  unsigned int *task_of ;   /* device -> its place in plan.order, or S4_NONE */
  s4_task *tasks ;          /* of the last pass */
  struct stall *stalls ;    /* of its tasks */
  unsigned int gone ;       /* in all */
  unsigned int dirty ;      /* of those: not made clean by mdmon */
  int untold ;              /* dm does not say anything of paths */
  int blind ;               /* there is no mount table, and that was said */
  s4_ms loop_timeout ;
  int over ;                /* no more passes, though the last one took something down */
} ;

static s4_block const *block (struct stack const *s, unsigned int i)
{
  return genalloc_s(s4_block, &s->blocks.list) + i ;
}

static unsigned int count (struct stack const *s)
{
  return (unsigned int)genalloc_len(s4_block, &s->blocks.list) ;
}

 /* --- the plan --- */

static void find_loops (struct stack *s)
{
  s4_ms const begun = s4_now() ;
  if (!s4_loops_find(&s->loops, 1, s->loop_timeout)) genalloc_setlen(s4_loop, &s->loops, 0) ;
  if (s4_now() - begun >= s->loop_timeout) s->loop_timeout = LOOP_AGAIN ;
}

 /* What isn't known of mounts and swaps, the kernel knows: it lets nobody have their devices. */

static int plan (struct stack *s)
{
  s4_detachpolicy const policy = { .ms = &s->ms, .swaps = &s->swaps, .loops = &s->loops, .hung = &s->hung } ;
  if (!s4_sys_is_there() || !s4_blocks_find(&s->blocks)) return 0 ;
  if (!count(s)) return 1 ;
  s4_mounts_free(&s->ms) ;
  if (!s4_mounts_load_all(&s->ms))
  {
    if (!s->blind++) s4_warnsys("unable to read the mount table, the kernel knows what is mounted") ;
    s4_mounts_free(&s->ms) ;
  }
  if (!s4_swaps_load(&s->swaptext, &s->swaps)) genalloc_setlen(s4_swap, &s->swaps, 0) ;
  find_loops(s) ;
  s4_detachplan_free(&s->plan) ;
  free(s->task_of) ;
  s->task_of = s4_numbers(count(s)) ;
  if (!s->task_of || !s4_detachplan_make(&s->plan, &s->blocks, &policy)) return 0 ;
  for (unsigned int i = 0 ; i < count(s) ; i++) s->task_of[i] = S4_NONE ;
  for (unsigned int k = 0 ; k < s->plan.n ; k++) s->task_of[s->plan.order[k]] = k ;
  return 1 ;
}

 /* Why device i stays, in words; null: it goes. */

static char const *reason (struct stack const *s, unsigned int i)
{
  char const *because = s->plan.because[i] ;
  switch ((enum s4_detach_e)s->plan.verdict[i])
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

static int show_plan (struct stack const *s)
{
  for (unsigned int k = 0 ; k < s->plan.n ; k++)
  {
    s4_block const *b = block(s, s->plan.order[k]) ;
    int const stuck = s->plan.stuck[s->plan.order[k]] ;
    s4_planline("detach ", S4_BLOCK(b), stuck ? ": lies on a suspended one, so without a flush" : "") ;
  }
  for (unsigned int i = 0 ; i < count(s) ; i++)
    if (s->task_of[i] == S4_NONE) s4_planline("leave ", S4_BLOCK(block(s, i)), ": ", reason(s, i)) ;
  return S4_DONE ;
}

 /* Of the time that a device has for doing nothing: then there is something that can be done about it. */

static s4_ms half_time (struct stack const *s)
{
  return (s4_limit(s->timeout) - s4_now()) / 2 ;
}

 /* --- multipath devices that wait for a path --- */

struct paths
{
  struct stack *s ;
  unsigned char *asked ;   /* of each task: its device, or one that lies on it, waits */
  s4_ms patience ;         /* for a path */
} ;

 /* What is mounted or swap keeps what it lies on, and so its queue. In the plan what lies on others is before these. */

static int ask_below (struct paths *x)
{
  s4_detachplan const *p = &x->s->plan ;
  int some = 0 ;
  for (unsigned int k = 0 ; k < p->n ; k++)
  {
    for (unsigned int j = p->needs_at[p->order[k]] ; j < p->needs_at[p->order[k]+1] ; j++)
      if (x->s->task_of[p->needs[j]] != S4_NONE) x->asked[k] |= x->asked[x->s->task_of[p->needs[j]]] ;
    some |= x->asked[k] && block(x->s, p->order[k])->kind == S4_BLOCK_DM ;
  }
  return some ;
}

static int stays_lost (int control, s4_block const *b, s4_ms limit)
{
  do if (!s4_dm_waits_for_path(control, b->device)) return 0 ;
  while (s4_now() < limit && s4_poll(0, 0, s4_now() + S4_TICK) >= 0) ;
  return 1 ;
}

 /* In a child. A byte of the answer for each. */

static int fail_lost (int answer, void *data)
{
  struct paths const *x = data ;
  s4_ms const limit = s4_now() + x->patience ;
  int const control = s4_dm_open() ;
  if (control == -1) return errno ;
  for (unsigned int k = 0 ; k < x->s->plan.n ; k++)
  {
    s4_block const *b = block(x->s, x->s->plan.order[k]) ;
    int e ;
    if (b->kind != S4_BLOCK_DM || !x->asked[k] || !stays_lost(control, b, limit)) continue ;
    e = s4_dm_fail_if_no_path(control, b->device) ;
    if (e) s4_warnerr(e, "unable to let fail what waits for a path of ", S4_BLOCK(b)) ;
    else s4_warn("no path left, what waits for one fails now: ", S4_BLOCK(b)) ;
    if (!e) s4_answer(answer, "", 1) ;
  }
  return 0 ;
}

 /* how many are told */

static size_t paths_fail (struct paths *x)
{
  stralloc answer = STRALLOC_ZERO ;
  size_t n ;
  if (x->s->untold || !ask_below(x)) return 0 ;
  x->s->untold = !s4_ask(&fail_lost, x, x->patience + PATHS_TIMEOUT, &answer) ;
  n = answer.len ;
  stralloc_free(&answer) ;
  return n ;
}

 /* Of what task k stands on; it has not moved for half of its time. */

static void paths_fail_below (struct stack *s, unsigned int k)
{
  struct paths x = { .s = s, .asked = calloc(s->plan.n + 1, 1) } ;
  if (x.asked)
  {
    x.asked[k] = 1 ;
    paths_fail(&x) ;
  }
  free(x.asked) ;
}

 /* Who has a device may be an unmount that was given up, and that waits for a path, too. */

static size_t paths_fail_of_busy (struct stack *s)
{
  struct paths x = { .s = s, .asked = calloc(s->plan.n + 1, 1), .patience = half_time(s) } ;
  size_t n = 0 ;
  int some = 0 ;
  for (unsigned int k = 0 ; k < s->plan.n && x.asked ; k++)
    if (s4_task_ended(s->tasks + k, EBUSY)) some = x.asked[k] = 1 ;
  if (some) n = paths_fail(&x) ;
  free(x.asked) ;
  return n ;
}

 /* --- a pass --- */

static int has_gone (s4_task const *t)
{
  return s4_task_done(t) || s4_task_ended(t, S4_DETACHED_DIRTY) ;
}

static int run_detach (unsigned int k, void *data)
{
  struct stack const *s = data ;
  unsigned int const i = s->plan.order[k] ;
  if (k < s->plan.n) return s4_detach(block(s, i), !s->plan.stuck[i], half_time(s)) ;
  s4_wait_clean(block(s, i), INT64_MAX) ;   /* given up by the job */
  return 0 ;
}

static int is_turn_of (unsigned int k, s4_task const *tasks, void *data)
{
  struct stack const *s = data ;
  unsigned int const i = s->plan.order[k] ;
  if (k >= s->plan.n) return 1 ;
  for (unsigned int j = s->plan.needs_at[i] ; j < s->plan.needs_at[i+1] ; j++)
    if (!has_gone(tasks + s->task_of[s->plan.needs[j]])) return 0 ;
  return 1 ;
}

static uint64_t progress_of (unsigned int k, void *data)
{
  struct stack *s = data ;
  struct stall *x = s->stalls + k ;
  uint64_t const progress = s4_dev_progress_below(block(s, s->plan.order[k])->name) ;
  s4_ms const now = s4_now() ;
  if (!x->next || progress != x->progress) *x = (struct stall){ .progress = progress, .next = now + half_time(s) } ;
  else if (k < s->plan.n && now >= x->next)
  {
    paths_fail_below(s, k) ;
    x->next = s4_now() + S4_SLOW ;
  }
  return progress ;
}

static int add_name (unsigned int k, stralloc *sa, void *data)
{
  struct stack const *s = data ;
  return s4_cat(sa, S4_BLOCK(block(s, s->plan.order[k]))) ;
}

static void say_given_up (struct stack const *s, unsigned int k, char const *what)
{
  s4_block const *b = block(s, s->plan.order[k]) ;
  s4_task const *t = s->tasks + k ;
  s4_warn(what, S4_BLOCK(b), " after ", S4_MS(t->ended - t->began)) ;
}

static void note_dirty (struct stack *s, unsigned int k)
{
  say_given_up(s, k, NOT_CLEAN) ;
  s->dirty++ ;
}

 /* In a pass that follows it is still in use, by the worker that hangs. */

static void note_hung (struct stack *s, unsigned int k)
{
  s4_block const *b = block(s, s->plan.order[k]) ;
  say_given_up(s, k, k < s->plan.n ? "gave up detaching " : NOT_CLEAN) ;
  genalloc_append(uint64_t, &s->hung, &b->device) ;   /* without memory it is tried again */
}

 /* how many went; -1: could not begin */

static int pass (struct stack *s)
{
  s4_job const job = { .n = s->plan.n + s->plan.nwait, .timeout = s->timeout, .run = &run_detach, .ready = &is_turn_of,
    .progress = &progress_of, .slow = "still detaching", .name = &add_name, .flow = &s4_flow_to_disks, .data = s } ;
  int gone = 0 ;
  free(s->tasks) ;
  free(s->stalls) ;
  s->tasks = 0 ;
  s->stalls = calloc(job.n + 1, sizeof(struct stall)) ;
  if (s->stalls) s->tasks = s4_work(&job) ;
  if (!s->tasks) return -1 ;
  for (unsigned int k = 0 ; k < job.n ; k++)
  {
    s4_block const *b = block(s, s->plan.order[k]) ;
    if (s->tasks[k].state == S4_TASK_ABANDONED) note_hung(s, k) ;
    if (s4_task_ended(s->tasks + k, S4_DETACHED_DIRTY)) note_dirty(s, k) ;
    if (k >= s->plan.n || !has_gone(s->tasks + k)) continue ;
    s4_verbose("detached ", S4_BLOCK(b), ", ", S4_MS(s->tasks[k].ended - s->tasks[k].began)) ;
    gone++ ;
  }
  return gone ;
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

static void name_busy (struct stack const *s)
{
  genalloc names = GENALLOC_ZERO, which = GENALLOC_ZERO, found = GENALLOC_ZERO ;   /* char const *, indices, s4_busy */
  unsigned int n, missing ;
  for (unsigned int k = 0 ; k < s->plan.n ; k++)
  {
    char const *name ;
    if (s->tasks[k].state != S4_TASK_ENDED || s->tasks[k].err != EBUSY) continue ;
    name = s4_concat("/dev/", block(s, s->plan.order[k])->name) ;
    genalloc_append(char const *, &names, &name) ;
    genalloc_append(unsigned int, &which, s->plan.order + k) ;
  }
  n = (unsigned int)genalloc_len(unsigned int, &which) ;
  if (n && s4_busy_find(&found, genalloc_s(char const *, &names), n, HOLDERS_TIMEOUT, &missing) != S4_SOUGHT)
    genalloc_setlen(s4_busy, &found, 0) ;
  for (unsigned int k = 0 ; k < n ; k++) say_holders(block(s, genalloc_s(unsigned int, &which)[k]), &found, k) ;
  genalloc_free(char const *, &names) ;
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_busy, &found) ;
}

static void name_left (struct stack const *s, unsigned int i)
{
  s4_block const *b = block(s, i) ;
  s4_task const *t = s->task_of[i] == S4_NONE ? 0 : s->tasks + s->task_of[i] ;
  if (!t && s->plan.verdict[i] == S4_IS_CONTAINER) s4_verbose("left: ", S4_BLOCK(b), ": ", reason(s, i)) ;
  else if (!t) s4_info("left: ", S4_BLOCK(b), ": ", reason(s, i)) ;
  else if (t->state == S4_TASK_WAITS)
    s4_warn("left: ", S4_BLOCK(b), s->over ? ": not tried any more" : ": what lies on it is left") ;
  else if (t->state == S4_TASK_ENDED && t->err != EBUSY) s4_warnerr(t->err, "unable to detach ", S4_BLOCK(b)) ;
}

static int report (struct stack const *s)
{
  unsigned int left = 0 ;
  for (unsigned int i = 0 ; i < count(s) ; i++)
  {
    if (s->task_of[i] != S4_NONE && has_gone(s->tasks + s->task_of[i])) continue ;
    left += s->plan.verdict[i] != S4_IS_CONTAINER ;   /* it has nothing to lose */
    name_left(s, i) ;
  }
  if (left) name_busy(s) ;
  if (s->gone || left) s4_info("detached ", S4_NUM(s->gone), " of ", S4_NUM(s->gone + left), " block devices") ;
  return s->dirty || genalloc_len(uint64_t, &s->hung) ? S4_LATE : left ? S4_LEFT : S4_DONE ;
}

 /* What there is now was not tried. */

static int report_untried (struct stack *s)
{
  s->over = 1 ;
  free(s->tasks) ;
  s->tasks = calloc(s->plan.n + s->plan.nwait + 1, sizeof(s4_task)) ;
  return s->tasks ? report(s) : S4_LEFT ;
}

 /* Something may have been in the way of what was tried before it. */

static int detach (struct stack *s)
{
  s4_ms const limit = s4_limit(PASSES_TIMEOUT) ;
  for (unsigned int passes = 0 ; ; passes++)
  {
    int gone = count(s) ? pass(s) : 0 ;
    if (gone == -1)
    {
      s4_warnsys("unable to start a worker") ;
      return S4_NOTSTARTED ;
    }
    s->gone += (unsigned int)gone ;
    if (!gone && (!count(s) || !paths_fail_of_busy(s))) return report(s) ;
    if (!plan(s))
    {
      s4_warnsys("unable to see what is left") ;
      return S4_LEFT ;
    }
    if (count(s) && (passes >= PASSES_MAX || (passes && s4_now() >= limit))) return report_untried(s) ;
  }
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct stack s = { .timeout = 10000, .blocks = S4_BLOCKS_ZERO, .ms = S4_MOUNTS_ZERO, .swaptext = STRALLOC_ZERO,
    .swaps = GENALLOC_ZERO, .loops = GENALLOC_ZERO, .loop_timeout = LOOP_TIMEOUT } ;
  s4_step_init("stage4-detach", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:", &l) ;
      if (opt == -1) break ;
      if (opt == 't') s.timeout = s4_step_time(l.arg, 0) ;
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  if (s4.container)
  {
    s4_info("a container: the block devices are the host's, nothing to do") ;
    s4_step_next(argv, S4_DONE) ;
  }
  if (!plan(&s))
  {
    s4_warnsys("unable to see what block devices there are") ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  s4_step_next(argv, s4.dryrun ? show_plan(&s) : detach(&s)) ;
}
