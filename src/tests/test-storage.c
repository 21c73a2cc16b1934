/* ISC license. */

/* What lies on what: the layers of overlays, the superblocks, and the ways to them. */

#include <time.h>

#include "stage4.h"
#include "tap.h"

 /* --- the options of an overlay --- */

static struct { char const *name ; char const *options ; char const *layers ; } const overlays[] =
{
  { "no options", "", "" },
  { "no layers", "rw,xino=off,redirect_dir=on", "" },
  { "the usual", "rw,lowerdir=/lower,upperdir=/up,workdir=/work", "l/lower|u/up|w/work|" },
  { "more options", "ro,lowerdir=/a:/b,xino=off,metacopy=on", "l/a|l/b|" },
  { "many lower ones", "lowerdir=/a:/b:/c:/d", "l/a|l/b|l/c|l/d|" },
  { "relative ones", "lowerdir=l/ABC:l/DEF,upperdir=up", "ll/ABC|ll/DEF|uup|" },
  { "a comma in the name", "lowerdir=/a\\054b,upperdir=/c\\054d", "l/a,b|u/c,d|" },
  { "a space, a newline", "lowerdir=/a\\040b,upperdir=/c\\012d", "l/a b|u/c\nd|" },
  { "a colon in the name", "lowerdir=/a\\134:b:/c", "l/a:b|l/c|" },
  { "a backslash in the name", "lowerdir=/a\\134\\134b:/c,upperdir=/d\\134\\134e", "l/a\\b|l/c|u/d\\e|" },
  { "a backslash, then the next one", "lowerdir=/a\\134\\134:/b", "l/a\\|l/b|" },
  { "a backslash at the end", "lowerdir=/a\\134,upperdir=/b\\134", "l/a\\|u/b\\|" },
  { "a colon in the upper one", "upperdir=/a:b", "u/a:b|" },
  { "one by one", "rw,lowerdir+=/a:b,lowerdir+=/c\\134d,datadir+=/e,upperdir=/u", "l/a:b|l/c\\d|l/e|u/u|" },
  { "data only", "lowerdir=/a::/b::/c", "l/a|l/b|l/c|" },
  { "nothing between colons", "lowerdir=::,upperdir=,workdir=", "u|w|" },
  { "an equals sign in the name", "lowerdir=/a\\075b=c", "l/a=b=c|" },
  { "no value", "lowerdir,upperdir,workdir", "" },
  { "only commas", ",,,", "" },
  { "what only looks like it", "xlowerdir=/a,lowerdirs=/b,workdir2=/c,=,=/d", "" },
  { "a list that ends with a comma", "upperdir=/a,", "u/a|" },
} ;

static int write_layer (char const *path, enum s4_layer_e kind, void *data)
{
  stralloc *sa = data ;
  return stralloc_catb(sa, &"luw"[kind], 1) && stralloc_cats(sa, path) && stralloc_cats(sa, "|") ;
}

static int count_down (char const *path, enum s4_layer_e kind, void *data)
{
  unsigned int *n = data ;
  (void)path ;
  (void)kind ;
  return !!--*n ;
}

static void layers (void)
{
  stralloc sa = STRALLOC_ZERO ;
  unsigned int n = 2 ;
  for (size_t i = 0 ; i < sizeof overlays / sizeof *overlays ; i++)
  {
    sa.len = 0 ;
    if (!ok(s4_overlay_layers(overlays[i].options, &write_layer, &sa) && stralloc_0(&sa), "%s", overlays[i].name)) continue ;
    is_string(sa.s, overlays[i].layers, overlays[i].name) ;
  }
  ok(!s4_overlay_layers("lowerdir=/a:/b:/c", &count_down, &n) && !n, "ends when it is told to") ;
  stralloc_free(&sa) ;
}

 /* --- tables "id parent minor dir type options", a mount a line; minor 0:100 and above are devices 8:minor --- */

static void table (s4_mounts *ms, char const *s)
{
  genalloc g = GENALLOC_ZERO ;
  ms->text.len = 0 ;
  while (*s)
  {
    char dir[64], type[32], options[128], line[512] ;
    unsigned int id, parent, minor ;
    int used ;
    char *root ;
    if (sscanf(s, "%u %u %u %63s %31s %127s\n%n", &id, &parent, &minor, dir, type, options, &used) != 6) bail_out("in the table: ", s) ;
    root = strchr(dir, '@') ;
    if (root) *root++ = 0 ;
    snprintf(line, sizeof line, "%u %u %c:%u %s %s rw - %s none %s\n", id, parent, minor < 100 ? '0' : '8', minor, root ? root : "/", dir, type, options) ;
    stralloc_cats(&ms->text, line) ;
    s += used ;
  }
  if (!s4_mountinfo_parse(&ms->text, &g)) bail_out("out of memory", "") ;
  ms->m = genalloc_s(s4_mount, &g) ;
  ms->n = (unsigned int)genalloc_len(s4_mount, &g) ;
}

static void spell_edges (stralloc *sa, s4_storage const *st)
{
  sa->len = 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, &st->edges) ; k++)
  {
    s4_edge const *e = genalloc_s(s4_edge, &st->edges) + k ;
    char s[64] ;
    snprintf(s, sizeof s, "%s%u<%u%s", k ? " " : "", st->ms->m[e->first].id, st->ms->m[e->then].id,
      e->kind == S4_EDGE_ALWAYS ? "" : e->kind == S4_EDGE_MAYBE ? "?" : "k") ;
    stralloc_cats(sa, s) ;
  }
  stralloc_0(sa) ;
}

 /* A superblock after the other: ids of the mounts that lead there, * for a new mount */

static void spell_ways (stralloc *sa, s4_storage const *st, s4_superblocks const *b)
{
  sa->len = 0 ;
  for (unsigned int k = 0 ; k < b->n ; k++)
  {
    for (unsigned int w = b->at[k] ; w < b->at[k+1] ; w++)
    {
      char s[64] ;
      if (b->way[w].of != k) bail_out("a way to another superblock", "") ;
      if (b->way[w].anew) snprintf(s, sizeof s, "*") ;
      else snprintf(s, sizeof s, "%u", st->ms->m[b->way[w].mount].id) ;
      if (w > b->at[k]) stralloc_cats(sa, " ") ;
      stralloc_cats(sa, s) ;
    }
    stralloc_cats(sa, ";") ;
  }
  stralloc_0(sa) ;
}

struct stored
{
  char const *name ;
  char const *table ;
  char const *oldroot ;
  char const *edges ;      /* "first<then", ids; ?: maybe, k: if the first is kept */
  char const *ways ;       /* of writable superblocks, in this order */
  char const *not_lossy ;  /* " id " of writable mounts that are disks by type */
} ;

#define ROOT "1 0 100 / ext4 rw\n"
#define OV(low, up) "rw,lowerdir=" low ",upperdir=" up "/u,workdir=" up "/w\n"

static struct stored const cases[] =
{
  { .name = "nothing", .table = "", .edges = "", .ways = "" },
  { .name = "a root", .table = ROOT, .edges = "", .ways = "1 *;" },
  { .name = "pseudo, network, read-only", .table = "1 0 100 / ext4 ro\n2 1 10 /a tmpfs rw\n3 1 11 /b nfs rw\n4 1 12 /c fuse.x rw\n", .edges = "", .ways = "" },
  { .name = "no device, no new mount", .table = "1 0 20 / btrfs rw\n2 1 20 /home@/home btrfs rw\n", .edges = "", .ways = "1 2;" },

  { .name = "the whole before parts, and those before what lies on others", .table = ROOT "2 1 101 /x@/socket ext4 rw\n3 1 101 /y ext4 rw\n4 1 12 /f fuse rw\n5 4 101 /f/z ext4 rw\n",
    .edges = "", .ways = "3 2 * 5;1 *;" },
  { .name = "only below FUSE", .table = ROOT "4 1 12 /f fuse rw\n5 4 101 /f/z ext4 rw\n6 5 102 /f/z/a ext4 rw\n", .edges = "", .ways = "* 6;* 5;1 *;" },
  { .name = "covered", .table = ROOT "2 1 101 /a ext4 rw\n3 2 10 /a tmpfs rw\n", .edges = "", .ways = "* 2;1 *;" },
  { .name = "covered, but in sight elsewhere", .table = ROOT "2 1 101 /a ext4 rw\n3 2 10 /a tmpfs rw\n4 1 101 /b@/x ext4 rw\n", .edges = "", .ways = "4 * 2;1 *;" },
  { .name = "hidden", .table = ROOT "2 1 101 /a/b ext4 rw\n3 2 102 /a/b/c ext4 rw\n4 1 10 /a tmpfs rw\n", .edges = "", .ways = "* 3;* 2;1 *;" },
  { .name = "on what covers", .table = ROOT "2 1 101 /a ext4 rw\n3 2 10 /a tmpfs rw\n4 3 102 /a/b ext4 rw\n", .edges = "", .ways = "4 *;* 2;1 *;" },
  { .name = "superblocks are told by their devices", .table = ROOT "2 1 30 /a tmpfs rw\n3 1 31 /b btrfs rw\n", .edges = "", .ways = "1 *;3;" },

  { .name = "an overlay and its layers", .table = ROOT "2 1 101 /l ext4 rw\n3 1 102 /u ext4 rw\n4 1 20 /o overlay " OV("/l/a", "/u/x"), .edges = "4<2 4<3 4<3",
    .ways = "4;3 *;2 *;1 *;" },
  { .name = "layers on what it is mounted on", .table = ROOT "4 1 20 /o overlay " OV("/l", "/x"), .edges = "4<1 4<1 4<1", .ways = "4;1 *;" },
  { .name = "layers on what is below that", .table = ROOT "2 1 101 /m ext4 rw\n4 2 20 /m/o overlay " OV("/l", "/m/x"), .edges = "4<1 4<2 4<2", .ways = "4;2 *;1 *;" },
  { .name = "layers that nothing can be lost on", .table = ROOT "2 1 101 /l squashfs ro\n3 1 10 /u tmpfs rw\n4 1 20 /o overlay " OV("/l", "/u"), .edges = "4<2 4<3 4<3",
    .ways = "1 *;", .not_lossy = " 4 " },
  { .name = "an upper layer that is read-only", .table = ROOT "3 1 101 /u ext4 ro\n4 1 20 /o overlay " OV("/l", "/u"), .edges = "4<1 4<3 4<3", .ways = "1 *;", .not_lossy = " 4 " },
  { .name = "no upper layer", .table = ROOT "2 1 101 /l ext4 rw\n4 1 20 /o overlay ro,lowerdir=/l\n", .edges = "4<2", .ways = "2 *;1 *;" },
  { .name = "mounted twice", .table = ROOT "3 1 101 /u ext4 rw\n4 1 20 /o overlay " OV("/l", "/u") "5 1 20 /p overlay " OV("/l", "/u"),
    .edges = "4<1 4<3 4<3 5<1 5<3 5<3", .ways = "4 5;3 *;1 *;" },
  { .name = "overlays on overlays", .table = ROOT "3 1 101 /u ext4 rw\n4 1 20 /o overlay " OV("/l", "/u") "5 1 21 /p overlay ro,lowerdir=/o\n",
    .edges = "4<1 4<3 4<3 5<4", .ways = "4;3 *;1 *;" },
  { .name = "relative layers may be anywhere", .table = ROOT "2 1 101 /l ext4 rw\n3 1 102 /u ext4 rw\n4 1 20 /o overlay " OV("l/a:l/b", "/u"), .edges = "4<3 4<3 4<1? 4<2? 4<3?",
    .ways = "4;3 *;2 *;1 *;" },
  { .name = "on top of its own layer", .table = ROOT "2 1 101 /usr ext4 rw\n4 2 20 /usr overlay ro,lowerdir=/usr\n", .edges = "4<2", .ways = "* 2;1 *;" },

  { .name = "what is on it is a layer", .table = "1 0 20 / overlay " OV("/m/l", "/m/x") "2 1 101 /m ext4 rw\n", .edges = "1<2 1<2 1<2 1<2?", .ways = "1;2 *;" },
  { .name = "what is on it is a layer, read-only", .table = "1 0 20 / overlay " OV("/l", "/m/x") "2 1 101 /m ext4 ro\n3 1 102 /l squashfs ro\n", .edges = "1<3k 1<2k 1<2k",
    .ways = "", .not_lossy = " 1 " },

  { .name = "names of another root: any disk may be it", .table = "1 0 20 / overlay " OV("/lower", "/disk") "2 1 101 /media ext4 rw\n3 1 102 /ro ext4 ro\n4 1 10 /tmp tmpfs rw\n5 1 103 /x xfs rw\n",
    .edges = "1<2? 1<5?", .ways = "1;5 *;2 *;" },
  { .name = "the initramfs's own directory is no disk", .table = "1 1 2 / rootfs rw\n2 1 101 /disk ext4 rw\n4 1 20 /o overlay " OV("/lower", "/disk"), .edges = "4<2 4<2 4<2?",
    .ways = "4;2 *;" },
  { .name = "names with dots: any disk", .table = ROOT "2 1 101 /d ext4 rw\n4 1 20 /o overlay " OV("/l", "/d/../d"), .edges = "4<1 4<1? 4<2?", .ways = "4;2 *;1 *;" },
  { .name = "one mount of each disk is enough", .table = ROOT "2 1 12 /f fuse rw\n3 2 101 /f/d ext4 rw\n5 1 101 /d ext4 rw\n6 1 101 /e ext4 rw\n4 1 20 /o overlay " OV("/l", "//x"),
    .edges = "4<1 4<1? 4<5?", .ways = "4;5 6 * 3;1 *;" },

  { .name = "after a pivot", .oldroot = "/oldroot", .table = "1 0 10 / tmpfs rw\n2 1 100 /oldroot ext4 rw\n3 2 101 /oldroot/u ext4 rw\n4 2 20 /oldroot/o overlay " OV("/l", "/u"),
    .edges = "4<2 4<3 4<3", .ways = "4;3 *;2 *;" },
  { .name = "after a pivot, what was moved along", .oldroot = "/oldroot",
    .table = "1 0 10 / tmpfs rw\n2 1 20 /oldroot overlay " OV("/run/live/fs", "/run/live/ov") "3 1 11 /run tmpfs rw\n4 3 12 /run/live/ov tmpfs rw\n5 3 101 /run/live/fs squashfs ro\n",
    .edges = "2<5 2<4 2<4", .ways = "", .not_lossy = " 2 " },
  { .name = "after a pivot, a layer on the old root itself", .oldroot = "/oldroot", .table = "1 0 10 / tmpfs rw\n2 1 20 /oldroot overlay " OV("/l", "/media/x") "3 2 101 /oldroot/media ext4 rw\n",
    .edges = "2<3 2<3 2<3?", .ways = "2;3 *;" },
  { .name = "one that lies on the oldroot, and that is no disk", .oldroot = "/oldroot", .table = "1 0 10 / tmpfs rw\n2 1 11 /oldroot tmpfs rw\n3 2 20 /oldroot/o overlay " OV("/l", "/u") "4 1 101 /d ext4 rw\n",
    .edges = "3<4?", .ways = "3;4 *;" },
} ;

static void check_case (struct stored const *c)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  s4_superblocks b ;
  stralloc sa = STRALLOC_ZERO ;
  table(&ms, c->table) ;
  if (!ok(s4_storage_make(&st, &ms) && s4_overlay_edges(&st, c->oldroot) && s4_superblocks_find(&b, &st, 0, 0), "%s", c->name)) return ;
  spell_edges(&sa, &st) ;
  is_string(sa.s, c->edges, c->name) ;
  spell_ways(&sa, &st, &b) ;
  is_string(sa.s, c->ways, c->name) ;
  for (unsigned int i = 0 ; i < ms.n ; i++)
  {
    char id[16] ;
    int at_risk = !ms.m[i].readonly && s4_fsclass(ms.m[i].type) == S4_FS_DISK ;
    snprintf(id, sizeof id, " %u ", ms.m[i].id) ;
    if (st.at_risk[i] != (at_risk && !(c->not_lossy && strstr(c->not_lossy, id)))) ok(0, "%s: what can be lost on %s", c->name, ms.m[i].dir) ;
  }
  for (unsigned int k = 0 ; k < b.n ; k++)
    for (unsigned int i = b.needs_at[k] ; i < b.needs_at[k+1] ; i++) if (b.needs[i] >= k) ok(0, "%s: needs what comes later", c->name) ;
  s4_superblocks_free(&b) ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  stralloc_free(&sa) ;
}

 /* --- what marks spread to --- */

static int is_on (s4_storage const *st, unsigned int i, void *dir)
{
  return !strcmp(st->ms->m[i].dir, dir) ;
}

static char const *marked (s4_storage const *st, char *dir, int maybe)
{
  static char text[64] ;
  unsigned char *marks = s4_storage_mark(st, &is_on, dir, maybe) ;
  *text = 0 ;
  for (unsigned int i = 0 ; marks && i < st->ms->n ; i++) if (marks[st->sb[i]])
    snprintf(text + strlen(text), sizeof text - strlen(text), " %s", st->ms->m[i].dir) ;
  free(marks) ;
  return text ;
}

static void spread (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  table(&ms, ROOT "2 1 101 /l ext4 rw\n3 1 102 /u ext4 rw\n4 1 20 /o overlay " OV("/l", "/u") "5 1 21 /p overlay ro,lowerdir=/o\n6 1 103 /x ext4 rw\n7 1 22 /q overlay rw,lowerdir=/./q\n") ;
  if (!s4_storage_make(&st, &ms) || !s4_overlay_edges(&st, 0)) bail_out("out of memory", "") ;
  is_string(marked(&st, "/none", 0), "", "nothing meant, nothing marked") ;
  is_string(marked(&st, "/p", 0), " /l /u /o /p", "down to the last layer, and nowhere else") ;
  is_string(marked(&st, "/q", 0), " /q", "not what may be a layer") ;
  is_string(marked(&st, "/q", 1), " / /l /u /x /q", "or that, too") ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
}

 /* --- only those that are wanted --- */

static int no_overlay (s4_storage const *st, unsigned int k, void *data)
{
  ++*(unsigned int *)data ;
  return strcmp(st->ms->m[st->first[k]].type, "overlay") != 0 ;
}

static void wanted (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  s4_superblocks b ;
  unsigned int asked = 0 ;
  stralloc sa = STRALLOC_ZERO ;
  table(&ms, ROOT "3 1 101 /u ext4 rw\n4 1 20 /o overlay " OV("/l", "/u") "5 1 21 /p overlay " OV("/l", "/u")) ;
  if (!s4_storage_make(&st, &ms) || !s4_overlay_edges(&st, 0)) bail_out("out of memory", "") ;
  ok(s4_superblocks_find(&b, &st, 0, 0) && b.n == 4 && b.needs_at[1] == 0 && b.needs_at[2] == 0 && b.needs_at[4] == 6, "all, each layer after its overlays") ;
  s4_superblocks_free(&b) ;
  ok(s4_superblocks_find(&b, &st, &no_overlay, &asked) && asked, "with a wish") ;
  spell_ways(&sa, &st, &b) ;
  is_string(sa.s, "3 *;1 *;", "only what is wanted") ;
  is_number(b.needs_at[b.n], 0, "what is not wanted is not waited for") ;
  s4_superblocks_free(&b) ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  stralloc_free(&sa) ;
}

 /* --- large tables: the time must grow as their size does, not as its square --- */

static void shape_binds (s4_mount *m, unsigned int i)
{
  m[i].major = 8 ;   /* all of one disk */
  m[i].type = "ext4" ;
}

static void shape_disks (s4_mount *m, unsigned int i)
{
  m[i].minor = i ;
  m[i].type = "ext4" ;
}

static void shape_overlays (s4_mount *m, unsigned int i)
{
  m[i].minor = i ;
  m[i].type = i % 2 ? "overlay" : "ext4" ;
  m[i].superoptions = i % 2 ? "rw,lowerdir=/some/where/2/x:/some/where/4,upperdir=/some/where/6/u,workdir=/some/where/6/w" : "rw" ;
}

static void shape_layers (s4_mount *m, unsigned int i)   /* layers that nobody knows, all of one disk */
{
  m[i].major = i % 2 ? 0 : 8 ;
  m[i].minor = i % 2 ? i : 0 ;
  m[i].type = i % 2 ? "overlay" : "ext4" ;
  m[i].superoptions = i % 2 ? "rw,lowerdir=/./x" : "rw" ;
}

static double time_for (void (*shape) (s4_mount *, unsigned int), unsigned int n, unsigned int *found)
{
  s4_mounts ms = { .text = STRALLOC_ZERO, .m = calloc(n, sizeof(s4_mount)), .n = n } ;
  char *dirs = malloc((size_t)n * 32) ;
  double best = 0 ;
  if (!ms.m || !dirs) bail_out("out of memory", "") ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    snprintf(dirs + 32 * (size_t)i, 32, i ? "/some/where/%u" : "/", i) ;
    ms.m[i] = (s4_mount){ .id = i + 1, .parent = !!i, .root = "/", .dir = dirs + 32 * (size_t)i, .source = "none", .superoptions = "rw" } ;
    shape(ms.m, i) ;
  }
  for (unsigned int round = 0 ; round < 3 ; round++)
  {
    s4_storage st ;
    s4_superblocks b ;
    clock_t start = clock() ;
    double t ;
    if (!s4_storage_make(&st, &ms) || !s4_overlay_edges(&st, 0) || !s4_superblocks_find(&b, &st, 0, 0)) bail_out("out of memory", "") ;
    t = (double)(clock() - start) / CLOCKS_PER_SEC ;
    if (!round || t < best) best = t ;
    *found = b.n ;
    s4_superblocks_free(&b) ;
    s4_storage_free(&st) ;
  }
  free(ms.m) ;
  free(dirs) ;
  return best ;
}

static void large_tables (void)
{
  static struct { char const *name ; void (*shape) (s4_mount *, unsigned int) ; unsigned int found ; } const shapes[] =
    { { "binds", &shape_binds, 1 }, { "disks", &shape_disks, 40000 }, { "overlays", &shape_overlays, 40000 },
      { "unknown layers", &shape_layers, 20001 } } ;
  for (size_t i = 0 ; i < sizeof shapes / sizeof *shapes ; i++)
  {
    unsigned int found ;
    double little = time_for(shapes[i].shape, 2500, &found) ;
    double much = time_for(shapes[i].shape, 40000, &found) ;
    is_number(found, shapes[i].found, shapes[i].name) ;
    if (!ok(much < 0.02 || much < 100 * little, "%s: 16 times the mounts don't take 256 times as long", shapes[i].name))
      note("%f s, %f s", little, much) ;
  }
}

int main (void)
{
  layers() ;
  for (size_t i = 0 ; i < sizeof cases / sizeof *cases ; i++) check_case(cases + i) ;
  spread() ;
  wanted() ;
  large_tables() ;
  return done() ;
}
