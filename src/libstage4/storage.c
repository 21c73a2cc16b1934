/* ISC license. */

/*
  What the file systems of a mount table are: which mounts are of the same one, what lies on what, where something
  can be lost. For all who must know what goes first: umountall, freeze, the last resort.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

static s4_mount const *sorting ;   /* qsort(3) takes no context */

static int compare_device (void const *a, void const *b)
{
  unsigned int i = *(unsigned int const *)a, j = *(unsigned int const *)b ;
  uint64_t x = s4_mount_device(sorting + i), y = s4_mount_device(sorting + j) ;
  if (x != y) return x < y ? -1 : 1 ;
  return i < j ? -1 : i > j ;
}

 /* Numbers the superblocks, as they come by their devices. */

static int number_superblocks (s4_storage *st)
{
  unsigned int n = st->ms->n ;
  unsigned int *by_device = s4_numbers(n) ;
  if (!by_device) return 0 ;
  sorting = st->ms->m ;
  s4_sort_numbers(by_device, n, &compare_device) ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    unsigned int i = by_device[k] ;
    if (!k || !s4_same_superblock(st->ms->m + i, st->ms->m + by_device[k-1])) st->first[st->nsb++] = i ;
    st->sb[i] = st->nsb - 1 ;
    if (st->reach[i] < st->reach[st->first[st->sb[i]]]) st->first[st->sb[i]] = i ;
  }
  free(by_device) ;
  return 1 ;
}

 /* How the way to mount i is, from its parent's root on, and whether something is mounted on all of it. */

static unsigned char own_reach (s4_tree const *t, unsigned int i)
{
  s4_mount const *m = t->ms->m + i ;
  int remote = m->remote || (t->parent[i] != S4_NONE && s4_may_hang(t->ms->m[t->parent[i]].type)) ;
  unsigned int over = t->carries[i] ? s4_tree_on(t, m->id, m->dir, strlen(m->dir)) : S4_NONE ;
  unsigned char r = remote ? S4_REACH_REMOTE : 0 ;
  if (t->hidden[i]) r |= S4_REACH_HIDDEN ;
  return over != S4_NONE && over != i ? r | S4_REACH_COVERED : r ;
}

 /*
   A mount inherits how its parent is reached, but not that this is covered: it lies on the parent, above that or below.
   Each way is walked up to what is known already, and back.
 */

static int find_reach (s4_storage *st)
{
  unsigned int n = st->ms->n ;
  unsigned int *way = s4_numbers(n) ;
  if (!way) return 0 ;
  memset(st->reach, S4_REACH_UNKNOWN, n + 1) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    unsigned int len = 0 ;
    unsigned char above ;
    unsigned int at = i ;
    for (; at != S4_NONE && len < n && st->reach[at] == S4_REACH_UNKNOWN ; at = st->tree.parent[at]) way[len++] = at ;
    above = at == S4_NONE || st->reach[at] == S4_REACH_UNKNOWN ? 0 : st->reach[at] ;
    while (len--)
    {
      st->reach[way[len]] = own_reach(&st->tree, way[len]) | (above & (S4_REACH_REMOTE | S4_REACH_HIDDEN)) ;
      above = st->reach[way[len]] ;
    }
  }
  free(way) ;
  return 1 ;
}

int s4_storage_make (s4_storage *st, s4_mounts const *ms)
{
  *st = (s4_storage){ .ms = ms, .edges = GENALLOC_ZERO } ;
  st->sb = s4_numbers(ms->n) ;
  st->first = s4_numbers(ms->n) ;
  st->upper = s4_numbers(ms->n) ;
  st->at_risk = calloc(ms->n + 1, 1) ;
  st->reach = calloc(ms->n + 1, 1) ;
  if (!s4_tree_make(&st->tree, ms) || !st->sb || !st->first || !st->upper || !st->at_risk || !st->reach
   || !find_reach(st) || !number_superblocks(st)) goto err ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    st->upper[i] = S4_NONE ;
    st->at_risk[i] = !ms->m[i].readonly && s4_fsclass(ms->m[i].type) == S4_FS_DISK ;
  }
  return 1 ;
 err:
  s4_storage_free(st) ;
  return 0 ;
}

void s4_storage_free (s4_storage *st)
{
  s4_tree_free(&st->tree) ;
  genalloc_free(s4_edge, &st->edges) ;
  free(st->sb) ;
  free(st->first) ;
  free(st->upper) ;
  free(st->at_risk) ;
  free(st->reach) ;
  *st = (s4_storage){ .edges = GENALLOC_ZERO } ;
}

 /* In a container the layers are the host's, as are the file systems: nothing can be done for them. */

int s4_storage_find (s4_storage *st, s4_mounts const *ms)
{
  if (!s4_storage_make(st, ms)) return 0 ;
  if ((s4.container || s4_overlay_edges(st, s4_getenv("STAGE4_OLDROOT"))) && s4_loop_edges(st)) return 1 ;
  s4_storage_free(st) ;
  return 0 ;
}

struct marking
{
  s4_storage const *st ;
  unsigned char *marks ;   /* of each superblock */
  int maybe ;
} ;

static int mark_below (s4_edge const *e, void *data)
{
  struct marking const *x = data ;
  unsigned char *below = x->marks + x->st->sb[e->then] ;
  if ((e->kind == S4_EDGE_MAYBE && !x->maybe) || !x->marks[x->st->sb[e->first]] || *below) return 0 ;
  return *below = 1 ;
}

unsigned char *s4_storage_mark (s4_storage const *st, s4_meant_func *is_meant, void *data, int maybe)
{
  struct marking x = { .st = st, .marks = calloc(st->nsb + 1, 1), .maybe = maybe } ;
  if (!x.marks) return 0 ;
  for (unsigned int i = 0 ; i < st->ms->n ; i++) if (is_meant(st, i, data)) x.marks[st->sb[i]] = 1 ;
  s4_edges_follow(&st->edges, &mark_below, &x) ;
  return x.marks ;
}

uint64_t s4_storage_progress (s4_storage const *st, unsigned int i)
{
  s4_mount const *m = st->ms->m + (st->upper[i] == S4_NONE ? i : st->upper[i]) ;
  if (s4_is_namespace(m)) return s4_pages_written() ;
  if (s4_fsclass(m->type) != S4_FS_DISK) return 0 ;
  return strcmp(m->type, "overlay") ? s4_dev_progress(m->major, m->minor, m->source) : s4_pages_written() ;
}
