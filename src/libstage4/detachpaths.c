/* ISC license. */

/*
  Multipath devices that keep what they are given until a path comes back, and have none: who flushes what lies on one,
  or unmounts it, waits for ever. So they are told to let it fail.
*/

#include <errno.h>
#include <stdlib.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define ANSWER_TIMEOUT 500   /* for what they say of their paths */

struct paths
{
  s4_takedown *t ;
  unsigned char *meant ;   /* of each task: its device, or one that lies on it, is waited for */
  s4_ms patience ;         /* for a path */
} ;

 /* What stays keeps what it lies on, and so its queue: only what is in the plan counts, the uppermost first. */

static int mean_below (struct paths *x)
{
  s4_takedown const *t = x->t ;
  s4_detachplan const *p = &t->plan ;
  int some = 0 ;
  for (unsigned int k = 0 ; k < p->n ; k++)
  {
    for (unsigned int j = p->needs_at[p->order[k]] ; j < p->needs_at[p->order[k]+1] ; j++)
      if (t->task_of[p->needs[j]] != S4_NONE) x->meant[k] |= x->meant[t->task_of[p->needs[j]]] ;
    some |= x->meant[k] && s4_takedown_block(t, k)->kind == S4_BLOCK_DM ;
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
  for (unsigned int k = 0 ; k < x->t->plan.n ; k++)
  {
    s4_block const *b = s4_takedown_block(x->t, k) ;
    int e ;
    if (b->kind != S4_BLOCK_DM || !x->meant[k] || !stays_lost(control, b, limit)) continue ;
    e = s4_dm_fail_if_no_path(control, b->device) ;
    if (e) s4_warnerr(e, "unable to let fail what waits for a path of ", S4_BLOCK(b)) ;
    else s4_warn("no path left, what waits for one fails now: ", S4_BLOCK(b)) ;
    if (!e) s4_answer(answer, "", 1) ;
  }
  return 0 ;
}

 /* how many are told */

static size_t let_fail (struct paths *x)
{
  stralloc answer = STRALLOC_ZERO ;
  size_t n ;
  if (x->t->dm_is_silent || !mean_below(x)) return 0 ;
  x->t->dm_is_silent = !s4_ask(&fail_lost, x, x->patience + ANSWER_TIMEOUT, &answer) ;
  n = answer.len ;
  stralloc_free(&answer) ;
  return n ;
}

void s4_takedown_fail_below (s4_takedown *t, unsigned int k)
{
  struct paths x = { .t = t, .meant = calloc(t->plan.n + 1, 1) } ;
  if (!x.meant) return ;
  x.meant[k] = 1 ;
  let_fail(&x) ;
  free(x.meant) ;
}

 /* Who has a device may be an unmount that was given up, and that waits for a path, too. */

size_t s4_takedown_fail_busy (s4_takedown *t)
{
  struct paths x = { .t = t, .meant = calloc(t->plan.n + 1, 1), .patience = s4_takedown_half_time(t) } ;
  size_t n = 0 ;
  int some = 0 ;
  for (unsigned int k = 0 ; k < t->plan.n && x.meant ; k++)
    if (s4_task_ended(t->tasks + k, EBUSY)) some = x.meant[k] = 1 ;
  if (some) n = let_fail(&x) ;
  free(x.meant) ;
  return n ;
}
