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

 /* --- orders --- */

 /* For each node the list of what must come before it, in one array: count, add up, fill. */

int s4_needs (unsigned int n, s4_edge const *e, unsigned int ne, unsigned int **needs, unsigned int **at)
{
  unsigned int *first = s4_numbers(ne), *start = s4_numbers(n + 1) ;
  if (!first || !start)
  {
    free(first) ;
    free(start) ;
    return 0 ;
  }
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
  for (unsigned int i = 0 ; i < n ; i++) next[i] = S4_NONE ;   /* not visited */
  for (unsigned int root = n ; root-- ; )
  {
    unsigned int depth = 0 ;
    if (next[root] != S4_NONE) continue ;
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
        if (next[j] != S4_NONE) continue ;
        next[j] = at[j+1] ;
        stack[depth++] = j ;
      }
    }
  }
}

int s4_order (unsigned int n, s4_edge const *edges, unsigned int nedges, unsigned int *order)
{
  unsigned int *needs = 0, *at = 0 ;
  unsigned int *stack = s4_numbers(n), *next = s4_numbers(n) ;
  int ok = stack && next && s4_needs(n, edges, nedges, &needs, &at) ;
  if (ok) sort_by_needs(n, needs, at, order, stack, next) ;
  free(stack) ;
  free(next) ;
  free(needs) ;
  free(at) ;
  return ok ;
}

 /* --- the plan --- */

struct planning
{
  s4_tree const *tree ;
  s4_wish const *wish ;
  s4_mountplan *plan ;
  genalloc edges ;          /* s4_edge: all that must be gone before something else */
  unsigned int *solid ;     /* of each mount: how many of its needs lie on it; hiders come behind them */
} ;

static int add_edge (struct planning *g, unsigned int first, unsigned int then)
{
  s4_edge const e = { .first = first, .then = then } ;
  return genalloc_append(s4_edge, &g->edges, &e) ;
}

 /* Siblings on directories above hide mount i: they came later, or i would be their child. All go before `then`. */

static int add_hiders (struct planning *g, unsigned int i, unsigned int then)
{
  unsigned int j ;
  size_t len = 0 ;
  while ((j = s4_tree_hider(g->tree, i, &len)) != S4_NONE) if (!add_edge(g, j, then)) return 0 ;
  return 1 ;
}

static int add_solid (struct planning *g, unsigned int first, unsigned int then)
{
  g->solid[then]++ ;
  return add_edge(g, first, then) ;
}

 /* What is on a hidden mount is hidden too: its leaves stand for all of it. */

static int add_all_edges (struct planning *g)
{
  s4_tree const *t = g->tree ;
  unsigned int n = t->ms->n ;
  memset(g->solid, 0, n * sizeof(unsigned int)) ;
  for (unsigned int i = 0 ; i < n ; i++)
    if (t->parent[i] != S4_NONE && !add_solid(g, i, t->parent[i])) return 0 ;
  for (unsigned int k = 0 ; k < g->wish->nedges ; k++)
  {
    s4_edge const *e = g->wish->edges + k ;
    if (e->kind == S4_EDGE_IF_KEPT && g->plan->verdict[e->first] != S4_KEPT) continue ;
    if (!add_solid(g, e->first, e->then)) return 0 ;
  }
  for (unsigned int i = 0 ; i < n ; i++)
  {
    unsigned int steps = 0 ;
    if (!add_hiders(g, i, i)) return 0 ;
    if (g->solid[i]) continue ;
    for (unsigned int a = t->parent[i] ; a != S4_NONE && steps++ < n ; a = t->parent[a])
      if (!add_hiders(g, a, i)) return 0 ;
  }
  return 1 ;
}

 /* What is kept is kept with all that it is reached through. */

static void mark (s4_tree const *t, s4_wish const *w, unsigned char *verdict)
{
  for (unsigned int k = 0 ; k < w->nhung ; k++)
  {
    unsigned int i = s4_tree_find(t, w->hung[k]) ;
    if (i != S4_NONE) verdict[i] = S4_HANGS ;
  }
  for (unsigned int k = 0 ; k < w->nkeep ; k++)
    for (unsigned int i = s4_tree_find(t, w->keep[k]) ; i != S4_NONE && verdict[i] != S4_KEPT ; i = t->parent[i])
      verdict[i] = S4_KEPT ;
}

static void judge (struct planning const *g, unsigned int i)
{
  s4_mountplan *p = g->plan ;
  if (p->verdict[i] == S4_KEPT || p->verdict[i] == S4_HANGS) return ;
  if (!s4_type_wanted(g->wish->types, g->tree->ms->m[i].type))
  {
    p->verdict[i] = S4_NOT_WANTED ;
    return ;
  }
  for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++)
  {
    unsigned int j = p->needs[k] ;
    if (p->verdict[j] == S4_GOES) continue ;
    p->verdict[i] = k - p->needs_at[i] >= g->solid[i] ? S4_HIDDEN : S4_CARRIES ;
    p->because[i] = j ;
    return ;
  }
  p->order[p->n++] = i ;
}

static int plan_all (struct planning *g, unsigned int *order)
{
  s4_mountplan *p = g->plan ;
  unsigned int n = g->tree->ms->n ;
  unsigned int nedges ;
  memset(p->verdict, S4_GOES, n) ;
  mark(g->tree, g->wish, p->verdict) ;
  if (!add_all_edges(g)) return 0 ;
  nedges = (unsigned int)genalloc_len(s4_edge, &g->edges) ;
  if (!s4_needs(n, genalloc_s(s4_edge, &g->edges), nedges, &p->needs, &p->needs_at)
   || !s4_order(n, genalloc_s(s4_edge, &g->edges), nedges, order)) return 0 ;
  for (unsigned int k = 0 ; k < n ; k++) judge(g, order[k]) ;
  return 1 ;
}

int s4_mountplan_make (s4_mountplan *p, s4_tree const *t, s4_wish const *wish)
{
  unsigned int *order = s4_numbers(t->ms->n) ;
  struct planning g = { .tree = t, .wish = wish, .plan = p, .edges = GENALLOC_ZERO, .solid = s4_numbers(t->ms->n) } ;
  int ok ;
  *p = (s4_mountplan){ .n = 0 } ;
  p->order = s4_numbers(t->ms->n) ;
  p->because = s4_numbers(t->ms->n) ;
  p->verdict = calloc(t->ms->n + 1, 1) ;
  ok = g.solid && order && p->order && p->because && p->verdict && plan_all(&g, order) ;
  genalloc_free(s4_edge, &g.edges) ;
  free(g.solid) ;
  free(order) ;
  if (!ok) s4_mountplan_free(p) ;
  return ok ;
}

void s4_mountplan_free (s4_mountplan *p)
{
  free(p->verdict) ;
  free(p->because) ;
  free(p->order) ;
  free(p->needs) ;
  free(p->needs_at) ;
  *p = (s4_mountplan){ .n = 0 } ;
}

 /* --- one path --- */

int s4_mounts_holding (s4_mounts const *ms, char const *path)
{
  s4_tree t ;
  unsigned int i ;
  if (!s4_tree_make(&t, ms)) return -1 ;
  i = s4_tree_holding(&t, path) ;
  s4_tree_free(&t) ;
  return i == S4_NONE ? -1 : (int)i ;
}

int s4_mounts_on (s4_mounts const *ms, char const *dir)
{
  int i = s4_mounts_holding(ms, dir) ;
  return i >= 0 && !strcmp(ms->m[i].dir, dir) ? i : -1 ;
}
