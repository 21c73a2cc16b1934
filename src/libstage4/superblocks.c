/* ISC license. */

/*
  The writable superblocks that can lose data, what lies on another one first, and of each the ways to get hold of
  it: its mounts, or a new one. Pure.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

 /* Better ones first. A file system can be mounted anew without a look at its mount points, but needs its device. */

enum rank_e { WHOLE, PART, ANEW, REMOTE, NOT_IN_SIGHT } ;

static enum rank_e rank_of (s4_storage const *st, unsigned int i)
{
  if (st->reach[i] & (S4_REACH_HIDDEN | S4_REACH_COVERED)) return NOT_IN_SIGHT ;
  if (st->reach[i] & S4_REACH_REMOTE) return REMOTE ;
  return strcmp(st->ms->m[i].root, "/") ? PART : WHOLE ;   /* a part may be a file, or a socket */
}

struct way { s4_way w ; unsigned int place ; enum rank_e rank ; } ;

static int compare_ways (void const *a, void const *b)
{
  struct way const *x = a, *y = b ;
  if (x->place != y->place) return x->place < y->place ? -1 : 1 ;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1 ;
  return x->w.mount < y->w.mount ? -1 : x->w.mount > y->w.mount ;
}

 /* place: of each superblock in the order; edges: between superblocks. */

static int find_places (s4_storage const *st, genalloc *edges, unsigned int *place)
{
  unsigned int *order = s4_numbers(st->nsb) ;
  int ok = !!order ;
  for (size_t k = 0 ; ok && k < genalloc_len(s4_edge, &st->edges) ; k++)
  {
    s4_edge e = genalloc_s(s4_edge, &st->edges)[k] ;
    e.first = st->sb[e.first] ;
    e.then = st->sb[e.then] ;
    if (e.first != e.then) ok = genalloc_append(s4_edge, edges, &e) ;
  }
  ok = ok && s4_order(st->nsb, genalloc_s(s4_edge, edges), (unsigned int)genalloc_len(s4_edge, edges), order) ;
  for (unsigned int k = 0 ; ok && k < st->nsb ; k++) place[order[k]] = k ;
  free(order) ;
  return ok ;
}

static int add_ways (s4_storage const *st, unsigned int const *place, s4_superblock_func *wanted, void *data,
  genalloc *ways)
{
  for (unsigned int i = 0 ; i < st->ms->n ; i++)
  {
    struct way x = { .w = { .mount = i }, .place = place[st->sb[i]], .rank = rank_of(st, i) } ;
    if (!st->at_risk[st->first[st->sb[i]]] || (wanted && !wanted(st, st->sb[i], data))) continue ;
    if (!st->ms->m[i].in_no_table && !genalloc_append(struct way, ways, &x)) return 0 ;
    if (i != st->first[st->sb[i]] || !st->ms->m[i].major) continue ;
    x.w.anew = 1 ;
    x.rank = ANEW ;
    if (!genalloc_append(struct way, ways, &x)) return 0 ;
  }
  return 1 ;
}

 /* new_number: among those that are wanted. Edges with others are no use; nor is one that closes a cycle. */

static int set_needs (s4_superblocks *s, genalloc *edges, unsigned int const *new_number)
{
  s4_edge *e = genalloc_s(s4_edge, edges) ;
  unsigned int n = 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, edges) ; k++)
  {
    s4_edge const x = { .first = new_number[e[k].first], .then = new_number[e[k].then] } ;
    if (x.first != S4_NONE && x.then != S4_NONE && x.first < x.then) e[n++] = x ;
  }
  return s4_needs(s->n, e, n, &s->needs, &s->needs_at) ;
}

int s4_superblocks_find (s4_superblocks *s, s4_storage const *st, s4_superblock_func *wanted, void *data)
{
  genalloc edges = GENALLOC_ZERO, ways = GENALLOC_ZERO ;
  unsigned int *place = s4_numbers(st->nsb), *new_number = s4_numbers(st->nsb) ;
  struct way const *w ;
  unsigned int n ;
  int ok = place && new_number && find_places(st, &edges, place) && add_ways(st, place, wanted, data, &ways) ;
  *s = (s4_superblocks){ .n = 0 } ;
  w = genalloc_s(struct way, &ways) ;
  n = (unsigned int)genalloc_len(struct way, &ways) ;
  if (n) qsort(ways.s, n, sizeof(struct way), &compare_ways) ;
  s->at = ok ? s4_numbers(n + 1) : 0 ;
  s->way = ok ? malloc((n + 1) * sizeof(s4_way)) : 0 ;
  ok = s->at && s->way ;
  for (unsigned int i = 0 ; ok && i < st->nsb ; i++) new_number[i] = S4_NONE ;
  for (unsigned int k = 0 ; ok && k < n ; k++)
  {
    if (!k || w[k].place != w[k-1].place) s->at[s->n++] = k ;
    new_number[st->sb[w[k].w.mount]] = s->n - 1 ;
    s->way[k] = w[k].w ;
    s->way[k].of = s->n - 1 ;
  }
  if (ok) s->at[s->n] = n ;
  ok = ok && set_needs(s, &edges, new_number) ;
  genalloc_free(s4_edge, &edges) ;
  genalloc_free(struct way, &ways) ;
  free(place) ;
  free(new_number) ;
  return ok ;
}

void s4_superblocks_free (s4_superblocks *s)
{
  free(s->way) ;
  free(s->at) ;
  free(s->needs) ;
  free(s->needs_at) ;
  *s = (s4_superblocks){ .n = 0 } ;
}
