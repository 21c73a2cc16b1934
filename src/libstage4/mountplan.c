/* ISC license. */

/*
  The plan of umountall: from a mount table, without any I/O, to what goes, in which order, and why the
  rest stays. The order comes from the tree of parent ids: neither the order of lines nor that of paths
  is right once mounts were moved, stacked or hidden.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

#define NONE ((unsigned int)-1)

 /* The table, with the ways to look into it. */

struct table
{
  s4_mounts const *ms ;
  unsigned int *by_id ;       /* indices, sorted */
  unsigned int *by_place ;    /* indices, sorted by parent id and mount point */
  unsigned int *parent ;      /* index or NONE */
  genalloc edges ;            /* s4_edge: all that must be gone before something else */
} ;

static s4_mount const *sorting ;   /* qsort(3) takes no context */

static int compare_id (void const *a, void const *b)
{
  unsigned int x = sorting[*(unsigned int const *)a].id, y = sorting[*(unsigned int const *)b].id ;
  return x < y ? -1 : x > y ;
}

 /* The initramfs is its own parent, but not its own sibling. */

static unsigned int lies_on (s4_mount const *m)
{
  return m->parent == m->id ? 0 : m->parent ;
}

static int compare_place (void const *a, void const *b)
{
  s4_mount const *x = sorting + *(unsigned int const *)a, *y = sorting + *(unsigned int const *)b ;
  unsigned int px = lies_on(x), py = lies_on(y) ;
  return px < py ? -1 : px > py ? 1 : strcmp(x->dir, y->dir) ;
}

static unsigned int find_id (struct table const *t, unsigned int id)
{
  unsigned int low = 0, high = t->ms->n ;
  while (low < high)
  {
    unsigned int mid = low + (high - low) / 2 ;
    unsigned int x = t->ms->m[t->by_id[mid]].id ;
    if (x == id) return t->by_id[mid] ;
    if (x < id) low = mid + 1 ; else high = mid ;
  }
  return NONE ;
}

 /* The mount on the first len bytes of dir whose parent has that id. */

static unsigned int find_place (struct table const *t, unsigned int parent, char const *dir, size_t len)
{
  unsigned int low = 0, high = t->ms->n ;
  while (low < high)
  {
    unsigned int mid = low + (high - low) / 2 ;
    s4_mount const *m = t->ms->m + t->by_place[mid] ;
    int r = lies_on(m) < parent ? -1 : lies_on(m) > parent ? 1 : strncmp(m->dir, dir, len) ;
    if (!r && m->dir[len]) r = 1 ;
    if (!r) return t->by_place[mid] ;
    if (r < 0) low = mid + 1 ; else high = mid ;
  }
  return NONE ;
}

static int add_edge (struct table *t, unsigned int first, unsigned int then)
{
  s4_edge e = { .first = first, .then = then } ;
  return genalloc_append(s4_edge, &t->edges, &e) ;
}

 /*
   Siblings on directories above hide mount i: they came later, or i would be their child. All of them must be
   gone before then.
 */

static int add_hiders (struct table *t, unsigned int i, unsigned int then)
{
  s4_mount const *m = t->ms->m + i ;
  size_t len = t->parent[i] == NONE ? 1 : strlen(t->ms->m[t->parent[i]].dir) ;
  size_t all = strlen(m->dir) ;
  while (len < all)
  {
    unsigned int j = find_place(t, m->parent, m->dir, len) ;
    if (j != NONE && j != i && !add_edge(t, j, then)) return 0 ;
    for (len++ ; len < all && m->dir[len] != '/' ; len++) ;
  }
  return 1 ;
}

static unsigned int *numbers (unsigned int n)
{
  genalloc g = GENALLOC_ZERO ;
  unsigned int *p ;
  if (!genalloc_ready(unsigned int, &g, n + 1)) return 0 ;
  p = genalloc_s(unsigned int, &g) ;
  for (unsigned int i = 0 ; i <= n ; i++) p[i] = i ;
  return p ;
}

static int table_make (struct table *t, s4_mounts const *ms)
{
  *t = (struct table){ .ms = ms, .edges = GENALLOC_ZERO } ;
  t->by_id = numbers(ms->n) ;
  t->by_place = numbers(ms->n) ;
  t->parent = numbers(ms->n) ;
  if (!t->by_id || !t->by_place || !t->parent) return 0 ;
  sorting = ms->m ;
  if (ms->n)
  {
    qsort(t->by_id, ms->n, sizeof(unsigned int), &compare_id) ;
    qsort(t->by_place, ms->n, sizeof(unsigned int), &compare_place) ;
  }
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    t->parent[i] = find_id(t, ms->m[i].parent) ;
    if (t->parent[i] == i) t->parent[i] = NONE ;
  }
  return 1 ;
}

static void table_free (struct table *t)
{
  free(t->by_id) ;
  free(t->by_place) ;
  free(t->parent) ;
  genalloc_free(s4_edge, &t->edges) ;
}

 /* For each node the list of what must come before it, in one array: count, add up, fill. */

static int gather_needs (unsigned int n, s4_edge const *e, unsigned int ne, unsigned int **needs, unsigned int **at)
{
  unsigned int *first = numbers(ne), *start = numbers(n + 1) ;
  if (!first || !start) return 0 ;
  memset(start, 0, (n + 2) * sizeof(unsigned int)) ;
  for (unsigned int k = 0 ; k < ne ; k++) start[e[k].then + 2]++ ;
  for (unsigned int i = 2 ; i <= n + 1 ; i++) start[i] += start[i-1] ;
  for (unsigned int k = 0 ; k < ne ; k++) first[start[e[k].then + 1]++] = e[k].first ;
  *needs = first ;
  *at = start ;
  return 1 ;
}

 /* Depth first, without recursion: the stack of mounts may be ten thousand deep. A circle is cut where it closes. */

static void sort_by_needs (unsigned int n, unsigned int const *needs, unsigned int const *at, unsigned int *order,
                           unsigned int *stack, unsigned int *next)
{
  unsigned int done = 0 ;
  for (unsigned int i = 0 ; i < n ; i++) next[i] = NONE ;   /* not visited */
  for (unsigned int root = n ; root-- ; )
  {
    unsigned int depth = 0 ;
    if (next[root] != NONE) continue ;
    next[root] = at[root+1] ;
    stack[depth++] = root ;
    while (depth)
    {
      unsigned int i = stack[depth-1] ;
      if (next[i] == at[i])
      {
        order[done++] = i ;
        depth-- ;
      }
      else
      {
        unsigned int j = needs[--next[i]] ;
        if (next[j] != NONE) continue ;
        next[j] = at[j+1] ;
        stack[depth++] = j ;
      }
    }
  }
}

int s4_order (unsigned int n, s4_edge const *edges, unsigned int nedges, unsigned int *order)
{
  unsigned int *needs = 0, *at = 0 ;
  unsigned int *stack = numbers(n), *next = numbers(n) ;
  int ok = stack && next && gather_needs(n, edges, nedges, &needs, &at) ;
  if (ok) sort_by_needs(n, needs, at, order, stack, next) ;
  free(stack) ;
  free(next) ;
  free(needs) ;
  free(at) ;
  return ok ;
}

 /*
   solid: of each mount how many of its needs are mounts on it, or file systems that lie on it; the hiders come
   behind them. What is on a hidden mount is hidden too: its leaves stand for all of it.
 */

static int add_all_edges (struct table *t, s4_edge const *edges, unsigned int nedges, unsigned int *solid)
{
  memset(solid, 0, t->ms->n * sizeof(unsigned int)) ;
  for (unsigned int i = 0 ; i < t->ms->n ; i++)
    if (t->parent[i] != NONE && (solid[t->parent[i]]++, !add_edge(t, i, t->parent[i]))) return 0 ;
  for (unsigned int k = 0 ; k < nedges ; k++)
    if (solid[edges[k].then]++, !add_edge(t, edges[k].first, edges[k].then)) return 0 ;
  for (unsigned int i = 0 ; i < t->ms->n ; i++)
  {
    unsigned int steps = 0 ;
    if (!add_hiders(t, i, i)) return 0 ;
    if (solid[i]) continue ;
    for (unsigned int a = t->parent[i] ; a != NONE && steps++ < t->ms->n ; a = t->parent[a])
      if (!add_hiders(t, a, i)) return 0 ;
  }
  return 1 ;
}

 /* What is kept is kept with all that it is reached through. */

static void mark_kept (struct table const *t, unsigned int const *keep, unsigned int nkeep, unsigned char *verdict)
{
  for (unsigned int k = 0 ; k < nkeep ; k++)
    for (unsigned int i = find_id(t, keep[k]) ; i != NONE && verdict[i] != S4_KEPT ; i = t->parent[i])
      verdict[i] = S4_KEPT ;
}

static void judge (s4_mountplan *p, unsigned int i, unsigned int solid, int wanted)
{
  if (p->verdict[i] == S4_KEPT) return ;
  if (!wanted)
  {
    p->verdict[i] = S4_NOT_WANTED ;
    return ;
  }
  for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++)
  {
    unsigned int j = p->needs[k] ;
    if (p->verdict[j] == S4_GOES) continue ;
    p->verdict[i] = k - p->needs_at[i] >= solid ? S4_HIDDEN : S4_CARRIES ;
    p->because[i] = j ;
    return ;
  }
  p->order[p->n++] = i ;
}

int s4_mountplan_make (s4_mountplan *p, s4_mounts const *ms, unsigned int const *keep, unsigned int nkeep,
  char const *types, s4_edge const *edges, unsigned int nedges)
{
  struct table t ;
  unsigned int *solid = numbers(ms->n), *order = numbers(ms->n) ;
  unsigned int nall ;
  p->n = 0 ;
  p->order = numbers(ms->n) ;
  p->because = numbers(ms->n) ;
  p->verdict = (unsigned char *)numbers(ms->n) ;
  if (!solid || !order || !p->order || !p->because || !p->verdict || !table_make(&t, ms)) return 0 ;
  memset(p->verdict, S4_GOES, ms->n) ;
  if (!add_all_edges(&t, edges, nedges, solid)) return 0 ;
  nall = (unsigned int)genalloc_len(s4_edge, &t.edges) ;
  if (!gather_needs(ms->n, genalloc_s(s4_edge, &t.edges), nall, &p->needs, &p->needs_at)) return 0 ;
  if (!s4_order(ms->n, genalloc_s(s4_edge, &t.edges), nall, order)) return 0 ;
  mark_kept(&t, keep, nkeep, p->verdict) ;
  for (unsigned int k = 0 ; k < ms->n ; k++)
    judge(p, order[k], solid[order[k]], s4_type_wanted(types, ms->m[order[k]].type)) ;
  table_free(&t) ;
  free(solid) ;
  free(order) ;
  return 1 ;
}

 /* As the kernel walks: of the mounts on the current one the first that the path comes to. */

int s4_mounts_holding (s4_mounts const *ms, char const *path)
{
  int at = -1 ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
    if (!strcmp(ms->m[i].dir, "/") && s4_mounts_parent(ms, (int)i) == -1) at = (int)i ;
  for (unsigned int steps = 0 ; ; steps++)
  {
    int next = -1 ;
    for (unsigned int i = 0 ; at >= 0 && i < ms->n ; i++)
      if (ms->m[i].parent == ms->m[at].id && (int)i != at && s4_lies_below(path, ms->m[i].dir)
       && (next == -1 || strlen(ms->m[i].dir) < strlen(ms->m[next].dir))) next = (int)i ;
    if (next == -1 || steps == ms->n) return at ;
    at = next ;
  }
}

int s4_mounts_on (s4_mounts const *ms, char const *dir)
{
  int i = s4_mounts_holding(ms, dir) ;
  return i >= 0 && !strcmp(ms->m[i].dir, dir) ? i : -1 ;
}
