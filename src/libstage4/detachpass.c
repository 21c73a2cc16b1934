/* ISC license. */

/* One pass of taking the storage stack down: it is looked at, a plan made, workers walk it. */

#include <errno.h>
#include <stdlib.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOP_TIMEOUT 5000   /* for what their files are: one may hang ... */
#define LOOP_AGAIN 500      /* ... and does so in each pass */
#define NOT_CLEAN "gave up waiting for mdmon: it is not clean: "

 /* --- the plan --- */

static int place_tasks (s4_takedown *t)
{
  free(t->task_of) ;
  t->task_of = s4_numbers(s4_blocks_count(&t->blocks)) ;
  if (!t->task_of) return 0 ;
  for (unsigned int i = 0 ; i < s4_blocks_count(&t->blocks) ; i++) t->task_of[i] = S4_NONE ;
  for (unsigned int k = 0 ; k < t->plan.n ; k++) t->task_of[t->plan.order[k]] = k ;
  return 1 ;
}

static void find_loops (s4_takedown *t)
{
  s4_ms const timeout = t->loops_hang ? LOOP_AGAIN : LOOP_TIMEOUT ;
  s4_ms const begun = s4_now() ;
  if (!s4_loops_find(&t->loops, 1, timeout)) genalloc_setlen(s4_loop, &t->loops, 0) ;
  t->loops_hang |= s4_now() - begun >= timeout ;
}

 /* What isn't known of mounts and swaps, the kernel knows: it lets nobody have their devices. */

static void look_who_uses_them (s4_takedown *t)
{
  s4_mounts_free(&t->ms) ;
  if (!s4_mounts_load_all(&t->ms))
  {
    if (!t->no_table++) s4_warnsys("unable to read the mount table, the kernel knows what is mounted") ;
    s4_mounts_free(&t->ms) ;
  }
  if (!s4_swaps_load(&t->swaptext, &t->swaps)) genalloc_setlen(s4_swap, &t->swaps, 0) ;
  find_loops(t) ;
}

int s4_takedown_plan (s4_takedown *t)
{
  s4_detachpolicy const policy = { .ms = &t->ms, .swaps = &t->swaps, .loops = &t->loops, .hung = &t->hung } ;
  if (!s4_sys_is_there() || !s4_blocks_find(&t->blocks)) return 0 ;
  if (!s4_blocks_count(&t->blocks)) return 1 ;
  look_who_uses_them(t) ;
  s4_detachplan_free(&t->plan) ;
  return s4_detachplan_make(&t->plan, &t->blocks, &policy) && place_tasks(t) ;
}

s4_block const *s4_takedown_block (s4_takedown const *t, unsigned int k)
{
  return s4_block_at(&t->blocks, t->plan.order[k]) ;
}

 /* --- a task --- */

s4_ms s4_takedown_half_time (s4_takedown const *t)
{
  return (s4_limit(t->timeout) - s4_now()) / 2 ;
}

static int has_gone (s4_task const *task)
{
  return s4_task_done(task) || s4_task_ended(task, S4_DETACHED_DIRTY) ;
}

 /* Behind those that go are the arrays that only have to become clean. */

static int run_detach (unsigned int k, void *data)
{
  s4_takedown const *t = data ;
  s4_block const *b = s4_takedown_block(t, k) ;
  if (k < t->plan.n) return s4_detach(b, !t->plan.stuck[t->plan.order[k]], s4_takedown_half_time(t)) ;
  s4_wait_clean(b, INT64_MAX) ;   /* given up by the job */
  return 0 ;
}

static int is_turn_of (unsigned int k, s4_task const *tasks, void *data)
{
  s4_takedown const *t = data ;
  unsigned int const i = t->plan.order[k] ;
  if (k >= t->plan.n) return 1 ;
  for (unsigned int j = t->plan.needs_at[i] ; j < t->plan.needs_at[i+1] ; j++)
    if (!has_gone(tasks + t->task_of[t->plan.needs[j]])) return 0 ;
  return 1 ;
}

 /* What has not moved for half of its time may wait for a path. */

static uint64_t progress_of (unsigned int k, void *data)
{
  s4_takedown *t = data ;
  s4_stall *x = t->stalls + k ;
  uint64_t const progress = s4_dev_progress_below(s4_takedown_block(t, k)->name) ;
  s4_ms const now = s4_now() ;
  if (!x->next || progress != x->progress)
    *x = (s4_stall){ .progress = progress, .next = now + s4_takedown_half_time(t) } ;
  else if (k < t->plan.n && now >= x->next)
  {
    s4_takedown_fail_below(t, k) ;
    x->next = s4_now() + S4_SLOW ;
  }
  return progress ;
}

static int add_name (unsigned int k, stralloc *sa, void *data)
{
  s4_block const *b = s4_takedown_block(data, k) ;
  return s4_cat(sa, S4_BLOCK(b)) ;
}

 /* --- what became of them --- */

static void say_given_up (s4_takedown const *t, unsigned int k, char const *what)
{
  s4_block const *b = s4_takedown_block(t, k) ;
  s4_task const *task = t->tasks + k ;
  s4_warn(what, S4_BLOCK(b), " after ", S4_MS(task->ended - task->began)) ;
}

static void note_dirty (s4_takedown *t, unsigned int k)
{
  say_given_up(t, k, NOT_CLEAN) ;
  t->dirty++ ;
}

 /* In a pass that follows it is still in use, by the worker that hangs. */

static void note_hung (s4_takedown *t, unsigned int k)
{
  say_given_up(t, k, k < t->plan.n ? "gave up detaching " : NOT_CLEAN) ;
  genalloc_append(uint64_t, &t->hung, &s4_takedown_block(t, k)->device) ;   /* without memory it is tried again */
}

static void collect_one (s4_takedown *t, unsigned int k)
{
  s4_task const *task = t->tasks + k ;
  s4_block const *b = s4_takedown_block(t, k) ;
  if (task->state == S4_TASK_ABANDONED) note_hung(t, k) ;
  if (s4_task_ended(task, S4_DETACHED_DIRTY)) note_dirty(t, k) ;
  if (k >= t->plan.n || !has_gone(task)) return ;
  s4_verbose("detached ", S4_BLOCK(b), ", ", S4_MS(task->ended - task->began)) ;
  t->gone++ ;
}

 /* --- all --- */

int s4_takedown_pass (s4_takedown *t)
{
  s4_job const job = { .n = t->plan.n + t->plan.nwait, .timeout = t->timeout, .run = &run_detach, .ready = &is_turn_of,
    .progress = &progress_of, .slow = "still detaching", .name = &add_name, .flow = &s4_flow_to_disks, .data = t } ;
  unsigned int const gone = t->gone ;
  free(t->tasks) ;
  free(t->stalls) ;
  t->tasks = 0 ;
  t->stalls = calloc(job.n + 1, sizeof *t->stalls) ;
  if (t->stalls) t->tasks = s4_work(&job) ;
  if (!t->tasks) return -1 ;
  for (unsigned int k = 0 ; k < job.n ; k++) collect_one(t, k) ;
  return (int)(t->gone - gone) ;
}

int s4_takedown_stop (s4_takedown *t)
{
  t->over = 1 ;
  free(t->tasks) ;
  t->tasks = calloc(t->plan.n + t->plan.nwait + 1, sizeof *t->tasks) ;
  return !!t->tasks ;
}

s4_task const *s4_takedown_task (s4_takedown const *t, unsigned int i)
{
  return t->task_of[i] == S4_NONE ? 0 : t->tasks + t->task_of[i] ;
}

int s4_takedown_has_gone (s4_takedown const *t, unsigned int i)
{
  s4_task const *task = s4_takedown_task(t, i) ;
  return task && has_gone(task) ;
}
