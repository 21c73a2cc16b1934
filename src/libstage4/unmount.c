/* ISC license. */

/*
  Unmounting by passes, until one brings nothing. What hangs is left behind, for s4_unmount_force(). What is busy is
  tried again for a while, because references outlive a killed process by milliseconds, but not for what a living
  process holds.
*/

#include <skalibs/nonposix.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

#define BACKOFF_FIRST 2
#define BACKOFF_MAX 100
#define BACKOFF_QUICK 75        /* longer than the kernel's own references: AF_UNIX in flight 12 ms, io_uring 52 ms */
#define BACKOFF_ALL 1000
#define BACKOFF_TRIES 15        /* in that; with fewer somebody else has the CPUs, and the kernel is late, too */
#define BACKOFF_LONGEST 5000
#define LOOKS 2                 /* for holders: who was just ending at the first one is no reason to give up */
#define LOOK_TIMEOUT 2000
#define LOOP_TIMEOUT 500        /* for where the files of loop devices are */
#define PASSES_TIMEOUT 600000   /* passes that still bring something end at the budget, or without one after that */

static int is_waited_for (s4_unmount const *u, s4_stuck const *x, s4_ms now)
{
  s4_ms const limit = x->tries < BACKOFF_TRIES ? BACKOFF_LONGEST : BACKOFF_ALL ;
  return x->pass == u->pass && (!x->held || x->looked < LOOKS) && now - x->since < limit ;
}

 /* A loop device keeps its file until somebody detaches it, unless it goes with its last user (autoclear). */

static int goes_by_itself (s4_loop const *loop)
{
  return s4_sys_says("1", "/sys/block", strrchr(loop->name, '/'), "/loop/autoclear") ;
}

static void note_loop (s4_unmount *u, unsigned int i)
{
  s4_stuck *x = s4_stuck_find(u, u->ms.m[i].id) ;
  x->held = x->by_loop = 1 ;
}

static void look_for_loops (s4_unmount *u, unsigned int const *which, size_t n)
{
  genalloc loops = GENALLOC_ZERO ;   /* s4_loop */
  s4_loop const *l ;
  if (!s4.container) s4_loops_find(&loops, 1, LOOP_TIMEOUT) ;
  l = genalloc_s(s4_loop, &loops) ;
  for (size_t j = 0 ; j < genalloc_len(s4_loop, &loops) ; j++)
    for (size_t k = 0 ; k < n ; k++)
      if (l[j].backing == s4_mount_device(u->ms.m + which[k]) && !goes_by_itself(l + j)) note_loop(u, which[k]) ;
  genalloc_free(s4_loop, &loops) ;
}

 /* Of those that the kernel alone should have let go of by now. */

static int look_for_holders (s4_unmount *u, s4_ms now)
{
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  s4_holder const *h ;
  unsigned int n ;
  int ok = 1 ;
  for (size_t k = 0 ; k < u->nstuck ; k++)
  {
    unsigned int i = s4_tree_find(&u->st.tree, x[k].id) ;
    if (!is_waited_for(u, x + k, now) || now - x[k].since < BACKOFF_QUICK) continue ;
    if (x[k].looked >= LOOKS || i == S4_NONE) continue ;
    x[k].looked++ ;
    x[k].held = x[k].by_loop = 0 ;
    if (!(ok = genalloc_append(unsigned int, &which, &i))) break ;
  }
  n = (unsigned int)genalloc_len(unsigned int, &which) ;
  if (n)
  {
    s4_holders_find(&u->st.tree, genalloc_s(unsigned int, &which), n, LOOK_TIMEOUT, &holders) ;
    look_for_loops(u, genalloc_s(unsigned int, &which), n) ;
  }
  h = genalloc_s(s4_holder, &holders) ;
  for (size_t k = 0 ; k < genalloc_len(s4_holder, &holders) ; k++)
    s4_stuck_find(u, u->ms.m[h[k].mount].id)->held = 1 ;
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_holder, &holders) ;
  return ok ;
}

static void begin_anew (s4_unmount *u, s4_ms now)
{
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  for (size_t k = 0 ; k < u->nstuck ; k++) if (x[k].since)
  {
    x[k].since = now ;
    x[k].tries = 0 ;
  }
}

 /* 1: something is busy that may go by itself. If something else went, the time for that begins anew. */

static int find_waiting (s4_unmount *u)
{
  s4_stuck *x = genalloc_s(s4_stuck, &u->stuck) ;
  s4_ms const now = s4_now() ;
  int some = 0 ;
  if (u->gone) begin_anew(u, now) ;
  else if (!look_for_holders(u, now)) return 0 ;
  for (size_t k = 0 ; k < u->nstuck && !some ; k++) some = is_waited_for(u, x + k, now) ;
  return some ;
}

 /*
   The kernel looks for sockets in flight in each other, maybe with open files, when one of their kind is closed. Who
   closed it then closes these files as well, which may hang: so it is not us.
 */

static void collect_sockets (void)
{
  if (s4_fork_worker(-1, 0)) return ;
  close(socket(AF_UNIX, SOCK_DGRAM, 0)) ;
  _exit(0) ;
}

 /* A copy that is busy keeps ours (fs/pnode.c:propagate_mount_busy). Only if nothing else helps: then theirs stays. */

static int some_are_shared (s4_unmount const *u)
{
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    unsigned int i = u->plan.order[t] ;
    s4_stuck const *x = s4_stuck_find(u, u->ms.m[i].id) ;
    if (x && x->pass == u->pass && s4_unmount_sharing_parent(u, i)) return 1 ;
  }
  return 0 ;
}

 /* By one reading of the clock: between two it may tick, which would end the wait. */

static int budget_allows (s4_ms nap)
{
  s4_ms const now = s4_now() ;
  return s4_budget_limit(&s4.budget, now, nap) == now + nap ;
}

int s4_unmount_all (s4_unmount *u)
{
  s4_ms nap = BACKOFF_FIRST ;
  int reread = 0 ;
  s4_ms const start = s4_now() ;
  s4_ms const limit = s4_limit(PASSES_TIMEOUT) ;
  for (;;)
  {
    int waiting ;
    if (!s4_unmount_pass(u)) return 0 ;
    if (s4_now() >= limit)
    {
      if (s4_now() >= start + PASSES_TIMEOUT)
        s4_warn("somebody mounts again and again, or there is no end to it: going on") ;
      return s4_unmount_plan(u) ;   /* to know what has become of it */
    }
    waiting = find_waiting(u) ;
    if (u->gone)
    {
      nap = BACKOFF_FIRST ;
      reread = 0 ;
      continue ;
    }
    if (u->table_changed && !reread++) continue ;
    if (!waiting || !budget_allows(nap))
    {
      if (s4_unmount_untangle(u)) continue ;
      if (u->make_private || !some_are_shared(u)) return 1 ;
      u->make_private = 1 ;
      s4_verbose("going on without shared mounts: a busy copy keeps ours") ;
      continue ;
    }
    collect_sockets() ;
    s4_poll(0, 0, s4_now() + nap) ;
    nap = nap * 3 / 2 > BACKOFF_MAX ? BACKOFF_MAX : nap * 3 / 2 ;
  }
}

int s4_unmount_has_new (s4_unmount const *u)
{
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    unsigned int i = u->plan.order[t] ;
    if (u->plan.needs_at[i] == u->plan.needs_at[i+1] && !s4_stuck_find(u, u->ms.m[i].id)) return 1 ;
  }
  return 0 ;
}
