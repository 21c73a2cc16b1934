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

 /* --- the plan --- */

struct planning
{
  s4_tree const *tree ;
  s4_policy const *policy ;
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
  while (g->tree->hidden[i] && (j = s4_tree_hider(g->tree, i, &len)) != S4_NONE) if (!add_edge(g, j, then)) return 0 ;
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
  for (unsigned int k = 0 ; k < g->policy->nedges ; k++)
  {
    s4_edge const *e = g->policy->edges + k ;
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

static void mark (s4_tree const *t, s4_policy const *w, unsigned char *verdict)
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
  if (!s4_type_wanted(g->policy->types, g->tree->ms->m[i].type))
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

 /*
   The mounts of a namespace that only its file keeps are flushed when that goes, where nobody sees which one; but not
   those that are mounted here as well, as long as they are.
 */

static int goes_early (struct planning const *g, unsigned int i)
{
  return s4_is_namespace(g->tree->ms->m + i) && g->plan->needs_at[i] == g->plan->needs_at[i+1] ;
}

static int plan_all (struct planning *g, unsigned int *order)
{
  s4_mountplan *p = g->plan ;
  unsigned int n = g->tree->ms->n ;
  unsigned int nedges ;
  memset(p->verdict, S4_GOES, n) ;
  mark(g->tree, g->policy, p->verdict) ;
  if (!add_all_edges(g)) return 0 ;
  nedges = (unsigned int)genalloc_len(s4_edge, &g->edges) ;
  if (!s4_needs(n, genalloc_s(s4_edge, &g->edges), nedges, &p->needs, &p->needs_at)
   || !s4_order(n, genalloc_s(s4_edge, &g->edges), nedges, order)) return 0 ;
  for (unsigned int k = 0 ; k < n ; k++) if (goes_early(g, order[k])) judge(g, order[k]) ;
  for (unsigned int k = 0 ; k < n ; k++) if (!goes_early(g, order[k])) judge(g, order[k]) ;
  return 1 ;
}

int s4_mountplan_make (s4_mountplan *p, s4_tree const *t, s4_policy const *policy)
{
  unsigned int *order = s4_numbers(t->ms->n) ;
  struct planning g = { .tree = t, .policy = policy, .plan = p, .edges = GENALLOC_ZERO,
    .solid = s4_numbers(t->ms->n) } ;
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
