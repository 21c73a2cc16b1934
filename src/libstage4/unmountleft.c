/* ISC license. */

/* What umountall leaves, named with what holds it; and what can be lost by that. */

#include <errno.h>
#include <stdlib.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOK_TIMEOUT 2000   /* for who holds what */
#define UNSEEN_TRIES 5
#define UNSEEN_NAP 40
#define OTHERS_MAX 3        /* of one mount: swaps and loop devices */
#define NAMED_MAX 50        /* a slow console takes a hundred lines a second; those at risk come first */

 /* What was kept by request, and what that lies on, is no failure. */

static int is_requested (s4_storage const *st, unsigned int i, void *data)
{
  s4_unmount const *u = data ;
  int path = s4_kept_find(&u->kept, st->ms->m[i].id) ;
  return path >= 0 && (unsigned int)path < u->nasked ;
}

static void name_one (s4_unmount const *u, unsigned int i, char const *holders, int all_known)
{
  s4_mount const *m = u->ms.m + i ;
  char const *state = m->readonly ? ", read-only)" : ", writable)" ;
  unsigned int need = u->plan.needs_at[i] ;
  int carries = need < u->plan.needs_at[i+1] ;
  int maybe = s4_unmount_may_be_layer(u, i) ;
  char const *why = holders ? ", held by " : maybe ? ", may be a layer of " : carries ? ", carries "
   : all_known ? ", no process holds it" : ", not known who holds it" ;
  char const *who = holders ? holders : maybe ? u->ms.m[u->plan.because[i]].dir
   : carries ? u->ms.m[u->plan.needs[need]].dir : 0 ;
  s4_warn("left: ", m->dir, " (", m->type, " on ", m->source, state, why, who) ;
}

 /*
   Swap and loop devices, by the names of their files alone: a child that asks a device, and gets no answer, holds it
   itself. In a container they are the host's.
 */

static void find_others (s4_unmount const *u, unsigned int const *which, unsigned int n, genalloc *others)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc places = GENALLOC_ZERO, swaps = GENALLOC_ZERO, loops = GENALLOC_ZERO ;
  s4_placed *unknown ;
  if (s4.container) return ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    s4_mount const *m = u->ms.m + which[k] ;
    s4_busyplace const p = { .target = which[k], .device = s4_mount_device(m), .mount = m->id, .part = "" } ;
    if (!genalloc_append(s4_busyplace, &places, &p)) break ;
  }
  s4_swaps_load(&text, &swaps) ;
  unknown = calloc(genalloc_len(s4_swap, &swaps) + 1, sizeof *unknown) ;
  if (unknown) s4_busy_swaps(others, &places, &u->st.tree, &swaps, unknown) ;
  if (s4_loops_find(&loops, 1, 0)) s4_busy_loops(others, &places, &u->st.tree, &loops) ;
  free(unknown) ;
  stralloc_free(&text) ;
  genalloc_free(s4_busyplace, &places) ;
  genalloc_free(s4_swap, &swaps) ;
  genalloc_free(s4_loop, &loops) ;
}

static char const *name_holders (s4_unmount const *u, genalloc const *holders, genalloc const *others, unsigned int i)
{
  char const *processes = s4_holders_name(holders, i) ;
  s4_names names = S4_NAMES(OTHERS_MAX) ;
  if (u->plan.needs_at[i] < u->plan.needs_at[i+1]) return processes ;   /* it carries something, which says more */
  s4_busy_names(&names, others, i) ;
  if (!names.n) return processes ;
  return processes ? s4_concat(processes, ", ", s4_names_end(&names)) : s4_names_end(&names) ;
}

static void name_these (s4_unmount const *u, unsigned int const *which, unsigned int n)
{
  genalloc holders = GENALLOC_ZERO, others = GENALLOC_ZERO ;
  int all_known = s4_holders_find(&u->st.tree, which, n, LOOK_TIMEOUT, &holders) ;
  find_others(u, which, n, &others) ;
  for (unsigned int k = 0 ; k < n ; k++)
    name_one(u, which[k], name_holders(u, &holders, &others, which[k]), all_known) ;
  genalloc_free(s4_holder, &holders) ;
  genalloc_free(s4_busy, &others) ;
}

static void name_mounts (s4_unmount const *u, s4_left *left)
{
  unsigned int which[NAMED_MAX] ;
  unsigned char *requested = s4_storage_mark(&u->st, &is_requested, (void *)u, 0) ;
  unsigned int n = 0 ;
  for (int risk = 1 ; risk >= 0 ; risk--) for (unsigned int i = 0 ; i < u->ms.n ; i++)
  {
    int hangs = s4_unmount_hangs(u, u->ms.m[i].id) ;
    int at_risk = u->st.at_risk[i] && s4_type_wanted(u->types, u->ms.m[i].type)
     && !(requested && requested[u->st.sb[i]]) ;
    left->at_risk |= at_risk ;
    if (hangs && s4_is_namespace(u->ms.m + i)) left->at_risk = left->late = 1 ;   /* what is in there is not known */
    left->late |= at_risk && hangs ;
    if (at_risk != risk || !(at_risk || hangs || u->plan.verdict[i] == S4_GOES)) continue ;
    if (n < NAMED_MAX) which[n] = i ;
    n++ ;
  }
  free(requested) ;
  if (n) name_these(u, which, n < NAMED_MAX ? n : NAMED_MAX) ;
  if (n > NAMED_MAX) s4_warn("left, and not named: ", S4_NUM(n - NAMED_MAX)) ;
}

static void name_pending (s4_unmount const *u, s4_left *left)
{
  for (size_t k = 0 ; k < genalloc_len(s4_pending, &u->pending) ; k++)
  {
    left->at_risk = left->late = 1 ;
    if (k < NAMED_MAX) s4_warn("left: ", genalloc_s(s4_pending, &u->pending)[k].what, ", still being unmounted") ;
  }
  if (u->earlier)
  {
    left->at_risk = left->late = 1 ;
    s4_unmounts_name(u->earlier) ;
  }
}

 /* One line for a file system; of its ways the one that somebody holds. */

static void name_writable_elsewhere (s4_storage const *st, unsigned int k, genalloc const *holders)
{
  unsigned int i = st->first[k] ;
  char const *who = 0 ;
  for (unsigned int j = i ; j < st->ms->n && !who ; j++)
    if (st->sb[j] == k && (who = s4_holders_name(holders, j))) i = j ;
  s4_warn("left: ", S4_MOUNT(st->ms->m + i), ", writable in another mount namespace", who ? ", held by " : "", who) ;
}

static void name_elsewhere (s4_unmount const *u, s4_storage const *st, s4_left *left)
{
  unsigned char *requested = s4_storage_mark(st, &is_requested, (void *)u, 0) ;
  s4_mounts const *ms = st->ms ;
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  unsigned int n = 0 ;
  for (unsigned int i = ms->nown ; i < ms->n ; i++)
    if (s4_type_wanted(u->types, ms->m[i].type) && !genalloc_append(unsigned int, &which, &i)) break ;
  if (genalloc_len(unsigned int, &which))
    s4_holders_find(&st->tree, genalloc_s(unsigned int, &which), (unsigned int)genalloc_len(unsigned int, &which),
      LOOK_TIMEOUT, &holders) ;
  for (unsigned int k = 0 ; k < st->nsb ; k++)
  {
    unsigned int i = st->first[k] ;
    if (i < ms->nown || (requested && requested[k]) || !s4_type_wanted(u->types, ms->m[i].type)) continue ;
    left->at_risk = 1 ;
    if (n++ < NAMED_MAX) name_writable_elsewhere(st, k, &holders) ;
  }
  genalloc_free(unsigned int, &which) ;
  genalloc_free(s4_holder, &holders) ;
  free(requested) ;
}

 /* As one that is being unmounted still, or was read-only before it got out of sight. */

static int is_known (s4_unmount const *u, uint64_t device)
{
  s4_pending const *x = genalloc_s(s4_pending, &u->pending) ;
  uint64_t const *readonly = genalloc_s(uint64_t, &u->readonly) ;
  for (size_t k = genalloc_len(s4_pending, &u->pending) ; k-- ; ) if (x[k].device == device) return 1 ;
  for (size_t k = genalloc_len(uint64_t, &u->readonly) ; k-- ; ) if (readonly[k] == device) return 1 ;
  return 0 ;
}

static int find_unknown (s4_unmount const *u, s4_mounts const *all, genalloc *unseen)
{
  s4_unseen *x ;
  size_t n = 0 ;
  if (!s4_unseen_find(all, unseen)) return 0 ;
  x = genalloc_s(s4_unseen, unseen) ;
  for (size_t k = 0 ; k < genalloc_len(s4_unseen, unseen) ; k++)
    if (s4_type_wanted(u->types, x[k].type) && !is_known(u, x[k].device)) x[n++] = x[k] ;
  genalloc_setlen(s4_unseen, unseen, n) ;
  return 1 ;
}

 /* What was unmounted just now may take a moment to be gone. */

static int name_unseen (s4_unmount const *u, s4_mounts *all, s4_left *left)
{
  genalloc unseen = GENALLOC_ZERO ;
  s4_unseen const *x ;
  int ok = find_unknown(u, all, &unseen) ;
  for (unsigned int i = 0 ; ok && genalloc_len(s4_unseen, &unseen) && i < UNSEEN_TRIES ; i++)
  {
    s4_poll(0, 0, s4_now() + UNSEEN_NAP) ;
    ok = s4_mounts_load_all(all) && find_unknown(u, all, &unseen) ;
  }
  if (!ok) s4_warnsys("unable to see what no mount table shows") ;
  x = genalloc_s(s4_unseen, &unseen) ;
  left->at_risk |= !!genalloc_len(s4_unseen, &unseen) ;
  for (size_t k = 0 ; k < genalloc_len(s4_unseen, &unseen) && k < NAMED_MAX ; k++)
    s4_warn("left: ", x[k].name, " (", x[k].type, "), in no mount table, maybe writable") ;
  genalloc_free(s4_unseen, &unseen) ;
  return ok ;
}

static void name_hosts (s4_unmount const *u)
{
  s4_names names = S4_NAMES(NAMED_MAX) ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
    if (s4_unmount_is_hosts(u, i) && s4_kept_find(&u->kept, u->ms.m[i].id) < 0 && s4_names_next(&names))
      s4_cat(&names.text, u->ms.m[i].dir) ;
  if (names.n) s4_warn("left to the host, which would lose it, too: ", s4_names_end(&names)) ;
}

static void name_hidden (s4_unmount const *u)
{
  unsigned int n = 0 ;
  for (unsigned int i = 0 ; i < u->ms.n && n < NAMED_MAX ; i++)
  {
    s4_mount const *m = u->ms.m + i ;
    if (u->plan.verdict[i] != S4_HIDDEN) continue ;
    s4_warn("can't reach ", S4_MOUNT(m), ", hidden under ", u->ms.m[u->plan.because[i]].dir) ;
    n++ ;
  }
}

int s4_unmount_name_left (s4_unmount const *u, s4_left *left)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  int ok ;
  *left = (s4_left){ .late = 0 } ;
  name_mounts(u, left) ;
  name_pending(u, left) ;
  ok = s4_storage_load_all(&st, &ms) ;
  if (!ok || ms.unseen) s4_mounts_warn_unseen(ok ? ms.unseen : errno) ;
  if (ok)
  {
    name_elsewhere(u, &st, left) ;
    s4_storage_free(&st) ;
    ok = !ms.unseen && (s4.container || name_unseen(u, &ms, left)) ;
    s4_mounts_free(&ms) ;
  }
  name_hidden(u) ;
  name_hosts(u) ;
  return ok ;
}
