/* ISC license. */

/*
  The mount table as a tree, with quick ways to look into it: ten thousand mounts must not take their square.
  Pure.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

unsigned int *s4_numbers (unsigned int n)
{
  genalloc g = GENALLOC_ZERO ;
  unsigned int *p ;
  if (!genalloc_ready(unsigned int, &g, n + 1)) return 0 ;
  p = genalloc_s(unsigned int, &g) ;
  for (unsigned int i = 0 ; i <= n ; i++) p[i] = i ;
  return p ;
}

static s4_mount const *sorting ;   /* qsort(3) takes no context */

static int compare_id (void const *a, void const *b)
{
  unsigned int x = sorting[*(unsigned int const *)a].id, y = sorting[*(unsigned int const *)b].id ;
  return x < y ? -1 : x > y ;
}

 /* Mostly they are: then it takes a look at each. */

void s4_sort_numbers (unsigned int *p, unsigned int n, int (*compare) (void const *, void const *))
{
  for (unsigned int i = 1 ; i < n ; i++)
    if (compare(p + i - 1, p + i) > 0)
    {
      qsort(p, n, sizeof(unsigned int), compare) ;
      return ;
    }
}

 /* The initramfs is its own parent, but not its own sibling. */

static unsigned int lies_on (s4_mount const *m)
{
  return m->parent == m->id ? 0 : m->parent ;
}

 /* Where that mount is in the hash table by_place, or would be. At least half of it is free. */

static unsigned int place_of (s4_tree const *t, unsigned int parent, char const *dir, size_t len)
{
  unsigned int k = parent ;
  for (size_t i = 0 ; i < len ; i++) k = k * 33 ^ (unsigned char)dir[i] ;
  for (k &= t->places - 1 ; t->by_place[k] != S4_NONE ; k = (k + 1) & (t->places - 1))
  {
    s4_mount const *m = t->ms->m + t->by_place[k] ;
    if (lies_on(m) == parent && !strncmp(m->dir, dir, len) && !m->dir[len]) break ;
  }
  return k ;
}

static int find_places (s4_tree *t)
{
  for (t->places = 2 ; t->places < 2 * (t->ms->n + 1) ; ) t->places *= 2 ;
  t->by_place = s4_numbers(t->places) ;
  if (!t->by_place) return 0 ;
  for (unsigned int k = 0 ; k < t->places ; k++) t->by_place[k] = S4_NONE ;
  for (unsigned int i = 0 ; i < t->ms->n ; i++)
  {
    s4_mount const *m = t->ms->m + i ;
    t->by_place[place_of(t, lies_on(m), m->dir, strlen(m->dir))] = i ;
  }
  return 1 ;
}

int s4_tree_make (s4_tree *t, s4_mounts const *ms)
{
  unsigned int parent = S4_NONE ;
  *t = (s4_tree){ .ms = ms, .parent = s4_numbers(ms->n), .by_id = s4_numbers(ms->n),
    .hidden = calloc(ms->n + 1, 1), .carries = calloc(ms->n + 1, 1), .root = S4_NONE } ;
  if (!t->parent || !t->by_id || !find_places(t) || !t->hidden || !t->carries)
  {
    s4_tree_free(t) ;
    return 0 ;
  }
  sorting = ms->m ;
  s4_sort_numbers(t->by_id, ms->n, &compare_id) ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    if (!i || ms->m[i].parent != ms->m[i-1].parent) parent = s4_tree_find(t, ms->m[i].parent) ;
    t->parent[i] = parent ;
    if (t->parent[i] == i) t->parent[i] = S4_NONE ;
    if (t->parent[i] != S4_NONE) t->carries[t->parent[i]] = 1 ;
    if (t->parent[i] == S4_NONE && !strcmp(ms->m[i].dir, "/")) t->root = i ;
  }
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    size_t len = 0 ;
    t->hidden[i] = s4_tree_hider(t, i, &len) != S4_NONE ;
  }
  return 1 ;
}

void s4_tree_free (s4_tree *t)
{
  free(t->parent) ;
  free(t->by_id) ;
  free(t->by_place) ;
  free(t->hidden) ;
  free(t->carries) ;
  t->hidden = t->carries = 0 ;
  t->parent = t->by_id = t->by_place = 0 ;
}

unsigned int s4_tree_find (s4_tree const *t, unsigned int id)
{
  unsigned int low = 0, high = t->ms->n ;
  while (low < high)
  {
    unsigned int mid = low + (high - low) / 2 ;
    unsigned int x = t->ms->m[t->by_id[mid]].id ;
    if (x == id) return t->by_id[mid] ;
    if (x < id) low = mid + 1 ; else high = mid ;
  }
  return S4_NONE ;
}

unsigned int s4_tree_on (s4_tree const *t, unsigned int parent, char const *dir, size_t len)
{
  return t->by_place[place_of(t, parent, dir, len)] ;
}

 /* How long the next prefix of path is: one component more. */

static size_t longer (char const *path, size_t len)
{
  for (len++ ; path[len] && path[len] != '/' ; len++) ;
  return len ;
}

unsigned int s4_tree_hider (s4_tree const *t, unsigned int i, size_t *len)
{
  s4_mount const *m = t->ms->m + i ;
  size_t all = strlen(m->dir) ;
  if (!*len) *len = t->parent[i] == S4_NONE ? 1 : strlen(t->ms->m[t->parent[i]].dir) ;
  while (*len < all)
  {
    unsigned int j = s4_tree_on(t, m->parent, m->dir, *len) ;
    *len = longer(m->dir, *len) ;
    if (j != S4_NONE && j != i) return j ;
  }
  return S4_NONE ;
}

 /* As the kernel walks: of the mounts on the current one the first that the path comes to. */

unsigned int s4_tree_holding (s4_tree const *t, char const *path)
{
  unsigned int at = path[0] == '/' ? t->root : S4_NONE ;
  size_t len = 1 ;
  for (unsigned int steps = 0 ; at != S4_NONE && steps < t->ms->n ; )
  {
    unsigned int next = s4_tree_on(t, t->ms->m[at].id, path, len) ;
    if (next != S4_NONE && next != at)
    {
      at = next ;
      steps++ ;
    }
    else if (path[len]) len = longer(path, len) ;
    else break ;
  }
  return at ;
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
