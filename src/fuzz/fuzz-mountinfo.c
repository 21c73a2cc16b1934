/* ISC license. */

/* A mount table from any text; the plan made of it; what a path lies on. What to keep, types and edges depend on the text. */

#include "stage4.h"
#include "fuzz.h"

#define MOUNTS_MAX 400   /* the checks are quadratic */

static void check_names (s4_mounts const *ms)
{
  char const *end = ms->text.s + ms->text.len ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    char const *const s[] = { ms->m[i].root, ms->m[i].dir, ms->m[i].type, ms->m[i].source } ;
    for (unsigned int k = 0 ; k < 4 ; k++) must(s[k] >= ms->text.s && s[k] + strlen(s[k]) <= end) ;
    must(strlen(ms->m[i].superoptions) <= ms->text.len) ;
    must(!ms->m[i].readonly || strstr(ms->m[i].superoptions, "ro")) ;
    must(s4_mounts_find(ms, ms->m[i].id) >= 0 && s4_mounts_find(ms, ms->m[i].id) <= (int)i) ;
    must(s4_mounts_parent(ms, (int)i) < (int)ms->n) ;
    must(s4_fsclass(ms->m[i].type) <= S4_FS_DISK) ;
  }
}

static int ids_are_unique (s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++) if (s4_mounts_find(ms, ms->m[i].id) != (int)i) return 0 ;
  return 1 ;
}

 /* Takes away what needs nothing that is still there, until all is gone, or a circle remains. */

static int has_circle (s4_mountplan const *p, unsigned int n)
{
  unsigned char gone[MOUNTS_MAX] = { 0 } ;
  unsigned int left = n ;
  for (int more = 1 ; more ; )
  {
    more = 0 ;
    for (unsigned int i = 0 ; i < n ; i++)
    {
      unsigned int k = p->needs_at[i] ;
      if (gone[i]) continue ;
      while (k < p->needs_at[i+1] && gone[p->needs[k]]) k++ ;
      if (k < p->needs_at[i+1]) continue ;
      gone[i] = 1 ;
      left-- ;
      more = 1 ;
    }
  }
  return !!left ;
}

static void check_plan (s4_mountplan const *p, s4_mounts const *ms, unsigned int const *keep, unsigned int nkeep)
{
  unsigned int place[MOUNTS_MAX] = { 0 } ;
  unsigned int going = 0 ;
  int unique = ids_are_unique(ms), circle ;
  must(p->n <= ms->n) ;
  must(p->needs_at[0] == 0) ;
  for (unsigned int k = 0 ; k < p->n ; k++)
  {
    must(p->order[k] < ms->n && !place[p->order[k]]) ;
    place[p->order[k]] = k + 1 ;
  }
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    must(p->needs_at[i] <= p->needs_at[i+1]) ;
    for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++) must(p->needs[k] < ms->n) ;
  }
  circle = has_circle(p, ms->n) ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    int parent = s4_mounts_parent(ms, (int)i) ;
    must(p->verdict[i] <= S4_HIDDEN) ;
    must((p->verdict[i] == S4_GOES) == !!place[i]) ;
    going += !!place[i] ;
    if (p->verdict[i] >= S4_CARRIES) must(p->because[i] < ms->n && p->because[i] != i && !place[p->because[i]]) ;
    if (unique && parent >= 0 && p->verdict[i] == S4_KEPT) must(p->verdict[parent] == S4_KEPT) ;
    if (circle) continue ;
    if (unique && parent >= 0 && place[parent]) must(place[i] && place[i] < place[parent]) ;
    for (unsigned int k = p->needs_at[i] ; place[i] && k < p->needs_at[i+1] ; k++)
      must(place[p->needs[k]] && place[p->needs[k]] < place[i]) ;
  }
  must(going == p->n) ;
  for (unsigned int k = 0 ; unique && k < nkeep ; k++)
  {
    int i = s4_mounts_find(ms, keep[k]) ;
    if (i >= 0) must(p->verdict[i] == S4_KEPT) ;
  }
}

static void plan (s4_mounts const *ms, uint32_t state)
{
  static char const *const types[] = { 0, 0, "ext4,xfs", "tmpfs", "notmpfs", "nonfs,nocifs" } ;
  unsigned int keep[3], nkeep = 0 ;
  s4_edge edges[4] ;
  unsigned int nedges = 0 ;
  unsigned int hung[2], nhung = 0 ;
  s4_mountplan p ;
  s4_tree t ;
  s4_policy w ;
  char const *wanted = types[fuzz_number(&state, 6)] ;
  for (unsigned int n = fuzz_number(&state, 4) ; nkeep < n ; nkeep++) keep[nkeep] = ms->n ? ms->m[fuzz_number(&state, ms->n)].id : 1 ;
  for (unsigned int n = ms->n ? fuzz_number(&state, 5) : 0 ; nedges < n ; nedges++)
    edges[nedges] = (s4_edge){ .first = fuzz_number(&state, ms->n), .then = fuzz_number(&state, ms->n), .kind = fuzz_number(&state, 3) } ;
  for (unsigned int n = ms->n ? fuzz_number(&state, 3) : 0 ; nhung < n ; nhung++) hung[nhung] = ms->m[fuzz_number(&state, ms->n)].id ;
  w = (s4_policy){ .keep = keep, .nkeep = nkeep, .hung = hung, .nhung = nhung, .types = wanted, .edges = edges, .nedges = nedges } ;
  must(s4_tree_make(&t, ms) && s4_mountplan_make(&p, &t, &w)) ;
  check_plan(&p, ms, keep, nkeep) ;
  s4_mountplan_free(&p) ;
  s4_tree_free(&t) ;
}

static void hold (s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i <= ms->n ; i++)
  {
    char const *path = i < ms->n ? ms->m[i].dir : "/" ;
    int at = s4_mounts_holding(ms, path) ;
    size_t len ;
    must(at >= -1 && at < (int)ms->n) ;
    if (at == -1 || ms->m[at].dir[0] != '/') continue ;
    len = strlen(ms->m[at].dir) ;
    must(!strcmp(ms->m[at].dir, "/") || (!strncmp(ms->m[at].dir, path, len) && (!path[len] || path[len] == '/'))) ;
  }
}

 /* What lies on what, and the ways to what can be lost: each of its mounts once, superblocks after what lies on them. */

static void check_ways (s4_storage const *st, s4_superblocks const *b)
{
  unsigned int ways[MOUNTS_MAX] = { 0 } ;
  must(b->n <= st->nsb) ;
  for (unsigned int k = 0 ; k < b->n ; k++)
  {
    unsigned int anew = 0 ;
    must(b->at[k] < b->at[k+1]) ;
    for (unsigned int w = b->at[k] ; w < b->at[k+1] ; w++)
    {
      unsigned int i = b->way[w].mount ;
      must(i < st->ms->n && b->way[w].of == k && st->sb[i] == st->sb[b->way[b->at[k]].mount]) ;
      if (b->way[w].anew) anew++ ; else ways[i]++ ;
    }
    must(anew <= 1) ;
    for (unsigned int i = b->needs_at[k] ; i < b->needs_at[k+1] ; i++) must(b->needs[i] < k) ;
  }
  for (unsigned int i = 0 ; i < st->ms->n ; i++) must(ways[i] == st->at_risk[st->first[st->sb[i]]]) ;
}

static void store (s4_mounts const *ms, uint32_t state)
{
  s4_storage st ;
  s4_superblocks b ;
  s4_mountplan p ;
  s4_policy w = { .keep = 0 } ;
  unsigned int keep = ms->n ? ms->m[fuzz_number(&state, ms->n)].id : 0 ;
  must(s4_storage_make(&st, ms) && s4_overlay_edges(&st, fuzz_number(&state, 2) ? "/oldroot" : 0)) ;
  must(st.nsb <= ms->n) ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    must(st.sb[i] < st.nsb && s4_same_superblock(ms->m + i, ms->m + st.first[st.sb[i]])) ;
    must(st.reach[i] >= st.reach[st.first[st.sb[i]]] && st.reach[i] != S4_REACH_UNKNOWN) ;
    must(!st.at_risk[i] || (!ms->m[i].readonly && s4_fsclass(ms->m[i].type) == S4_FS_DISK)) ;
    must(st.upper[i] == S4_NONE || (st.upper[i] < ms->n && !strcmp(ms->m[i].type, "overlay"))) ;
  }
  w.edges = genalloc_s(s4_edge, &st.edges) ;
  w.nedges = (unsigned int)genalloc_len(s4_edge, &st.edges) ;
  w.keep = &keep ;
  w.nkeep = !!ms->n ;
  for (unsigned int k = 0 ; k < w.nedges ; k++)
    must(w.edges[k].first < ms->n && w.edges[k].then < ms->n && w.edges[k].first != w.edges[k].then) ;
  must(s4_superblocks_find(&b, &st, 0, 0)) ;
  check_ways(&st, &b) ;
  must(s4_mountplan_make(&p, &st.tree, &w)) ;
  check_plan(&p, ms, &keep, w.nkeep) ;
  s4_mountplan_free(&p) ;
  s4_superblocks_free(&b) ;
  s4_storage_free(&st) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  s4_mounts ms = { .text = fuzz_text(data, size) } ;
  genalloc g = GENALLOC_ZERO ;
  size_t lines = 1 ;
  for (size_t i = 0 ; i < size ; i++) lines += data[i] == '\n' ;
  must(s4_mountinfo_parse(&ms.text, &g)) ;
  ms.m = genalloc_s(s4_mount, &g) ;
  ms.n = (unsigned int)genalloc_len(s4_mount, &g) ;
  must(ms.n <= lines) ;
  if (ms.n <= MOUNTS_MAX)
  {
    check_names(&ms) ;
    plan(&ms, fuzz_hash(data, size)) ;
    hold(&ms) ;
    store(&ms, fuzz_hash(data, size)) ;
  }
  free(ms.m) ;
  stralloc_free(&ms.text) ;
  return 0 ;
}
