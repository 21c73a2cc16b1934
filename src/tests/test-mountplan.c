/* ISC license. */

/*
  What umountall does with a table of mounts. The cases are tables; then thousands of random ones, on which
  the plan is carried out by a model of the kernel's mount tree.
*/

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define IDS_MAX 8

 /* A table "id parent dir type", a mount a line, written as mountinfo would have it. */

static void table (s4_mounts *ms, char const *s)
{
  genalloc g = GENALLOC_ZERO ;
  ms->text.len = 0 ;
  while (*s)
  {
    char dir[64], type[32], line[256] ;
    unsigned int id, parent ;
    int used ;
    if (sscanf(s, "%u %u %63s %31s\n%n", &id, &parent, dir, type, &used) != 4) bail_out("in the table: ", s) ;
    snprintf(line, sizeof line, "%u %u 0:1 / %s rw - %s none rw\n", id, parent, dir, type) ;
    stralloc_cats(&ms->text, line) ;
    s += used ;
  }
  if (!s4_mountinfo_parse(&ms->text, &g)) bail_out("out of memory", "") ;
  ms->m = genalloc_s(s4_mount, &g) ;
  ms->n = (unsigned int)genalloc_len(s4_mount, &g) ;
}

static int plan (s4_mountplan *p, s4_mounts const *ms, s4_policy const *policy)
{
  s4_tree t ;
  int r = s4_tree_make(&t, ms) && s4_mountplan_make(p, &t, policy) ;
  s4_tree_free(&t) ;
  return r ;
}

static unsigned int place_in (s4_mountplan const *p, unsigned int i)
{
  for (unsigned int k = 0 ; k < p->n ; k++) if (p->order[k] == i) return k ;
  return (unsigned int)-1 ;
}

 /* What holds for every plan; circle: the edges have one, so not all of them can be respected. */

static char const *wrong_with_plan (s4_mountplan const *p, s4_mounts const *ms, unsigned int const *keep, unsigned int nkeep, int circle)
{
  unsigned int going = 0 ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    int parent = s4_mounts_parent(ms, (int)i) ;
    unsigned int place = place_in(p, i) ;
    if (p->verdict[i] > S4_HIDDEN) return "no such verdict" ;
    if ((p->verdict[i] == S4_GOES) != (place < p->n)) return "the order and the verdicts differ" ;
    going += p->verdict[i] == S4_GOES ;
    if (parent >= 0 && p->verdict[i] == S4_KEPT && p->verdict[parent] != S4_KEPT) return "the parent of a kept mount is not kept" ;
    if (parent >= 0 && p->verdict[i] != S4_GOES && p->verdict[parent] == S4_GOES) return "a mount goes although something stays on it" ;
    if (parent >= 0 && p->verdict[i] == S4_GOES && p->verdict[parent] == S4_GOES && !circle && place_in(p, (unsigned int)parent) < place)
      return "a mount goes before its child" ;
    if ((p->verdict[i] == S4_CARRIES || p->verdict[i] == S4_HIDDEN) && (p->because[i] >= ms->n || p->verdict[p->because[i]] == S4_GOES))
      return "stays because of a mount that goes" ;
    for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++)
    {
      unsigned int j = p->needs[k] ;
      if (j >= ms->n) return "needs what is not there" ;
      if (p->verdict[i] != S4_GOES || circle) continue ;
      if (p->verdict[j] != S4_GOES) return "goes although it needs what stays" ;
      if (place_in(p, j) > place) return "goes before what it needs" ;
    }
  }
  for (unsigned int k = 0 ; k < nkeep ; k++)
  {
    int i = s4_mounts_find(ms, keep[k]) ;
    if (i >= 0 && p->verdict[i] != S4_KEPT) return "a mount to keep is not kept" ;
  }
  return going == p->n ? 0 : "more goes than there is" ;
}

struct planned
{
  char const *name ;
  char const *table ;
  unsigned int keep[IDS_MAX] ;   /* ids, 0: the end */
  char const *types ;
  struct { unsigned int first, then ; enum s4_edge_e kind ; } edges[IDS_MAX] ;   /* ids, 0: the end */
  unsigned int hung[IDS_MAX] ;   /* ids, 0: the end */
  char const *verdicts ;         /* "id+ goes, idK kept, idN not wanted, idX hangs, idC<id> carries, idH<id> hidden by" */
  char const *order ;            /* "first<then ..." ids; besides what holds for every plan */
  int circle ;
} ;

#define ROOT "1 0 / ext4\n"

static struct planned const cases[] =
{
  { .name = "nothing", .table = "", .verdicts = "" },
  { .name = "nothing, something to keep", .table = "", .keep = { 1 }, .verdicts = "" },
  { .name = "one mount", .table = ROOT, .verdicts = "1+" },
  { .name = "one mount, kept", .table = ROOT, .keep = { 1 }, .verdicts = "1K" },
  { .name = "keeping what is not there", .table = ROOT, .keep = { 7 }, .verdicts = "1+" },
  { .name = "a tree", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 1 /c ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+ 4+", .order = "3<2" },
  { .name = "listed in the other order", .table = "3 2 /a/b ext4\n2 1 /a ext4\n" ROOT, .verdicts = "3+ 2+ 1+", .order = "3<2 2<1" },
  { .name = "a moved mount: the child has the lower id and comes first", .table = ROOT "5 9 /z/a ext4\n9 1 /z ext4\n", .keep = { 1 },
    .verdicts = "1K 5+ 9+", .order = "5<9" },
  { .name = "paths lie: the child's path is shorter", .table = ROOT "2 1 /a/very/long/path ext4\n3 2 /b ext4\n", .keep = { 1 },
    .verdicts = "1K 2+ 3+", .order = "3<2" },
  { .name = "stacked on one path", .table = ROOT "2 1 /a ext4\n3 2 /a ext4\n4 3 /a ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+ 4+", .order = "4<3 3<2" },
  { .name = "stacked, the middle is kept", .table = ROOT "2 1 /a ext4\n3 2 /a ext4\n4 3 /a ext4\n", .keep = { 3 }, .verdicts = "1K 2K 3K 4+" },
  { .name = "kept with its ancestors", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 3 /a/b/c ext4\n5 3 /a/b/d ext4\n6 2 /a/e ext4\n", .keep = { 4 },
    .verdicts = "1K 2K 3K 4K 5+ 6+" },
  { .name = "two kept, one below the other", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 1 /c ext4\n", .keep = { 3, 2 }, .verdicts = "1K 2K 3K 4+" },
  { .name = "its own parent, as the initramfs", .table = "1 1 / rootfs\n2 1 /a ext4\n3 2 /a/b ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+", .order = "3<2" },
  { .name = "its own parent, and goes", .table = "1 1 / rootfs\n2 1 / ext4\n", .verdicts = "1+ 2+", .order = "2<1" },
  { .name = "its own parent, with something stacked on it", .table = "1 1 / rootfs\n2 1 /a ext4\n3 1 / ext4\n", .keep = { 3 }, .verdicts = "1K 2H3 3K" },
  { .name = "the parent is not visible", .table = "20 1 / ext4\n30 5 /x ext4\n31 30 /x/y ext4\n", .keep = { 20 }, .verdicts = "20K 30+ 31+", .order = "31<30" },
  { .name = "no root", .table = "30 5 /x ext4\n31 6 /y ext4\n", .verdicts = "30+ 31+" },
  { .name = "the largest ids", .table = "4294967295 4294967294 / ext4\n4294967293 4294967295 /a ext4\n", .verdicts = "4294967295+ 4294967293+",
    .order = "4294967293<4294967295" },

  { .name = "hidden by a later one", .table = ROOT "2 1 /a/b ext4\n3 1 /a ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+", .order = "3<2" },
  { .name = "hidden, listed later", .table = ROOT "3 1 /a ext4\n2 1 /a/b ext4\n", .keep = { 1 }, .verdicts = "1K 3+ 2+", .order = "3<2" },
  { .name = "hidden by one that is kept", .table = ROOT "2 1 /a/b ext4\n3 1 /a ext4\n", .keep = { 3 }, .verdicts = "1K 2H3 3K" },
  { .name = "hidden by one that is not wanted", .table = ROOT "2 1 /a/b ext4\n3 1 /a tmpfs\n", .keep = { 1 }, .types = "ext4", .verdicts = "1K 2H3 3N" },
  { .name = "not hidden by what only begins like it", .table = ROOT "2 1 /ab ext4\n3 1 /a ext4\n4 1 /a.b/c ext4\n", .keep = { 3 }, .verdicts = "1K 2+ 3K 4+" },
  { .name = "hidden on another mount", .table = ROOT "2 1 /m ext4\n3 2 /m/a/b ext4\n4 2 /m/a ext4\n", .keep = { 4 }, .verdicts = "1K 2K 3H4 4K" },
  { .name = "not hidden by what lies on another mount", .table = ROOT "2 1 /m ext4\n3 2 /m/a ext4\n4 1 /m/a/b ext4\n", .keep = { 3 },
    .verdicts = "1K 2K 3K 4H2" },
  { .name = "hidden by what is stacked on the whole mount", .table = ROOT "2 1 /m ext4\n3 2 /m/a ext4\n4 2 /m ext4\n", .keep = { 4 }, .verdicts = "1K 2K 3H4 4K" },
  { .name = "hidden by what is stacked on the whole mount, all goes", .table = ROOT "2 1 /m ext4\n3 2 /m/a ext4\n4 2 /m ext4\n", .keep = { 1 },
    .verdicts = "1K 2+ 3+ 4+", .order = "4<3 3<2" },
  { .name = "hidden by what is stacked on /", .table = ROOT "2 1 /a ext4\n3 1 / ext4\n4 3 /a ext4\n", .verdicts = "1+ 2+ 3+ 4+", .order = "4<3 3<2 2<1" },
  { .name = "hidden far above", .table = ROOT "2 1 /a/b/c/d ext4\n3 1 /a ext4\n", .keep = { 3 }, .verdicts = "1K 2H3 3K" },
  { .name = "hidden twice", .table = ROOT "2 1 /a/b/c ext4\n3 1 /a/b ext4\n4 1 /a ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+ 4+", .order = "4<3 3<2" },
  { .name = "hidden twice, listed the other way round", .table = ROOT "4 1 /a ext4\n3 1 /a/b ext4\n2 1 /a/b/c ext4\n", .keep = { 1 },
    .verdicts = "1K 4+ 3+ 2+", .order = "4<3 3<2" },
  { .name = "hidden twice, the inner one is kept", .table = ROOT "2 1 /a/b/c ext4\n3 1 /a/b ext4\n4 1 /a ext4\n", .keep = { 3 }, .verdicts = "1K 2H3 3K 4+" },
  { .name = "on a hidden one", .table = ROOT "2 1 /a/b ext4\n3 2 /a/b/c ext4\n4 1 /a ext4\n", .keep = { 1 }, .verdicts = "1K 2+ 3+ 4+", .order = "4<3 3<2" },
  { .name = "on a hidden one, listed the other way round", .table = ROOT "4 1 /a ext4\n2 1 /a/b ext4\n3 2 /a/b/c ext4\n", .keep = { 1 },
    .verdicts = "1K 4+ 2+ 3+", .order = "4<3 3<2" },

  { .name = "types: the others stay", .table = ROOT "2 1 /a tmpfs\n3 1 /b xfs\n", .types = "xfs,ext4", .keep = { 1 }, .verdicts = "1K 2N 3+" },
  { .name = "types: what is not wanted keeps its ancestors", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 3 /a/b/c tmpfs\n5 1 /d ext4\n", .types = "ext4",
    .verdicts = "1C2 2C3 3C4 4N 5+" },
  { .name = "types: the kept are kept, wanted or not", .table = ROOT "2 1 /a tmpfs\n3 1 /b tmpfs\n", .keep = { 2 }, .types = "tmpfs", .verdicts = "1K 2K 3+" },
  { .name = "types: not these", .table = ROOT "2 1 /a nfs\n3 2 /a/b ext4\n4 1 /c cifs\n", .keep = { 1 }, .types = "nonfs,nocifs", .verdicts = "1K 2N 3+ 4N" },
  { .name = "types: none of them", .table = ROOT "2 1 /a ext4\n", .types = "xfs", .verdicts = "1N 2N" },

  { .name = "what hangs is left alone, and what it is on stays", .table = ROOT "2 1 /a ext4\n3 2 /a/b nfs\n4 1 /c nfs\n5 4 /c/d ext4\n", .keep = { 1 },
    .hung = { 3, 4 }, .verdicts = "1K 2C3 3X 4X 5+" },
  { .name = "what hangs, and is kept", .table = ROOT "2 1 /a ext4\n", .keep = { 2 }, .hung = { 2, 9 }, .verdicts = "1K 2K" },
  { .name = "hidden by what hangs", .table = ROOT "2 1 /a/b ext4\n3 1 /a nfs\n", .keep = { 1 }, .hung = { 3 }, .verdicts = "1K 2H3 3X" },

  { .name = "an edge if the first is kept, and it is", .table = ROOT "2 1 /a ext4\n", .keep = { 1 },
    .edges = { { .first = 1, .then = 2, .kind = S4_EDGE_IF_KEPT } }, .verdicts = "1K 2C1" },
  { .name = "an edge if the first is kept, and it is not", .table = ROOT "2 1 /a overlay\n3 2 /a/b ext4\n", .keep = { 1 },
    .edges = { { .first = 2, .then = 3, .kind = S4_EDGE_IF_KEPT } }, .verdicts = "1K 2+ 3+", .order = "3<2" },
  { .name = "an edge that may be counts", .table = ROOT "2 1 /a overlay\n3 1 /b ext4\n4 1 /c ext4\n", .keep = { 1, 2 },
    .edges = { { .first = 2, .then = 3, .kind = S4_EDGE_MAYBE } }, .verdicts = "1K 2K 3C2 4+" },
  { .name = "an edge between siblings", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n", .keep = { 1 }, .edges = { { .first = 2, .then = 3 } }, .verdicts = "1K 2+ 3+", .order = "2<3" },
  { .name = "the same edge the other way", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n", .keep = { 1 }, .edges = { { .first = 3, .then = 2 } }, .verdicts = "1K 2+ 3+", .order = "3<2" },
  { .name = "files of namespaces go first", .table = ROOT "2 1 /a ext4\n3 1 /ns nsfs\n4 1 /b ext4\n5 1 /c nsfs\n6 5 /c ext4\n", .keep = { 1 },
    .verdicts = "1K 2+ 3+ 4+ 5+ 6+", .order = "3<2 3<4 3<6 6<5" },
  { .name = "a file system in a file on another", .table = ROOT "2 1 /store ext4\n3 1 /loop ext4\n4 3 /loop/x tmpfs\n", .keep = { 1 }, .edges = { { .first = 3, .then = 2 } },
    .verdicts = "1K 2+ 3+ 4+", .order = "4<3 3<2" },
  { .name = "the one in the file is kept", .table = ROOT "2 1 /store ext4\n3 1 /loop ext4\n", .keep = { 3 }, .edges = { { .first = 3, .then = 2 } }, .verdicts = "1K 2C3 3K" },
  { .name = "the one in the file is not wanted", .table = ROOT "2 1 /store ext4\n3 1 /loop squashfs\n", .keep = { 1 }, .types = "ext4", .edges = { { .first = 3, .then = 2 } },
    .verdicts = "1K 2C3 3N" },
  { .name = "an edge along the tree", .table = ROOT "2 1 /a ext4\n", .edges = { { .first = 2, .then = 1 }, { .first = 2, .then = 1 } }, .verdicts = "1+ 2+", .order = "2<1" },
  { .name = "an edge to itself", .table = ROOT "2 1 /a ext4\n", .edges = { { .first = 2, .then = 2 } }, .verdicts = "1+ 2+", .circle = 1, .order = "2<1" },
  { .name = "a circle of two", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n", .keep = { 1 }, .edges = { { .first = 2, .then = 3 }, { .first = 3, .then = 2 } }, .circle = 1, .verdicts = "1K 2+ 3+" },
  { .name = "a circle of three, and what hangs on it", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n4 1 /c ext4\n5 1 /d ext4\n", .keep = { 1 },
    .edges = { { .first = 2, .then = 3 }, { .first = 3, .then = 4 }, { .first = 4, .then = 2 }, { .first = 5, .then = 2 } }, .circle = 1, .verdicts = "1K 2+ 3+ 4+ 5+", .order = "5<2" },
  { .name = "an edge against the tree", .table = ROOT "2 1 /a ext4\n", .edges = { { .first = 1, .then = 2 } }, .circle = 1, .verdicts = "1+ 2+" },
  { .name = "parents in a circle", .table = ROOT "2 3 /a ext4\n3 2 /b ext4\n", .keep = { 1 }, .circle = 1, .verdicts = "1K 2+ 3+" },
  { .name = "parents in a circle, kept", .table = ROOT "2 4 /a ext4\n3 2 /b ext4\n4 3 /c ext4\n", .keep = { 3 }, .circle = 1, .verdicts = "1+ 2K 3K 4K" },
} ;

static void spell_verdicts (stralloc *sa, s4_mountplan const *p, s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    char s[64] ;
    int m = snprintf(s, sizeof s, "%s%u%c", i ? " " : "", ms->m[i].id, p->verdict[i] <= S4_HIDDEN ? "+KNXCH"[p->verdict[i]] : '?') ;
    if (p->verdict[i] == S4_CARRIES || p->verdict[i] == S4_HIDDEN)
      snprintf(s + m, sizeof s - (size_t)m, "%u", p->because[i] < ms->n ? ms->m[p->because[i]].id : 0) ;
    stralloc_cats(sa, s) ;
  }
  stralloc_0(sa) ;
}

static int order_is (char const *order, s4_mountplan const *p, s4_mounts const *ms)
{
  unsigned int first, then ;
  int used ;
  for (; order && sscanf(order, "%u<%u%n", &first, &then, &used) == 2 ; order += used)
  {
    unsigned int a = place_in(p, (unsigned int)s4_mounts_find(ms, first)), b = place_in(p, (unsigned int)s4_mounts_find(ms, then)) ;
    if (a >= p->n || b >= p->n || a > b) return 0 ;
  }
  return 1 ;
}

static void check_case (struct planned const *c)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_mountplan p ;
  s4_edge edges[IDS_MAX] ;
  stralloc sa = STRALLOC_ZERO ;
  unsigned int nkeep = 0, nhung = 0, nedges = 0 ;
  char const *wrong ;
  table(&ms, c->table) ;
  while (c->keep[nkeep]) nkeep++ ;
  while (c->hung[nhung]) nhung++ ;
  for (; c->edges[nedges].first ; nedges++)
    edges[nedges] = (s4_edge){ .first = (unsigned int)s4_mounts_find(&ms, c->edges[nedges].first), .then = (unsigned int)s4_mounts_find(&ms, c->edges[nedges].then), .kind = c->edges[nedges].kind } ;
  if (!ok(plan(&p, &ms, &(s4_policy){ .keep = c->keep, .nkeep = nkeep, .hung = c->hung, .nhung = nhung, .types = c->types, .edges = edges, .nedges = nedges }), "%s: a plan", c->name)) return ;
  spell_verdicts(&sa, &p, &ms) ;
  is_string(sa.s, c->verdicts, c->name) ;
  wrong = wrong_with_plan(&p, &ms, c->keep, nkeep, c->circle) ;
  ok(!wrong, "%s: %s", c->name, wrong ? wrong : "what holds for every plan") ;
  if (!ok(order_is(c->order, &p, &ms), "%s: the order", c->name))
    for (unsigned int k = 0 ; k < p.n ; k++) note("%u %s", ms.m[p.order[k]].id, ms.m[p.order[k]].dir) ;
  stralloc_free(&sa) ;
  s4_mountplan_free(&p) ;
  s4_mounts_free(&ms) ;
}


 /* A model of the kernel: mounts, what a path leads to, moving, unmounting. Nothing is mounted on / itself: paths don't come there. */

#define MODEL_MAX 24

struct model
{
  struct { unsigned int id ; int parent ; char dir[40] ; int gone ; } m[MODEL_MAX] ;
  int n ;
} ;

static int model_child_at (struct model const *k, int parent, char const *dir, size_t len)
{
  for (int i = 0 ; i < k->n ; i++)
    if (!k->m[i].gone && k->m[i].parent == parent && strlen(k->m[i].dir) == len && !strncmp(k->m[i].dir, dir, len)) return i ;
  return -1 ;
}

static int model_lookup (struct model const *k, char const *path)
{
  int at = 0 ;
  for (size_t len = 1 ; path[len] ; )
  {
    int child ;
    for (len++ ; path[len] && path[len] != '/' ; len++) ;
    while ((child = model_child_at(k, at, path, len)) >= 0) at = child ;
  }
  return at ;
}

static int model_is_below (struct model const *k, int i, int above)
{
  for (; i >= 0 ; i = k->m[i].parent) if (i == above) return 1 ;
  return 0 ;
}

static void random_path (char *s, size_t maxdepth)
{
  size_t depth = 1 + random_below((uint32_t)maxdepth), n = 0 ;
  while (depth--)
  {
    s[n++] = '/' ;
    s[n++] = (char)('a' + random_below(3)) ;
  }
  s[n] = 0 ;
}

static void model_mount (struct model *k)
{
  random_path(k->m[k->n].dir, 4) ;
  k->m[k->n].parent = model_lookup(k, k->m[k->n].dir) ;
  k->m[k->n].gone = 0 ;
  k->n++ ;
}

static void model_move (struct model *k)
{
  int const i = 1 + (int)random_below((uint32_t)(k->n - 1)) ;
  char to[40] ;
  size_t len = strlen(k->m[i].dir) ;
  int target ;
  random_path(to, 3) ;
  target = model_lookup(k, to) ;
  if (model_lookup(k, k->m[i].dir) != i || model_is_below(k, target, i)) return ;
  for (int j = 0 ; j < k->n ; j++)
    if (j != i && model_is_below(k, j, i) && strlen(to) + strlen(k->m[j].dir) - len >= sizeof to) return ;
  for (int j = 0 ; j < k->n ; j++)
  {
    char dir[80] ;
    if (j == i || !model_is_below(k, j, i)) continue ;
    snprintf(dir, sizeof dir, "%s%s", to, k->m[j].dir + len) ;
    strcpy(k->m[j].dir, dir) ;
  }
  strcpy(k->m[i].dir, to) ;
  k->m[i].parent = target ;
}

 /* 0 if what is at that path is another mount, or something is on it. */

static int model_umount (struct model *k, int i)
{
  if (i < 0 || i >= MODEL_MAX || (i && model_lookup(k, k->m[i].dir) != i)) return 0 ;
  for (int j = 0 ; j < k->n ; j++) if (!k->m[j].gone && k->m[j].parent == i) return 0 ;
  k->m[i].gone = 1 ;
  return 1 ;
}

static void model_make (struct model *k)
{
  int n = 2 + (int)random_below(MODEL_MAX - 2) ;
  *k = (struct model){ .n = 1, .m = { { .parent = -1, .dir = "/" } } } ;
  while (k->n < n)
  {
    model_mount(k) ;
    if (!random_below(4)) model_move(k) ;
  }
  for (int i = 0 ; i < n ; i++) k->m[i].id = (unsigned int)(i + 1) ;
  for (int i = n ; --i > 0 ; )
  {
    unsigned int j = random_below((uint32_t)i + 1), id = k->m[i].id ;
    k->m[i].id = k->m[j].id ;
    k->m[j].id = id ;
  }
}

 /* The table lists the mounts of the model in a random order: of[i] is the model's number of mount i. */

static void model_show (struct model const *k, s4_mounts *ms, int *of)
{
  for (int i = 0 ; i < k->n ; i++) of[i] = i ;
  for (int i = k->n ; --i > 0 ; )
  {
    unsigned int j = random_below((uint32_t)i + 1) ;
    int x = of[i] ;
    of[i] = of[j] ;
    of[j] = x ;
  }
  unsigned int const orphan = random_below(2) ? 1000 : k->m[0].id ;   /* the root: its parent is not visible, or itself */
  ms->n = (unsigned int)k->n ;
  ms->m = calloc(ms->n, sizeof(s4_mount)) ;
  if (!ms->m) bail_out("out of memory", "") ;
  for (int i = 0 ; i < k->n ; i++)
    ms->m[i] = (s4_mount){ .id = k->m[of[i]].id, .parent = of[i] ? k->m[k->m[of[i]].parent].id : orphan, .dir = k->m[of[i]].dir, .root = "/",
                           .type = random_below(4) ? "ext4" : "tmpfs", .source = "none", .superoptions = "" } ;
}

static void model_tell (struct model const *k, s4_mounts const *ms, int const *of, s4_mountplan const *p)
{
  for (unsigned int i = 0 ; i < ms->n ; i++)
    note("  %u on %u %s %s%s: verdict %u because %u", ms->m[i].id, ms->m[i].parent, ms->m[i].dir, ms->m[i].type, k->m[of[i]].gone ? ", gone" : "",
         p->verdict[i], p->verdict[i] >= S4_CARRIES ? ms->m[p->because[i]].id : 0) ;
  for (unsigned int i = 0 ; i < p->n ; i++) note("  goes: %u", ms->m[p->order[i]].id) ;
}

enum model_result_e { FINE, WRONG_PLAN, WRONG_UMOUNT, TOO_LITTLE } ;

static enum model_result_e model_run (char const *types, int tell)
{
  struct model k ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_mountplan p ;
  int of[MODEL_MAX] ;
  unsigned int keep[3], nkeep ;
  enum model_result_e r = FINE ;
  char const *wrong ;
  model_make(&k) ;
  model_show(&k, &ms, of) ;
  for (nkeep = 0 ; nkeep < random_below(4) ; nkeep++) keep[nkeep] = 1 + random_below((uint32_t)k.n) ;
  if (!plan(&p, &ms, &(s4_policy){ .keep = keep, .nkeep = nkeep, .types = types })) bail_out("out of memory", "") ;
  wrong = wrong_with_plan(&p, &ms, keep, nkeep, 0) ;
  if (wrong) r = WRONG_PLAN ;
  for (unsigned int i = 0 ; i < p.n && r == FINE ; i++)
  {
    if (model_umount(&k, of[p.order[i]])) continue ;
    r = WRONG_UMOUNT ;
    if (tell) note("mount %u can't go there and then", ms.m[p.order[i]].id) ;
  }
   /* what is left must be kept, not wanted, or have a reason that is one */
  for (unsigned int i = 0 ; i < ms.n && r == FINE ; i++)
    if (p.verdict[i] != S4_KEPT && p.verdict[i] != S4_NOT_WANTED && !k.m[of[i]].gone && model_umount(&k, of[i])) r = TOO_LITTLE ;
  if (r != FINE && tell)
  {
    if (wrong) note("%s", wrong) ;
    for (unsigned int i = 0 ; i < nkeep ; i++) note("  keep %u", keep[i]) ;
    model_tell(&k, &ms, of, &p) ;
  }
  s4_mountplan_free(&p) ;
  s4_mounts_free(&ms) ;
  return r ;
}

static void random_trees (void)
{
  static char const *const name[] = { 0, "plans are wrong", "mounts in the plan can't be unmounted in that order", "mounts that could go stay" } ;
  unsigned int count[4] = { 0 } ;
  for (unsigned int i = 0 ; i < 20000 ; i++)
  {
    uint32_t seed = tap_seed ;
    char const *types = random_below(3) ? 0 : "ext4" ;
    enum model_result_e r = model_run(types, 0) ;
    if (r != FINE && !count[r]++)   /* the first one of its kind: once more, telling */
    {
      tap_seed = seed ;
      types = random_below(3) ? 0 : "ext4" ;
      model_run(types, 1) ;
    }
  }
  for (unsigned int r = 1 ; r < 4 ; r++) ok(!count[r], "of 20000 random tables, in %u %s", count[r], name[r]) ;
}


 /* Large tables: the time must grow as their size does, not as its square. */

static char *deep_path (unsigned int n)
{
  char *s = malloc(2 * (size_t)n + 2) ;
  if (!s) bail_out("out of memory", "") ;
  for (unsigned int i = 0 ; i < n ; i++) memcpy(s + 2 * i, "/d", 3) ;
  return s ;
}

#define DEEP 1000   /* longer ones make the text itself grow as the square */

static void shape_nested (s4_mount *m, unsigned int n)
{
  static char *path = 0 ;
  if (!path) path = deep_path(DEEP) ;
  for (unsigned int i = 0 ; i < n ; i++)
    m[i] = (s4_mount){ .id = i + 1, .parent = i, .dir = i ? path + 2 * (DEEP - (i < DEEP ? i : DEEP)) : "/", .type = "ext4" } ;
}

static void shape_stacked (s4_mount *m, unsigned int n)
{
  for (unsigned int i = 0 ; i < n ; i++)
    m[i] = (s4_mount){ .id = (i * 7919u) % n + 1, .parent = i ? ((i - 1) * 7919u) % n + 1 : 0, .dir = i ? "/x" : "/", .type = "ext4" } ;
}

static void shape_flat (s4_mount *m, unsigned int n)
{
  for (unsigned int i = 0 ; i < n ; i++)
  {
    char *dir = malloc(32) ;
    if (!dir) bail_out("out of memory", "") ;
    snprintf(dir, 32, i ? "/some/where/%u" : "/", i) ;
    m[i] = (s4_mount){ .id = n - i, .parent = i ? n : 0, .dir = dir, .type = "ext4" } ;
  }
}

static void shape_hidden (s4_mount *m, unsigned int n)   /* one above the other: each hidden by the next */
{
  char *path = deep_path(64) ;
  for (unsigned int i = 0 ; i < n ; i++)
    m[i] = (s4_mount){ .id = i + 1, .parent = i ? i - (i - 1) % 64 : 0, .dir = i ? path + 2 * ((i - 1) % 64) : "/", .type = "ext4" } ;
}

static double time_for (void (*shape) (s4_mount *, unsigned int), unsigned int n, int check, char const *name)
{
  static unsigned int const keep[] = { 1 } ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  double best = 0 ;
  ms.m = malloc(n * sizeof(s4_mount)) ;
  if (!ms.m) bail_out("out of memory", "") ;
  ms.n = n ;
  shape(ms.m, n) ;
  for (unsigned int round = 0 ; round < 4 ; round++)
  {
    s4_mountplan p ;
    clock_t start = clock() ;
    double t ;
    if (!plan(&p, &ms, &(s4_policy){ .keep = keep, .nkeep = 1, .types = "noxfs" })) bail_out("out of memory", "") ;
    t = (double)(clock() - start) / CLOCKS_PER_SEC ;
    if (!round || t < best) best = t ;
    if (check && !round)
    {
      unsigned int *place = calloc(n, sizeof(unsigned int)) ;
      int good = 1 ;
      if (!place) bail_out("out of memory", "") ;
      for (unsigned int k = 0 ; k < p.n ; k++) place[p.order[k]] = k + 1 ;
      for (unsigned int i = 0 ; i < n && good ; i++)
      {
        if ((p.verdict[i] == S4_GOES) != !!place[i]) good = 0 ;
        for (unsigned int k = p.needs_at[i] ; k < p.needs_at[i+1] && good ; k++)
          if (place[i] && (!place[p.needs[k]] || place[p.needs[k]] > place[i])) good = 0 ;
      }
      ok(good && p.verdict[s4_mounts_find(&ms, 1)] == S4_KEPT, "%s: %u mounts, %u of them go, in order", name, n, p.n) ;
      free(place) ;
    }
    s4_mountplan_free(&p) ;
  }
  free(ms.m) ;
  return best ;
}

static void large_tables (void)
{
  static struct { char const *name ; void (*shape) (s4_mount *, unsigned int) ; } const shapes[] =
    { { "nested", &shape_nested }, { "stacked", &shape_stacked }, { "flat", &shape_flat }, { "hidden", &shape_hidden } } ;
  for (size_t i = 0 ; i < sizeof shapes / sizeof *shapes ; i++)
  {
    double little = time_for(shapes[i].shape, 2500, 0, 0) ;
    double much = time_for(shapes[i].shape, 40000, 1, shapes[i].name) ;
    time_for(shapes[i].shape, 20000, 1, shapes[i].name) ;
    if (!ok(much < 0.02 || much < 100 * little, "%s: 16 times the mounts don't take 256 times as long", shapes[i].name))
      note("%f s, %f s", little, much) ;
  }
}


 /* s4_order */

static int is_permutation (unsigned int const *order, unsigned int n)
{
  unsigned char seen[64] = { 0 } ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    if (order[i] >= n || seen[order[i]]) return 0 ;
    seen[order[i]] = 1 ;
  }
  return 1 ;
}

static int before (unsigned int const *order, unsigned int n, unsigned int a, unsigned int b)
{
  for (unsigned int i = 0 ; i < n ; i++)
  {
    if (order[i] == a) return 1 ;
    if (order[i] == b) return 0 ;
  }
  return 0 ;
}

static void orders (void)
{
  static s4_edge const circle[] = { { 0, 1, 0 }, { 1, 2, 0 }, { 2, 0, 0 }, { 3, 3, 0 }, { 4, 0, 0 } } ;
  unsigned int order[64] = { 77 } ;
  s4_edge edges[200] ;
  int good = 1, permuted = 1 ;
  ok(s4_order(0, 0, 0, order) && order[0] == 77, "the order of nothing") ;
  ok(s4_order(1, 0, 0, order) && order[0] == 0, "the order of one") ;
  ok(s4_order(5, 0, 0, order) && order[0] == 4 && order[1] == 3 && order[2] == 2 && order[3] == 1 && order[4] == 0, "later ones first where free") ;
  ok(s4_order(5, circle, 5, order) && is_permutation(order, 5) && before(order, 5, 4, 0), "a circle ends, what is outside of it is respected") ;
  for (unsigned int round = 0 ; round < 2000 && good ; round++)
  {
    unsigned int n = 1 + random_below(64), name[64], ne = 0 ;
    for (unsigned int i = 0 ; i < n ; i++) name[i] = i ;
    for (unsigned int i = n ; --i > 0 ; )
    {
      unsigned int j = random_below(i + 1), x = name[i] ;
      name[i] = name[j] ;
      name[j] = x ;
    }
    for (; ne < random_below(200) && n > 1 ; ne++)
    {
      unsigned int a = random_below(n - 1), b = a + 1 + random_below(n - a - 1) ;
      edges[ne] = (s4_edge){ .first = name[a], .then = name[b] } ;
    }
    good = s4_order(n, edges, ne, order) && is_permutation(order, n) ;
    for (unsigned int i = 0 ; i < ne && good ; i++) good = before(order, n, edges[i].first, edges[i].then) ;
    for (ne = 0 ; ne < 100 ; ne++) edges[ne] = (s4_edge){ .first = random_below(n), .then = random_below(n) } ;
    permuted = permuted && s4_order(n, edges, ne, order) && is_permutation(order, n) ;
  }
  ok(good, "random edges without circles are respected") ;
  ok(permuted, "with circles everything is in the order, once") ;
}


 /* s4_mounts_holding */

static struct { char const *name ; char const *table ; char const *path ; unsigned int id ; } const holdings[] =
{
  { "nothing", "", "/a", 0 },
  { "no root", "2 1 /a ext4\n", "/a", 0 },
  { "the root", ROOT, "/", 1 },
  { "below the root", ROOT, "/a/b", 1 },
  { "the mount point", ROOT "2 1 /a ext4\n", "/a", 2 },
  { "below it", ROOT "2 1 /a ext4\n", "/a/b/c", 2 },
  { "above it", ROOT "2 1 /a/b ext4\n", "/a", 1 },
  { "beside it, beginning alike", ROOT "2 1 /a ext4\n", "/ab", 1 },
  { "beside it, beginning alike, longer", ROOT "2 1 /a ext4\n", "/ab/c", 1 },
  { "the longest", ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 3 /a/b/c ext4\n", "/a/b/c/d", 4 },
  { "the longest that fits", ROOT "2 1 /a ext4\n3 2 /a/b ext4\n4 3 /a/b/c ext4\n", "/a/b/d", 3 },
  { "the top of the stack", ROOT "2 1 /a ext4\n3 2 /a ext4\n4 3 /a ext4\n", "/a/x", 4 },
  { "the top of the stack, listed first", "4 3 /a ext4\n3 2 /a ext4\n2 1 /a ext4\n" ROOT, "/a", 4 },
  { "a hidden one is skipped", ROOT "2 1 /a/b ext4\n3 1 /a ext4\n", "/a/b/c", 3 },
  { "what is on a hidden one is skipped", ROOT "2 1 /a/b ext4\n3 2 /a/b/c ext4\n4 1 /a ext4\n", "/a/b/c/d", 4 },
  { "on the one that hides", ROOT "2 1 /a/b ext4\n3 1 /a ext4\n4 3 /a/b ext4\n", "/a/b/c", 4 },
  { "stacked on /", ROOT "2 1 /a ext4\n3 1 / ext4\n", "/a", 3 },
  { "stacked on /, and on that", ROOT "3 1 / ext4\n4 3 /a ext4\n", "/a/b", 4 },
  { "the initramfs is its own parent", "1 1 / rootfs\n2 1 /a ext4\n", "/a", 2 },
  { "the root's parent is not visible", "22 1 / ext4\n23 22 /a ext4\n", "/a/b", 23 },
  { "moved: the child is listed first", "5 9 /z/a ext4\n9 1 /z ext4\n" ROOT, "/z/a", 5 },
  { "a mount with unknown parent is not on the way", ROOT "5 99 /a ext4\n", "/a", 1 }
} ;

 /* In a child: whether it ends at all is the question. */

static int holding_ends (s4_mounts const *ms, char const *path)
{
  int wstat ;
  pid_t pid = fork() ;
  if (pid == -1) bail_out("unable to fork", "") ;
  if (!pid)
  {
    alarm(5) ;
    _exit(s4_mounts_holding(ms, path) < -1) ;
  }
  waitpid(pid, &wstat, 0) ;
  return WIFEXITED(wstat) && !WEXITSTATUS(wstat) ;
}

static void holding (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  struct model k ;
  int of[MODEL_MAX] ;
  int good = 1 ;
  for (size_t i = 0 ; i < sizeof holdings / sizeof *holdings ; i++)
  {
    int at ;
    table(&ms, holdings[i].table) ;
    at = s4_mounts_holding(&ms, holdings[i].path) ;
    is_number(at == -1 ? 0 : (int64_t)ms.m[at].id, holdings[i].id, holdings[i].name) ;
    s4_mounts_free(&ms) ;
  }
  for (unsigned int round = 0 ; round < 5000 && good ; round++)
  {
    model_make(&k) ;
    model_show(&k, &ms, of) ;
    for (unsigned int i = 0 ; i < 10 && good ; i++)
    {
      char path[40] ;
      int at ;
      random_path(path, 6) ;
      at = s4_mounts_holding(&ms, path) ;
      good = at >= 0 && of[at] == model_lookup(&k, path) ;
      if (!good) note("round %u: %s", round, path) ;
    }
    free(ms.m) ;
  }
  ok(good, "random paths in random tables") ;
  table(&ms, ROOT "2 3 /a ext4\n3 2 /a ext4\n") ;
  ok(holding_ends(&ms, "/a"), "parents in a circle: it ends") ;
  s4_mounts_free(&ms) ;
   /* the kernel gives ids anew at once, so a file read in pieces meanwhile may have one twice */
  table(&ms, ROOT "5 1 /a ext4\n1 5 /a ext4\n") ;
  ok(holding_ends(&ms, "/a/b"), "an id that is there twice: it ends") ;
  s4_mounts_free(&ms) ;
}



 /* s4_tangled: what lies below a file system that lies on it */

static struct
{
  char const *name ;
  char const *table ;
  struct { unsigned int first, then ; enum s4_edge_e kind ; } edges[IDS_MAX] ;   /* ids, 0: the end */
  unsigned int keep[IDS_MAX] ;                                                   /* ids, 0: the end */
  char const *tangled ;                                                          /* ids: any of them, or "" */
} const tangles[] =
{
  { .name = "no edges", .table = ROOT "2 1 /a ext4\n", .tangled = "" },
  { .name = "a file system in a file, mounted on what the file lies on", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n", .edges = { { 3, 2, 0 } }, .tangled = "" },
  { .name = "a file system in a file, beside it", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n", .edges = { { 3, 2, 0 } }, .tangled = "" },
  { .name = "the root's file lies on a mount below it", .table = ROOT "2 1 /medium vfat\n", .edges = { { 1, 2, 0 } }, .tangled = "2" },
  { .name = "the root's file lies deep below it", .table = ROOT "2 1 /a tmpfs\n3 2 /a/b tmpfs\n4 3 /a/b/c ext4\n", .edges = { { 1, 4, 0 } }, .tangled = "4" },
  { .name = "not the root: a mount whose file lies on one below it", .table = ROOT "2 1 /old ext4\n3 2 /old/medium vfat\n4 1 /b ext4\n", .edges = { { 2, 3, 0 } },
    .keep = { 1 }, .tangled = "3" },
  { .name = "an overlay whose upper layer is mounted inside", .table = "1 0 / overlay\n2 1 /media/rw ext4\n3 1 /media/ro squashfs\n",
    .edges = { { 1, 2, 0 }, { 1, 3, S4_EDGE_IF_KEPT } }, .tangled = "2" },
  { .name = "an overlay whose layers are inside, but only lower ones count if it is kept", .table = "1 0 / overlay\n2 1 /media/ro squashfs\n",
    .edges = { { 1, 2, S4_EDGE_IF_KEPT } }, .tangled = "" },
  { .name = "nobody knows if it lies there", .table = "1 0 / overlay\n2 1 /media ext4\n", .edges = { { 1, 2, S4_EDGE_MAYBE } }, .tangled = "" },
  { .name = "a chain of three: the root, its file, that one's file", .table = ROOT "2 1 /a ext4\n3 1 /b ext4\n", .edges = { { 1, 2, 0 }, { 2, 3, 0 } }, .tangled = "2" },
  { .name = "a chain of three, of which the last one closes it", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n", .edges = { { 1, 3, 0 }, { 3, 2, 0 } }, .tangled = "2 3" },
  { .name = "moved already, but for what its file lies on", .table = ROOT "2 1 /old overlay\n3 1 /moved ext4\n4 2 /old/medium vfat\n",
    .edges = { { 2, 3, 0 }, { 3, 4, 0 } }, .keep = { 1 }, .tangled = "4" },
  { .name = "a chain of three, one in the other", .table = ROOT "2 1 /a ext4\n3 2 /a/b ext4\n", .edges = { { 1, 2, 0 }, { 2, 3, 0 } }, .tangled = "2 3" },
  { .name = "the file's mount is kept", .table = ROOT "2 1 /medium vfat\n", .edges = { { 1, 2, 0 } }, .keep = { 2 }, .tangled = "" },
  { .name = "the root is kept", .table = ROOT "2 1 /medium vfat\n", .edges = { { 1, 2, 0 } }, .keep = { 1 }, .tangled = "" },
  { .name = "on itself", .table = ROOT "2 1 /a ext4\n", .edges = { { 2, 2, 0 } }, .tangled = "" },
  { .name = "stacked on one path", .table = ROOT "2 1 / ext4\n3 2 / ext4\n", .edges = { { 1, 3, 0 } }, .tangled = "3" },
  { .name = "its own parent, as the initramfs", .table = "1 1 / rootfs\n2 1 / ext4\n3 2 /m ext4\n", .edges = { { 2, 3, 0 } }, .keep = { 1 }, .tangled = "3" },
  { .name = "parents in a circle, and an edge from outside", .table = ROOT "2 3 /a ext4\n3 2 /b ext4\n", .edges = { { 1, 3, 0 } }, .tangled = "" },
} ;

static void check_tangle (size_t i)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_tree t ;
  s4_mountplan p ;
  genalloc edges = GENALLOC_ZERO ;
  s4_policy policy = { .keep = tangles[i].keep } ;
  unsigned int found ;
  char id[16] = "" ;
  table(&ms, tangles[i].table) ;
  while (tangles[i].keep[policy.nkeep]) policy.nkeep++ ;
  for (unsigned int k = 0 ; tangles[i].edges[k].first ; k++)
  {
    s4_edge const e = { .first = (unsigned int)s4_mounts_find(&ms, tangles[i].edges[k].first), .then = (unsigned int)s4_mounts_find(&ms, tangles[i].edges[k].then), .kind = tangles[i].edges[k].kind } ;
    if (!genalloc_append(s4_edge, &edges, &e)) bail_out("out of memory", "") ;
  }
  policy.edges = genalloc_s(s4_edge, &edges) ;
  policy.nedges = (unsigned int)genalloc_len(s4_edge, &edges) ;
  if (!s4_tree_make(&t, &ms) || !s4_mountplan_make(&p, &t, &policy)) bail_out("out of memory", "") ;
  found = s4_tangled(&t, &edges, &p) ;
  if (found != S4_NONE) snprintf(id, sizeof id, "%u", found < ms.n ? ms.m[found].id : 0) ;
  if (!ok(*id ? !!strstr(tangles[i].tangled, id) : !*tangles[i].tangled, "tangled: %s", tangles[i].name))
    note("got \"%s\", expected \"%s\"", id, tangles[i].tangled) ;
  s4_mountplan_free(&p) ;
  s4_tree_free(&t) ;
  s4_mounts_free(&ms) ;
  genalloc_free(s4_edge, &edges) ;
}

int main (void)
{
  for (size_t i = 0 ; i < sizeof tangles / sizeof *tangles ; i++) check_tangle(i) ;
  for (size_t i = 0 ; i < sizeof cases / sizeof *cases ; i++) check_case(cases + i) ;
  random_trees() ;
  large_tables() ;
  orders() ;
  holding() ;
  return done() ;
}
