/* ISC license. */

/* Edges, what must be gone before what: what follows from them along all of them, and an order. Pure. */

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

 /* Each round goes one edge further at least. What is stacked is not high, so a few of them are enough. */

void s4_edges_follow (genalloc const *edges, s4_edge_func *f, void *data)
{
  for (int more = 1 ; more ; )
  {
    more = 0 ;
    for (size_t k = 0 ; k < genalloc_len(s4_edge, edges) ; k++) more |= f(genalloc_s(s4_edge, edges) + k, data) ;
  }
}

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

 /* Depth first, without recursion: the stack of mounts may be ten thousand deep. A cycle is cut where it closes. */

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
