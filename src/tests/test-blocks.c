/* ISC license. */

/*
  Which block devices there are, and which of them detach takes down. A fixture is a tree of /sys, a file a line as
  "path=content"; a directory with nothing in it ends with a slash.
*/

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>

#include "stage4.h"
#include "tap.h"

#define FACTS_MAX 64
#define LIST_MAX 6

static char top[200] ;   /* holds the trees */
static int topfd ;

 /* --- a tree of /sys --- */

static int remove_tree (void)
{
  return chdir("/") == -1 || rm_rf(top) == -1 ;
}

__attribute__((noreturn)) static void give_up (char const *why, char const *what)
{
  int e = errno ;
  remove_tree() ;
  errno = e ;
  bail_out(why, what) ;
}

static void make_file (int tree, char *path, char const *content)
{
  size_t const len = content ? strlen(content) : 0 ;
  int fd ;
  for (char *s = path ; (s = strchr(s, '/')) ; *s++ = '/')
  {
    *s = 0 ;
    if (mkdirat(tree, path, 0755) == -1 && errno != EEXIST) give_up("unable to make ", path) ;
  }
  if (!content) return ;
  fd = openat(tree, path, O_WRONLY | O_CREAT | O_EXCL, 0644) ;
  if (fd == -1) give_up("unable to make ", path) ;
  if (len && (write(fd, content, len) != (ssize_t)len || write(fd, "\n", 1) != 1)) give_up("unable to write ", path) ;
  close(fd) ;
}

 /* From now on /sys is that one. */

static void use_tree (char const *name, stralloc *text)
{
  size_t pos = 0 ;
  char *line ;
  int fd ;
  if (mkdirat(topfd, name, 0755) == -1) give_up("unable to make ", name) ;
  fd = openat(topfd, name, O_RDONLY | O_DIRECTORY) ;
  if (fd == -1) give_up("unable to open ", name) ;
  while ((line = s4_next_line(text, &pos)))
  {
    char *content = strchr(line, '=') ;
    if (*line == '#') continue ;
    if (content) *content++ = 0 ;
    make_file(fd, line, content) ;
  }
  if (s4_sys_fd() >= 0) close(s4_sys_fd()) ;
  s4_sys_use(fd) ;
}

 /* --- what is there --- */

static int compare (void const *a, void const *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b) ;
}

struct facts { char *s[FACTS_MAX] ; unsigned int n ; } ;

__attribute__((format(printf, 2, 3))) static void fact (struct facts *f, char const *fmt, ...)
{
  char buf[TAP_NAME_MAX] ;
  va_list ap ;
  va_start(ap, fmt) ;
  vsnprintf(buf, sizeof buf, fmt, ap) ;
  va_end(ap) ;
  f->s[f->n] = strdup(buf) ;
  if (!f->s[f->n] || ++f->n == FACTS_MAX) give_up("too many facts: ", buf) ;
}

 /* Directories have no order: sorted, a comma between them. */

static char const *sorted (struct facts *f)
{
  static stralloc sa = STRALLOC_ZERO ;
  sa.len = 0 ;
  qsort(f->s, f->n, sizeof *f->s, &compare) ;
  for (unsigned int i = 0 ; i < f->n ; i++)
  {
    stralloc_cats(&sa, i ? ", " : "") ;
    stralloc_cats(&sa, f->s[i]) ;
    free(f->s[i]) ;
  }
  f->n = 0 ;
  stralloc_0(&sa) ;
  return sa.s ;
}

static unsigned int named (s4_blocks const *b, char const *name)
{
  unsigned int i = 0 ;
  while (i < s4_blocks_count(b) && strcmp(s4_block_at(b, i)->name, name)) i++ ;
  return i ;
}

static unsigned int major_of (uint64_t device)
{
  return (unsigned int)(device >> 32) ;
}

static char const *spell_blocks (s4_blocks const *b)
{
  static char const *const kinds[] = { "?", "dm", "md", "loop" } ;
  struct facts f = { .n = 0 } ;
  for (unsigned int i = 0 ; i < s4_blocks_count(b) ; i++)
  {
    s4_block const *x = s4_block_at(b, i) ;
    fact(&f, "%s %s %u:%u (%s)%s%s%s", x->name, kinds[x->kind], major_of(x->device), (unsigned int)x->device, x->what,
      x->suspended ? " suspended" : "", x->external ? " external" : "", x->container ? " container" : "") ;
  }
  for (size_t k = 0 ; k < genalloc_len(s4_blockpart, &b->parts) ; k++)
  {
    s4_blockpart const *x = genalloc_s(s4_blockpart, &b->parts) + k ;
    if (strcmp(x->name, s4_block_at(b, x->of)->name))
      fact(&f, "%s part %s %u:%u", s4_block_at(b, x->of)->name, x->name, major_of(x->device), (unsigned int)x->device) ;
    else if (x->device != s4_block_at(b, x->of)->device) fact(&f, "%s is not its own part", x->name) ;
  }
  for (size_t k = 0 ; k < genalloc_len(s4_blockholder, &b->holders) ; k++)
  {
    s4_blockholder const *x = genalloc_s(s4_blockholder, &b->holders) + k ;
    fact(&f, "%s < %s", s4_block_at(b, x->of)->name, x->name) ;
  }
  return sorted(&f) ;
}

 /* --- what a plan is made for --- */

static void parse_mounts (s4_mounts *ms, char const *s)
{
  genalloc g = GENALLOC_ZERO ;
  text_of(&ms->text, s, strlen(s)) ;
  if (!s4_mountinfo_parse(&ms->text, &g)) give_up("out of memory", "") ;
  ms->m = genalloc_s(s4_mount, &g) ;
  ms->n = ms->nown = (unsigned int)genalloc_len(s4_mount, &g) ;
}

static void parse_swaps (stralloc *text, genalloc *swaps, char const *s)
{
  text_of(text, s, strlen(s)) ;
  if (!s4_swaps_parse(text, swaps)) give_up("out of memory", "") ;
}

struct number { unsigned int major, minor ; } ;   /* 0:0: the end */

static uint64_t number (struct number d)
{
  return (uint64_t)d.major << 32 | d.minor ;
}

static int is_there (struct number d)
{
  return d.major || d.minor ;
}

static void add_numbers (genalloc *g, struct number const *list)
{
  for (; is_there(*list) ; list++)
  {
    uint64_t const u = number(*list) ;
    if (!genalloc_append(uint64_t, g, &u)) give_up("out of memory", "") ;
  }
}

struct planned
{
  char const *name ;
  char const *mounts ;                             /* mountinfo; or null */
  struct number elsewhere[LIST_MAX] ;              /* what other namespaces have, sorted */
  char const *swaps ;                              /* /proc/swaps behind its heading; or null */
  struct { unsigned int loop ; struct number raw ; } loops[LIST_MAX] ;   /* the block devices that are their files */
  struct number hung[LIST_MAX] ;
  char const *verdicts ;                           /* "NAME +", "NAME + stuck", or why it stays */
  char const *order ;                              /* "NAME<NAME ..." */
} ;

 /* All loop devices, as detach looks for them, but what they lie on is told here. */

static void find_loops (genalloc *loops, struct planned const *c)
{
  if (!s4_loops_find(loops, 1, 0)) give_up("unable to find loop devices", "") ;
  for (unsigned int k = 0 ; k < LIST_MAX && is_there(c->loops[k].raw) ; k++)
    for (size_t i = 0 ; i < genalloc_len(s4_loop, loops) ; i++)
    {
      s4_loop *x = genalloc_s(s4_loop, loops) + i ;
      if (x->device == number((struct number){ 7, c->loops[k].loop })) x->raw = number(c->loops[k].raw) ;
    }
}

static char const *spell_plan (s4_detachplan const *p, s4_blocks const *b)
{
  static char const *const words[] = { "+", "mounted on ", "swap ", "held by ", "suspended", "container", "hung" } ;
  struct facts f = { .n = 0 } ;
  for (unsigned int i = 0 ; i < s4_blocks_count(b) ; i++)
  {
    unsigned int const v = p->verdict[i] ;
    char const *because = p->because[i] ? p->because[i] : v == S4_IS_MOUNTED ? "(elsewhere)" : "" ;
    char const *word = v <= S4_IS_HUNG ? words[v] : "?" ;
    fact(&f, "%s %s%s%s", s4_block_at(b, i)->name, word, because, p->stuck[i] ? " stuck" : "") ;
  }
  return sorted(&f) ;
}

 /* --- what holds for every plan --- */

static unsigned int place_in (s4_detachplan const *p, unsigned int i)
{
  unsigned int k = 0 ;
  while (k < p->n && p->order[k] != i) k++ ;
  return k ;
}

static int needs (s4_detachplan const *p, unsigned int i, unsigned int j)
{
  for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++) if (p->needs[k] == j) return 1 ;
  return 0 ;
}

static char const *wrong_with_edge (s4_detachplan const *p, unsigned int above, unsigned int below)
{
  if (!needs(p, below, above)) return "a device does not need what is made of it" ;
  if (p->verdict[below] != S4_DETACHES) return 0 ;
  if (p->verdict[above] != S4_DETACHES) return "a device goes below one that stays" ;
  return place_in(p, above) < place_in(p, below) ? 0 : "a device goes before one that is made of it" ;
}

static char const *wrong_with_loops (s4_detachplan const *p, s4_blocks const *b, genalloc const *loops)
{
  char const *wrong = 0 ;
  for (size_t i = 0 ; i < genalloc_len(s4_loop, loops) && !wrong ; i++)
  {
    s4_loop const *x = genalloc_s(s4_loop, loops) + i ;
    s4_blockpart const *part = genalloc_s(s4_blockpart, &b->parts) ;
    for (size_t k = 0 ; k < genalloc_len(s4_blockpart, &b->parts) && !wrong ; k++)
      if (x->raw != S4_NODEVICE && part[k].device == x->raw)
        wrong = wrong_with_edge(p, named(b, x->name + strlen("/dev/")), part[k].of) ;
  }
  return wrong ;
}

static char const *wrong_with_plan (s4_detachplan const *p, s4_blocks const *b, genalloc const *loops)
{
  unsigned int going = 0 ;
  for (unsigned int i = 0 ; i < s4_blocks_count(b) ; i++)
  {
    going += p->verdict[i] == S4_DETACHES ;
    if ((p->verdict[i] == S4_DETACHES) != (place_in(p, i) < p->n)) return "the order and the verdicts differ" ;
    if ((p->verdict[i] == S4_IS_HELD || p->verdict[i] == S4_IS_SWAP) && !p->because[i]) return "no reason" ;
    for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++)
      if (p->needs[k] >= s4_blocks_count(b)) return "needs what is not there" ;
  }
  if (going != p->n) return "more goes than there is" ;
  for (size_t k = 0 ; k < genalloc_len(s4_blockholder, &b->holders) ; k++)
  {
    s4_blockholder const *h = genalloc_s(s4_blockholder, &b->holders) + k ;
    unsigned int const above = named(b, h->name) ;
    char const *wrong = above < s4_blocks_count(b) ? wrong_with_edge(p, above, h->of)
      : p->verdict[h->of] == S4_DETACHES ? "a device goes below a foreign one" : 0 ;
    if (wrong) return wrong ;
  }
  return wrong_with_loops(p, b, loops) ;
}

static int order_is (char const *order, s4_detachplan const *p, s4_blocks const *b)
{
  char first[32], then[32] ;
  int used ;
  for (; order && sscanf(order, " %31[^<]<%31s%n", first, then, &used) == 2 ; order += used)
  {
    unsigned int const i = place_in(p, named(b, first)), j = place_in(p, named(b, then)) ;
    if (i >= p->n || j >= p->n || i > j) return 0 ;
  }
  return 1 ;
}

static void check_plan (s4_blocks const *b, struct planned const *c)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  stralloc text = STRALLOC_ZERO ;
  genalloc swaps = GENALLOC_ZERO, loops = GENALLOC_ZERO, hung = GENALLOC_ZERO ;
  s4_detachpolicy const policy = { .ms = &ms, .swaps = &swaps, .loops = &loops, .hung = &hung } ;
  s4_detachplan p ;
  char const *wrong ;
  parse_mounts(&ms, c->mounts ? c->mounts : "") ;
  add_numbers(&ms.devices, c->elsewhere) ;
  parse_swaps(&text, &swaps, c->swaps ? c->swaps : "") ;
  find_loops(&loops, c) ;
  add_numbers(&hung, c->hung) ;
  if (!s4_detachplan_make(&p, b, &policy)) give_up("no plan: ", c->name) ;
  is_string(spell_plan(&p, b), c->verdicts, c->name) ;
  wrong = wrong_with_plan(&p, b, &loops) ;
  ok(!wrong, "%s: %s", c->name, wrong ? wrong : "what holds for every plan") ;
  if (!ok(order_is(c->order, &p, b), "%s: the order", c->name))
    for (unsigned int k = 0 ; k < p.n ; k++) note("%s", s4_block_at(b, p.order[k])->name) ;
  s4_detachplan_free(&p) ;
  s4_mounts_free(&ms) ;
  stralloc_free(&text) ;
  genalloc_free(s4_swap, &swaps) ;
  genalloc_free(s4_loop, &loops) ;
  genalloc_free(uint64_t, &hung) ;
}

 /* --- the machines --- */

#define ROOT "20 1 254:2 / / rw - ext4 /dev/vda2 rw\n"
#define SWAPS "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

static struct planned const lvm_on_luks[] =
{
  { .name = "LVM on LUKS: all goes", .mounts = ROOT,
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 +", .order = "dm-1<dm-0 dm-2<dm-0 dm-0<md0" },
  { .name = "LVM on LUKS: a mounted volume keeps all below it, and nothing beside it",
    .mounts = "20 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n",
    .verdicts = "dm-0 held by dm-1, dm-1 mounted on /, dm-2 +, md0 held by dm-0" },
  { .name = "LVM on LUKS: swap on a volume, by its name for the kernel", .mounts = ROOT, .swaps = SWAPS
    "/dev/dm-2                               partition\t1048572\t\t0\t\t-2\n",
    .verdicts = "dm-0 held by dm-2, dm-1 +, dm-2 swap /dev/dm-2, md0 held by dm-0" },
  { .name = "LVM on LUKS: swap on a volume, by its own name", .swaps = SWAPS
    "/dev/mapper/vg-swap                     partition\t1048572\t\t0\t\t-2\n",
    .verdicts = "dm-0 held by dm-2, dm-1 +, dm-2 swap /dev/mapper/vg-swap, md0 held by dm-0" },
  { .name = "LVM on LUKS: swap on a volume and on the partition, whose nodes were removed", .swaps = SWAPS
    "/dev/mapper/vg-swap\\040(deleted)         partition\t1048572\t\t0\t\t-2\n"
    "/dev/md0p1\\040(deleted)                  partition\t1048572\t\t0\t\t-3\n",
    .verdicts = "dm-0 held by dm-2, dm-1 +, dm-2 swap /dev/mapper/vg-swap (deleted), md0 swap /dev/md0p1 (deleted)" },
  { .name = "LVM on LUKS: swap files, and swap on what only has a name like one", .swaps = SWAPS
    "/vg-swap                                file\t\t1048572\t\t0\t\t-2\n"
    "/dev/mapper/dm-2                        file\t\t1048572\t\t0\t\t-3\n"
    "/dev/vg-swap                            partition\t1048572\t\t0\t\t-4\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 +" },
  { .name = "LVM on LUKS: swap on the partition", .swaps = SWAPS
    "/dev/md0p1                              partition\t1048572\t\t0\t\t-2\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 swap /dev/md0p1", .order = "dm-1<dm-0 dm-2<dm-0" },
  { .name = "LVM on LUKS: a mounted partition keeps its disk", .mounts = ROOT "21 20 259:0 / /boot rw - ext4 /dev/md0p1 rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 mounted on /boot" },
  { .name = "LVM on LUKS: mounted in another namespace", .mounts = ROOT, .elsewhere = { { 253, 0 }, { 254, 2 }, { 259, 0 } },
    .verdicts = "dm-0 mounted on (elsewhere), dm-1 +, dm-2 +, md0 mounted on (elsewhere)" },
  { .name = "LVM on LUKS: mounted here and in another namespace: here is said", .elsewhere = { { 253, 1 } },
    .mounts = "21 20 253:1 / /a rw - ext4 /dev/dm-1 rw\n22 20 253:1 / /b rw - ext4 /dev/dm-1 rw\n",
    .verdicts = "dm-0 held by dm-1, dm-1 mounted on /a, dm-2 +, md0 held by dm-0" },
  { .name = "LVM on LUKS: mounted, and swap: mounted is said", .mounts = "21 20 253:2 / /a rw - ext4 /dev/dm-2 rw\n",
    .swaps = SWAPS "/dev/dm-2 partition 1 0 -2\n", .verdicts = "dm-0 held by dm-2, dm-1 +, dm-2 mounted on /a, md0 held by dm-0" },
  { .name = "LVM on LUKS: what was given up keeps what it lies on", .hung = { { 253, 1 }, { 8, 1 } },
    .verdicts = "dm-0 held by dm-1, dm-1 hung, dm-2 +, md0 held by dm-0" },
  { .name = "LVM on LUKS: the lowest was given up", .hung = { { 9, 0 } },
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 hung", .order = "dm-1<dm-0 dm-2<dm-0" },
  { .name = "LVM on LUKS: each has a reason of its own", .mounts = "21 20 253:0 / /a rw - ext4 /dev/dm-0 rw\n",
    .swaps = SWAPS "/dev/dm-2 partition 1 0 -2\n", .hung = { { 253, 1 }, { 9, 0 } },
    .verdicts = "dm-0 mounted on /a, dm-1 hung, dm-2 swap /dev/dm-2, md0 hung" },
  { .verdicts = 0 }
} ;

static struct planned const luks_on_lvm[] =
{
  { .name = "LUKS on LVM: all goes", .verdicts = "dm-0 +, dm-1 +, dm-2 +, md127 +", .order = "dm-1<dm-0 dm-0<md127 dm-2<md127" },
  { .name = "LUKS on LVM: what is in LUKS is mounted", .mounts = ROOT "21 20 253:1 / /data rw - xfs /dev/mapper/data rw\n",
    .verdicts = "dm-0 held by dm-1, dm-1 mounted on /data, dm-2 +, md127 held by dm-0" },
  { .name = "LUKS on LVM: the other volume is mounted", .mounts = ROOT "21 20 253:2 / /home rw - xfs /dev/mapper/vg-home rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 mounted on /home, md127 held by dm-2", .order = "dm-1<dm-0" },
  { .verdicts = 0 }
} ;

static struct planned const thin[] =
{
  { .name = "a thin pool: all goes", .verdicts = "dm-0 +, dm-1 +, dm-2 +, dm-3 +, dm-4 +, dm-5 +",
    .order = "dm-3<dm-2 dm-4<dm-2 dm-5<dm-2 dm-2<dm-1 dm-2<dm-0" },
  { .name = "a thin pool: a mounted volume keeps the pool", .mounts = "20 1 253:4 / / rw - ext4 /dev/mapper/vg-root rw\n",
    .verdicts = "dm-0 held by dm-2, dm-1 held by dm-2, dm-2 held by dm-4, dm-3 +, dm-4 mounted on /, dm-5 +" },
  { .name = "a thin pool: btrfs on a volume with a dash in its name", .mounts = ROOT "21 20 0:40 / /home rw - btrfs /dev/mapper/vg-my--home rw\n",
    .verdicts = "dm-0 held by dm-2, dm-1 held by dm-2, dm-2 held by dm-5, dm-3 +, dm-4 +, dm-5 mounted on /home" },
  { .verdicts = 0 }
} ;

static struct planned const snapshot[] =
{
  { .name = "a snapshot: all goes", .verdicts = "dm-0 +, dm-1 +, dm-2 +, dm-3 +", .order = "dm-0<dm-1 dm-3<dm-1 dm-3<dm-2" },
  { .name = "a snapshot: the volume is mounted", .mounts = "21 20 253:0 / /data rw - ext4 /dev/mapper/vg-data rw\n",
    .verdicts = "dm-0 mounted on /data, dm-1 held by dm-0, dm-2 +, dm-3 +", .order = "dm-3<dm-2" },
  { .name = "a snapshot: it is mounted", .mounts = "21 20 253:3 / /backup ro - ext4 /dev/mapper/vg-backup ro\n",
    .verdicts = "dm-0 +, dm-1 held by dm-3, dm-2 held by dm-3, dm-3 mounted on /backup" },
  { .verdicts = 0 }
} ;

static struct planned const loops[] =
{
  { .name = "loops: over block devices, each before what it lies on",
    .loops = { { 1, { 253, 0 } }, { 4, { 259, 0 } }, { 5, { 7, 4 } } },
    .verdicts = "dm-0 +, loop0 +, loop1 +, loop2 +, loop4 +, loop5 +", .order = "loop1<dm-0 dm-0<loop0 loop5<loop4 loop4<loop0" },
  { .name = "loops: a mounted one keeps the block device that is its file", .mounts = ROOT "21 20 7:1 / /mnt rw - ext4 /dev/loop1 rw\n",
    .loops = { { 1, { 253, 0 } }, { 4, { 259, 0 } }, { 5, { 7, 4 } } },
    .verdicts = "dm-0 held by loop1, loop0 held by dm-0, loop1 mounted on /mnt, loop2 +, loop4 +, loop5 +", .order = "loop5<loop4" },
  { .name = "loops: a file on a partition of one", .mounts = ROOT "21 20 7:5 / /mnt rw - ext4 /dev/loop5 rw\n",
    .loops = { { 4, { 259, 0 } }, { 5, { 7, 4 } } },
    .verdicts = "dm-0 +, loop0 held by loop4, loop1 +, loop2 +, loop4 held by loop5, loop5 mounted on /mnt" },
  { .name = "loops: one that has not told, and one that lies on a disk", .mounts = ROOT "21 20 7:1 / /mnt rw - ext4 /dev/loop1 rw\n",
    .loops = { { 4, { 254, 0 } } },
    .verdicts = "dm-0 +, loop0 +, loop1 mounted on /mnt, loop2 +, loop4 +, loop5 +", .order = "dm-0<loop0" },
  { .name = "loops: a mounted partition", .mounts = ROOT "21 20 259:0 / /p1 rw - ext4 /dev/loop0p1 rw\n",
    .verdicts = "dm-0 +, loop0 mounted on /p1, loop1 +, loop2 +, loop4 +, loop5 +" },
  { .name = "loops: swap on a partition", .swaps = SWAPS "/dev/loop0p2 partition 1 0 -2\n",
    .verdicts = "dm-0 +, loop0 swap /dev/loop0p2, loop1 +, loop2 +, loop4 +, loop5 +" },
  { .name = "loops: read-only, its file is deleted, and mounted", .mounts = ROOT "21 20 7:2 / /x ro - squashfs /dev/loop2 ro\n",
    .verdicts = "dm-0 +, loop0 +, loop1 +, loop2 mounted on /x, loop4 +, loop5 +" },
  { .name = "loops: two on each other: they end", .loops = { { 4, { 7, 5 } }, { 5, { 7, 4 } } }, .hung = { { 7, 4 } },
    .verdicts = "dm-0 +, loop0 +, loop1 +, loop2 +, loop4 hung, loop5 held by loop4" },
  { .verdicts = 0 }
} ;

static struct planned const imsm[] =
{
  { .name = "IMSM: the arrays go, the container stays", .verdicts = "md125 +, md126 +, md127 container" },
  { .name = "IMSM: a partition is mounted", .mounts = "20 1 259:1 / / rw - ext4 /dev/md126p2 rw\n",
    .verdicts = "md125 +, md126 mounted on /, md127 container" },
  { .verdicts = 0 }
} ;

static struct planned const suspended[] =
{
  { .name = "suspended: it stays with all below it; all above it go without a flush", .mounts = ROOT, .loops = { { 1, { 253, 1 } } },
    .verdicts = "dm-0 suspended, dm-1 + stuck, dm-2 +, loop0 held by dm-0, loop1 + stuck", .order = "loop1<dm-1" },
  { .name = "suspended: what is mounted on it stays", .mounts = ROOT "21 20 253:1 / /far rw - ext4 /dev/mapper/vg-far rw\n",
    .verdicts = "dm-0 suspended, dm-1 mounted on /far stuck, dm-2 +, loop0 held by dm-0, loop1 +" },
  { .name = "suspended: mounted itself: that is said", .mounts = ROOT "21 20 253:0 / /far rw - ext4 /dev/mapper/mpatha rw\n",
    .verdicts = "dm-0 mounted on /far, dm-1 + stuck, dm-2 +, loop0 held by dm-0, loop1 +" },
  { .verdicts = 0 }
} ;

static struct planned const foreign[] =
{
  { .name = "foreign: what others hold stays, with all below it",
    .verdicts = "dm-0 held by dm-1, dm-1 held by drbd0, dm-2 +, md0 held by bcache0, md2 +" },
  { .name = "foreign: bcache is mounted: its mirror is held", .mounts = ROOT "21 20 252:0 / /b rw - ext4 /dev/bcache0 rw\n",
    .verdicts = "dm-0 held by dm-1, dm-1 held by drbd0, dm-2 +, md0 held by bcache0, md2 +" },
  { .verdicts = 0 }
} ;

static struct planned const kinds[] =
{
  { .name = "kinds: all go, a volume before its parts",
    .verdicts = "dm-0 +, dm-1 +, dm-10 +, dm-11 +, dm-2 +, dm-3 +, dm-4 +, dm-5 +, dm-6 +, dm-7 +, dm-8 +, dm-9 +, md5 +",
    .order = "dm-0<dm-1 dm-0<dm-2 dm-0<dm-3 dm-4<dm-5 dm-4<dm-6 dm-4<dm-7 dm-4<dm-8 dm-10<dm-9 dm-11<md5" },
  { .name = "kinds: a mounted cached volume keeps its cache, and the slow disk", .mounts = "20 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n",
    .verdicts = "dm-0 mounted on /, dm-1 held by dm-0, dm-10 +, dm-11 +, dm-2 held by dm-0, dm-3 held by dm-0, dm-4 +, dm-5 +, dm-6 +, "
      "dm-7 +, dm-8 +, dm-9 +, md5 +" },
  { .name = "kinds: a mounted mirror keeps its legs, a mounted partition its multipath, a LUKS its array",
    .mounts = ROOT "21 20 253:4 / /home rw - ext4 /dev/mapper/vg-home rw\n22 20 253:10 / /far rw - ext4 /dev/dm-10 rw\n"
      "23 20 253:11 / /safe rw - ext4 /dev/mapper/crypt rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-10 mounted on /far, dm-11 mounted on /safe, dm-2 +, dm-3 +, dm-4 mounted on /home, dm-5 held by dm-4, "
      "dm-6 held by dm-4, dm-7 held by dm-4, dm-8 held by dm-4, dm-9 held by dm-10, md5 held by dm-11" },
  { .verdicts = 0 }
} ;

static struct planned const none[] =
{
  { .name = "none: no plan", .mounts = ROOT, .swaps = SWAPS "/dev/zram0 partition 1 0 -2\n", .elsewhere = { { 254, 1 } },
    .hung = { { 254, 1 } }, .verdicts = "" },
  { .verdicts = 0 }
} ;

static struct planned const btrfs[] =
{
  { .name = "btrfs: by the name that udev gives it", .mounts = ROOT "21 20 0:40 /sub /home rw - btrfs /dev/mapper/one rw\n",
    .verdicts = "dm-0 mounted on /home, dm-1 +, dm-2 +, md0 +" },
  { .name = "btrfs: by its name for the kernel", .mounts = ROOT "21 20 0:40 / /home rw - btrfs /dev/dm-1 rw\n",
    .verdicts = "dm-0 +, dm-1 mounted on /home, dm-2 +, md0 +" },
  { .name = "btrfs: a name of two words", .mounts = ROOT "21 20 0:40 / /home rw - btrfs /dev/mapper/two\\040words rw\n",
    .verdicts = "dm-0 +, dm-1 mounted on /home, dm-2 +, md0 +" },
  { .name = "bcachefs: of two devices", .mounts = ROOT "21 20 0:40 / /home rw - bcachefs /dev/dm-0:/dev/mapper/two\\040words rw\n",
    .verdicts = "dm-0 mounted on /home, dm-1 mounted on /home, dm-2 +, md0 +" },
  { .name = "btrfs: a dm device called as another kind is", .mounts = ROOT "21 20 0:40 / /home rw - btrfs /dev/mapper/md0 rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 mounted on /home, md0 +" },
  { .name = "btrfs: on a partition", .mounts = ROOT "21 20 0:40 / /home rw - btrfs /dev/md0p1 rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 mounted on /home" },
  { .name = "btrfs: the number of its own is nobody's", .mounts = ROOT "21 20 0:0 / /home rw - btrfs /dev/vdc rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 +" },
  { .name = "btrfs: elsewhere, by the way of a process", .mounts = ROOT "21 20 0:40 / /proc/7/root/x rw - btrfs /dev/mapper/one rw\n",
    .verdicts = "dm-0 mounted on /proc/7/root/x, dm-1 +, dm-2 +, md0 +" },
  { .name = "sources that are no devices: tmpfs, nfs, a file system with a number, a name without /dev",
    .mounts = ROOT "21 20 0:40 / /a rw - nfs4 /dev/mapper/one rw\n22 20 0:41 / /b rw - tmpfs /dev/dm-0 rw\n"
      "23 20 254:9 / /c rw - ext4 /dev/dm-0 rw\n24 20 0:42 / /d rw - btrfs one rw\n25 20 0:43 / /e rw - btrfs /x/dm-0 rw\n",
    .verdicts = "dm-0 +, dm-1 +, dm-2 +, md0 +" },
  { .name = "a bind mount of an ordinary one, by its number, whatever its source", .mounts = "21 20 253:0 /x /y rw - ext4 none rw\n",
    .verdicts = "dm-0 mounted on /y, dm-1 +, dm-2 +, md0 +" },
  { .verdicts = 0 }
} ;

#define NONUMBER "4294967295:4294967295"
#define GARBLED_PLAN "dm-1 +, dm-2 +, dm-3 +, dm-4 +, dm-5 +, dm-6 +, loop0 +, loop1 +, md0 held by a name, md2 +"

static struct planned const garbled[] =
{
  { .name = "garbled: a plan", .verdicts = GARBLED_PLAN },
  { .name = "garbled: empty names are nobody's", .mounts = "21 20 0:41 / /y rw - btrfs /dev/ rw\n",
    .swaps = SWAPS "/ partition 1 0 -2\n", .verdicts = GARBLED_PLAN },
  { .verdicts = 0 }
} ;

static struct { char const *name ; char const *found ; struct planned const *plans ; } const machines[] =
{
  { "lvm-on-luks", "dm-0 < dm-1, dm-0 < dm-2, dm-0 dm 253:0 (CRYPT crypt), dm-1 dm 253:1 (LVM vg-root), dm-2 dm 253:2 (LVM vg-swap), "
    "md0 < dm-0, md0 md 9:0 (raid1), md0 part md0p1 259:0", lvm_on_luks },
  { "luks-on-lvm", "dm-0 < dm-1, dm-0 dm 253:0 (LVM vg-data), dm-1 dm 253:1 (CRYPT data), dm-2 dm 253:2 (LVM vg-home), "
    "md127 < dm-0, md127 < dm-2, md127 md 9:127 (raid1)", luks_on_lvm },
  { "thin", "dm-0 < dm-2, dm-0 dm 253:0 (LVM vg-pool_tmeta), dm-1 < dm-2, dm-1 dm 253:1 (LVM vg-pool_tdata), "
    "dm-2 < dm-3, dm-2 < dm-4, dm-2 < dm-5, dm-2 dm 253:2 (LVM vg-pool-tpool), dm-3 dm 253:3 (LVM vg-pool), "
    "dm-4 dm 253:4 (LVM vg-root), dm-5 dm 253:5 (LVM vg-my--home)", thin },
  { "snapshot", "dm-0 dm 253:0 (LVM vg-data), dm-1 < dm-0, dm-1 < dm-3, dm-1 dm 253:1 (LVM vg-data-real), "
    "dm-2 < dm-3, dm-2 dm 253:2 (LVM vg-backup-cow), dm-3 dm 253:3 (LVM vg-backup)", snapshot },
  { "loops", "dm-0 dm 253:0 (CRYPT image), loop0 < dm-0, loop0 loop 7:0 (/home/me/a disk.img), loop0 part loop0p1 259:0, "
    "loop0 part loop0p2 259:1, loop1 loop 7:1 (/dev/dm-0), loop2 loop 7:2 (/var/tmp/x (deleted)), loop4 loop 7:4 (/dev/loop0p1), "
    "loop5 loop 7:5 (/dev/loop4)", loops },
  { "imsm", "md125 md 9:125 (raid0) external, md126 md 9:126 (raid1) external, md126 part md126p1 259:0, md126 part md126p2 259:1, "
    "md127 md 9:127 (container) external container", imsm },
  { "suspended", "dm-0 < dm-1, dm-0 dm 253:0 (mpath mpatha) suspended, dm-1 dm 253:1 (LVM vg-far), dm-2 dm 253:2 (dm other), "
    "loop0 < dm-0, loop0 loop 7:0 (/srv/below), loop1 loop 7:1 (/dev/dm-1)", suspended },
  { "foreign", "dm-0 < dm-1, dm-0 < dm-2, dm-0 dm 253:0 (CRYPT crypt), dm-1 < drbd0, dm-1 dm 253:1 (LVM vg-r0), dm-2 dm 253:2 (LVM vg-free), "
    "md0 < bcache0, md0 md 9:0 (raid1), md2 md 9:2 (no level)", foreign },
  { "kinds", "dm-0 dm 253:0 (LVM vg-root), dm-1 < dm-0, dm-1 dm 253:1 (LVM vg-quick_cpool_cdata), "
    "dm-10 dm 253:10 (part1 mpatha-part1), dm-11 dm 253:11 (CRYPT crypt), dm-2 < dm-0, dm-2 dm 253:2 (LVM vg-quick_cpool_cmeta), "
    "dm-3 < dm-0, dm-3 dm 253:3 (LVM vg-root_corig), dm-4 dm 253:4 (LVM vg-home), dm-5 < dm-4, dm-5 dm 253:5 (LVM vg-home_rmeta_0), "
    "dm-6 < dm-4, dm-6 dm 253:6 (LVM vg-home_rimage_0), dm-7 < dm-4, dm-7 dm 253:7 (LVM vg-home_rmeta_1), "
    "dm-8 < dm-4, dm-8 dm 253:8 (LVM vg-home_rimage_1), dm-9 < dm-10, dm-9 dm 253:9 (mpath mpatha), "
    "md5 < dm-11, md5 md 9:5 (raid1), md5 part md5p1 259:0", kinds },
  { "none", "", none },
  { "btrfs", "dm-0 dm 253:0 (CRYPT one), dm-1 dm 253:1 (CRYPT two words), dm-2 dm 253:2 (dm md0), md0 md 9:0 (raid1), md0 part md0p1 259:0", btrfs },
  { "garbled", "dm-1 dm " NONUMBER " (dm no-dev), dm-2 dm " NONUMBER " (dm no-minor), dm-3 dm 253:3 (dm ), dm-4 < dm-1, "
    "dm-4 dm 253:4 (  a name - of many words ), dm-5 dm 253:5 (dm ), dm-6 dm " NONUMBER " (dm x), loop0 loop 7:0 (), "
    "loop1 loop " NONUMBER " (/no/dev), md0 < a name, md0 < dm-3, md0 < dm-3, md0 md 9:0 (no level), "
    "md0 part md0p1 " NONUMBER ", md0 part md0p2 259:1, md0 part p4 259:3, md2 md 9:2 (raid1) external", garbled },
} ;

 /* One after the other into the same: what was there is replaced. */

static void all_machines (void)
{
  s4_blocks b = S4_BLOCKS_ZERO ;
  stralloc text = STRALLOC_ZERO ;
  char name[64] ;
  for (size_t i = 0 ; i < sizeof machines / sizeof *machines ; i++)
  {
    snprintf(name, sizeof name, "%s.sysfs", machines[i].name) ;
    fixture(&text, name) ;
    if (!stralloc_0(&text)) give_up("out of memory", "") ;
    text.len-- ;
    use_tree(machines[i].name, &text) ;
    ok(s4_blocks_find(&b), "%s: is looked at", machines[i].name) ;
    snprintf(name, sizeof name, "%s: what is found", machines[i].name) ;
    is_string(spell_blocks(&b), machines[i].found, name) ;
    for (struct planned const *c = machines[i].plans ; c->name ; c++) check_plan(&b, c) ;
  }
  stralloc_free(&text) ;
}

 /* --- others --- */

static void no_sysfs (void)
{
  s4_blocks b = S4_BLOCKS_ZERO ;
  stralloc text = STRALLOC_ZERO ;
  use_tree("empty", &text) ;
  ok(s4_blocks_find(&b) && !s4_blocks_count(&b), "an empty /sys: there are none") ;
  ok(s4_block_kind("dm-0") == S4_NO_BLOCK && s4_block_kind("md0") == S4_NO_BLOCK
   && s4_block_kind("loop0") == S4_NO_BLOCK && s4_block_kind("") == S4_NO_BLOCK, "an empty /sys: no name is of any kind") ;
}

static void tower_tree (unsigned int n)
{
  stralloc text = STRALLOC_ZERO ;
  char s[200] ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    snprintf(s, sizeof s, "block/dm-%u/dev=253:%u\nblock/dm-%u/dm/name=x%u\n", i, i, i, i) ;
    stralloc_cats(&text, s) ;
    if (i) snprintf(s, sizeof s, "block/dm-%u/holders/dm-%u=\n", i, i - 1) ;
    if (i) stralloc_cats(&text, s) ;
  }
  stralloc_0(&text) ;
  text.len-- ;
  use_tree("tower", &text) ;
  stralloc_free(&text) ;
}

static void tower (void)
{
  enum { HIGH = 200 } ;
  s4_blocks b = S4_BLOCKS_ZERO ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  genalloc nothing = GENALLOC_ZERO ;
  s4_detachpolicy const policy = { .ms = &ms, .swaps = &nothing, .loops = &nothing, .hung = &nothing } ;
  s4_detachplan p ;
  int good ;
  tower_tree(HIGH) ;
  if (!s4_blocks_find(&b) || !s4_detachplan_make(&p, &b, &policy)) give_up("a tower: ", "no plan") ;
  good = p.n == HIGH ;
  for (unsigned int k = 0 ; k < p.n && good ; k++)
    good = s4_block_at(&b, p.order[k])->device == number((struct number){ 253, k }) ;
  ok(good, "a tower of %u: from its top to the ground", HIGH) ;
  s4_detachplan_free(&p) ;
  parse_mounts(&ms, "21 20 253:0 / /top rw - ext4 /dev/dm-0 rw\n") ;
  if (!s4_detachplan_make(&p, &b, &policy)) give_up("a tower: ", "no plan") ;
  ok(!p.n, "a tower of %u, mounted: all of it stays", HIGH) ;
}

 /* Each device is made of both below it, so there are 2^HIGH ways down; dm-0 is made of bottom. */

enum { HIGH = 30 } ;

static void add_link (char const *where, char const *to)
{
  if (symlinkat(to, s4_sys_fd(), where) == -1) give_up("unable to make ", where) ;
}

static void diamond_tree (char const *name, char const *bottom)
{
  stralloc text = STRALLOC_ZERO ;
  char s[200], to[80] ;
  for (unsigned int i = 0 ; i < 2 * HIGH ; i++)
  {
    snprintf(s, sizeof s, "class/block/dm-%u/dev=253:%u\nclass/block/dm-%u/stat=1 0 0 0 0 0 0\n", i, i, i) ;
    stralloc_cats(&text, s) ;
    snprintf(s, sizeof s, "class/block/dm-%u/slaves/\n", i) ;
    stralloc_cats(&text, s) ;
  }
  stralloc_cats(&text, "dev/block/\n") ;
  snprintf(s, sizeof s, "class/block/%s/dev=7:0\nclass/block/%s/stat=1 0 0 0 0 0 0\n", bottom, bottom) ;
  stralloc_cats(&text, s) ;
  snprintf(s, sizeof s, "class/block/%s/loop/backing_file=/file\n", bottom) ;
  stralloc_cats(&text, s) ;
  stralloc_0(&text) ;
  text.len-- ;
  use_tree(name, &text) ;
  stralloc_free(&text) ;
  for (unsigned int i = 0 ; i < 2 * HIGH ; i++)
  {
    snprintf(s, sizeof s, "dev/block/253:%u", i) ;
    snprintf(to, sizeof to, "../../class/block/dm-%u", i) ;
    add_link(s, to) ;
    for (unsigned int k = 0 ; k < 2 && i >= 2 ; k++)
    {
      snprintf(s, sizeof s, "class/block/dm-%u/slaves/dm-%u", i, i / 2 * 2 - 2 + k) ;
      snprintf(to, sizeof to, "../../dm-%u", i / 2 * 2 - 2 + k) ;
      add_link(s, to) ;
    }
  }
  snprintf(s, sizeof s, "class/block/dm-0/slaves/%s", bottom) ;
  snprintf(to, sizeof to, "../../%s", bottom) ;
  add_link(s, to) ;
  snprintf(s, sizeof s, "dev/block/7:0") ;
  snprintf(to, sizeof to, "../../class/block/%s", bottom) ;
  add_link(s, to) ;
}

static void diamond (void)
{
  s4_mount const m = { .major = 253, .minor = 2 * HIGH - 1, .source = "" } ;
  genalloc loops = GENALLOC_ZERO ;   /* uint64_t */
  alarm(100) ;
  diamond_tree("diamond", "vda") ;   /* of loop devices more than their own progress counts */
  is_number((int64_t)s4_dev_progress_below("dm-59"), 2 * HIGH, "many ways down: the progress of each device counts once") ;
  diamond_tree("diamond-of-a-file", "loop0") ;
  ok(s4_dev_loops(&m, &loops) && genalloc_len(uint64_t, &loops) == 1
   && *genalloc_s(uint64_t, &loops) == number((struct number){ 7, 0 }), "many ways down: the loop device is found, once") ;
  genalloc_free(uint64_t, &loops) ;
  alarm(0) ;
}

 /* By drivers/md/dm-mpath.c, with the selectors round-robin, service-time and none. */

static void paths (void)
{
  static struct { char const *status ; int lost ; } const cases[] =
  {
    { "2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 A 0 0 1 ", 0 },
    { "2 0 0 0 1 1 A 0 2 0 7:0 F 1 7:1 A 0 ", 0 },
    { "2 0 0 0 1 1 A 0 2 0 7:0 A 0 7:1 F 1 ", 0 },
    { "2 0 0 0 1 1 A 0 2 0 7:0 F 1 7:1 F 3 ", 1 },
    { "2 0 0 0 2 1 E 0 1 2 8:16 F 1 0 1 E 0 1 2 8:32 F 7 0 1 ", 1 },
    { "2 1 0 1 alua 2 1 A 0 1 2 65:160 F 1 0 1 E 0 1 2 8:32 A 1 0 1", 0 },
    { "2 0 1 0 0 0 ", 1 },
    { "", 1 }
  } ;
  for (size_t i = 0 ; i < sizeof cases / sizeof *cases ; i++)
    ok(s4_multipath_is_lost(cases[i].status) == cases[i].lost, "multipath: \"%s\"", cases[i].status) ;
}

int main (void)
{
  char const *tmp = getenv("TMPDIR") ;
  snprintf(top, sizeof top, "%s/test-blocks.XXXXXX", tmp ? tmp : "/tmp") ;
  if (!mkdtemp(top)) bail_out("unable to make a directory in ", tmp ? tmp : "/tmp") ;
  topfd = open(top, O_RDONLY | O_DIRECTORY) ;
  if (topfd == -1) give_up("unable to open ", top) ;
  all_machines() ;
  no_sysfs() ;
  tower() ;
  diamond() ;
  paths() ;
  if (remove_tree()) note("unable to remove %s: %s", top, strerror(errno)) ;
  return done() ;
}
