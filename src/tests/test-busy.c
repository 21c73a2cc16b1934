/* ISC license. */

/* Who keeps a file system or a device busy, by tables. */

#include "stage4.h"
#include "tap.h"

#define TABLE \
  "20 1 254:0 / / rw - ext4 /dev/vda rw\n" \
  "21 20 254:1 / /home rw - ext4 /dev/vdb rw\n" \
  "22 21 0:30 / /home/tmp rw - tmpfs tmp rw\n" \
  "23 20 254:1 /x /srv/x rw - ext4 /dev/vdb rw\n" \
  "24 20 0:31 / /ov rw - overlay over rw,lowerdir=/lower,upperdir=/home/u,workdir=/home/w\n" \
  "25 20 0:50 / /pool rw - btrfs /dev/vdc rw\n" \
  "26 20 0:51 / /crypt rw - btrfs /dev/mapper/crypt rw\n" \
  "27 20 254:17 / /part rw - xfs /dev/vdd1 rw\n"

static s4_mounts ms = S4_MOUNTS_ZERO ;
static s4_tree tree ;

static uint64_t device (unsigned int major, unsigned int minor)
{
  return (uint64_t)major << 32 | minor ;
}

static void parse (char const *s, s4_mounts *table)
{
  genalloc mounts = GENALLOC_ZERO ;
  text_of(&table->text, s, strlen(s)) ;
  if (!s4_mountinfo_parse(&table->text, &mounts)) bail_out("no memory", "") ;
  table->m = genalloc_s(s4_mount, &mounts) ;
  table->n = table->nown = (unsigned int)genalloc_len(s4_mount, &mounts) ;
}

 /* What was found for one place: "words|words|" */

static void is_found (genalloc *found, char const *want, char const *what)
{
  stralloc sa = STRALLOC_ZERO ;
  for (size_t k = 0 ; k < genalloc_len(s4_busy, found) ; k++)
  {
    s4_busy_cat(&sa, genalloc_s(s4_busy, found) + k) ;
    s4_cat(&sa, "|") ;
  }
  is_string(sa.len ? sa.s : "", want, what) ;
  stralloc_free(&sa) ;
  genalloc_free(s4_busy, found) ;
}

static struct { char const *what ; s4_busyplace place ; char const *want ; } const mounted[] =
{
  { "a path: what is on it, the same elsewhere, an overlay with its upper layer there",
    { .device = (uint64_t)254 << 32 | 1, .mount = 21, .part = "" }, "carries /home/tmp|mounted on /srv/x|overlay /ov|" },
  { "a path on a bind mount: the other one is named", { .device = (uint64_t)254 << 32 | 1, .mount = 23, .part = "" },
    "mounted on /home|carries /home/tmp|overlay /ov|" },
  { "a path that nobody needs", { .device = 30, .mount = 22, .part = "" }, "" },
  { "a device: its mounts, not what is on them", { .device = (uint64_t)254 << 32 | 1, .part = "" },
    "mounted on /home|mounted on /srv/x|" },
  { "a device of btrfs, by the source", { .device = (uint64_t)254 << 32 | 2, .part = "", .node = "/dev/vdc" }, "mounted on /pool|" },
  { "a dm device of btrfs, by its other name",
    { .device = (uint64_t)253 << 32, .part = "", .node = "/dev/dm-0", .alias = "/dev/mapper/crypt" }, "mounted on /crypt|" },
  { "a partition is named", { .device = (uint64_t)254 << 32 | 17, .part = "vdd1", .node = "/dev/vdd1" },
    "vdd1: mounted on /part|" },
  { "a device that nobody has mounted", { .device = (uint64_t)254 << 32 | 9, .part = "", .node = "/dev/vdj" }, "" },
} ;

static void mounts (void)
{
  for (size_t i = 0 ; i < sizeof mounted / sizeof *mounted ; i++)
  {
    genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO ;
    genalloc_append(s4_busyplace, &places, &mounted[i].place) ;
    ok(s4_busy_mounts(&found, &places, &ms, 0), "%s: there is memory", mounted[i].what) ;
    is_found(&found, mounted[i].want, mounted[i].what) ;
    genalloc_free(s4_busyplace, &places) ;
  }
}

static void targets (void)
{
  genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO ;
  for (unsigned int k = 0 ; k < 2 ; k++)
  {
    s4_busyplace const p = { .target = k, .device = device(254, 1), .part = "" } ;
    genalloc_append(s4_busyplace, &places, &p) ;
  }
  s4_busy_mounts(&found, &places, &ms, 0) ;
  is_number((int64_t)genalloc_len(s4_busy, &found), 4, "two targets on one device: each has all") ;
  is_number(genalloc_s(s4_busy, &found)[3].target, 1, "and they are told apart") ;
}

static void unknown_layers (void)
{
  s4_mounts table = S4_MOUNTS_ZERO ;
  genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO ;
  s4_busyplace const p = { .device = device(254, 0), .mount = 21, .part = "" } ;
  parse("20 1 0:31 / / rw - overlay over rw,lowerdir=/l,upperdir=/gone/u,workdir=/gone/w\n"
    "21 20 254:0 / /media rw - ext4 /dev/vda rw\n", &table) ;
  genalloc_append(s4_busyplace, &places, &p) ;
  s4_busy_mounts(&found, &places, &table, 0) ;
  is_found(&found, "maybe overlay /|", "an overlay whose layers nobody knows") ;
}

static void elsewhere (void)
{
  genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO ;
  s4_busyplace p = { .device = device(254, 1), .mount = 21, .part = "" } ;
  genalloc_append(s4_busyplace, &places, &p) ;
  s4_busy_elsewhere(&found, &places, &ms) ;
  for (size_t k = 0 ; k < genalloc_len(s4_busy, &found) ; k++)
  {
    s4_busy *b = genalloc_s(s4_busy, &found) + k ;
    b->pid = 77 ;
    strcpy(b->comm, "sleep") ;
    b->more = 2 ;
  }
  is_found(&found, "mount namespace of 77 sleep and 2 more, mounted on /home|overlay /ov in the mount namespace of 77 sleep|",
    "another namespace: once, and its overlays") ;
  genalloc_s(s4_busyplace, &places)->device = device(254, 9) ;
  s4_busy_elsewhere(&found, &places, &ms) ;
  is_found(&found, "", "another namespace without it") ;
}

static void swaps (void)
{
  static s4_swap const all[] = { { .path = "/home/swap", .isfile = 1 }, { .path = "/dev/vdb", .isfile = 0 },
    { .path = "/odd/name", .isfile = 1 }, { .path = "/home/odd", .isfile = 1 } } ;
  static s4_placed const placed[] = { { .raw = S4_NODEVICE }, { .raw = (uint64_t)254 << 32 | 1 },
    { .raw = S4_NODEVICE, .mount = 23 }, { .raw = S4_NODEVICE, .mount = 20 } } ;
  genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO, list = GENALLOC_ZERO ;
  s4_busyplace const p = { .device = device(254, 1), .mount = 21, .part = "" } ;
  for (unsigned int i = 0 ; i < 4 ; i++) genalloc_append(s4_swap, &list, all + i) ;
  genalloc_append(s4_busyplace, &places, &p) ;
  s4_busy_swaps(&found, &places, &tree, &list, placed) ;
  is_found(&found, "swap /home/swap|swap /odd/name|", "swap files: by the mount, else by the name") ;
  genalloc_s(s4_busyplace, &places)->mount = 0 ;
  s4_busy_swaps(&found, &places, &tree, &list, placed) ;
  is_found(&found, "swap /dev/vdb|", "a device: only what is on itself") ;
}

static void loops (void)
{
  static s4_loop const all[] =
  {
    { .name = "/dev/loop0", .device = (uint64_t)7 << 32, .backing = (uint64_t)254 << 32 | 1, .raw = S4_NODEVICE, .file = "/x" },
    { .name = "/dev/loop1", .device = (uint64_t)7 << 32 | 1, .backing = S4_NODEVICE, .raw = S4_NODEVICE, .file = "/home/b" },
    { .name = "/dev/loop2", .device = (uint64_t)7 << 32 | 2, .backing = 5, .raw = (uint64_t)254 << 32 | 1, .file = "/dev/vdb" },
    { .name = "/dev/loop3", .device = (uint64_t)7 << 32 | 3, .backing = (uint64_t)254 << 32, .raw = S4_NODEVICE, .file = "/home/c" },
    { .name = "/dev/loop4", .device = (uint64_t)7 << 32 | 4, .backing = 77, .raw = S4_NODEVICE, .file = "/pool/d" },
    { .name = "/dev/loop5", .device = (uint64_t)7 << 32 | 5, .backing = S4_NODEVICE, .raw = S4_NODEVICE },
    { .name = "/dev/loop6", .device = (uint64_t)7 << 32 | 6, .backing = S4_NODEVICE, .raw = S4_NODEVICE, .file = "/dev/vdc" },
  } ;
  static struct { char const *what ; s4_busyplace place ; char const *want ; } const wanted[] =
  {
    { "a path: by its device, by the name where that is not known", { .device = (uint64_t)254 << 32 | 1, .mount = 21, .part = "" },
      "loop device /dev/loop0, file /x|loop device /dev/loop1, file /home/b|" },
    { "a device that is the file", { .device = (uint64_t)254 << 32 | 1, .part = "" }, "loop device /dev/loop2, file /dev/vdb|" },
    { "a device that has not told, by its name", { .device = (uint64_t)254 << 32 | 2, .part = "", .node = "/dev/vdc" },
      "loop device /dev/loop6, file /dev/vdc|" },
    { "and that is no file on what /dev lies on", { .device = (uint64_t)254 << 32, .mount = 20, .part = "" },
      "loop device /dev/loop3, file /home/c|" },
    { "btrfs: by the name", { .device = 50, .mount = 25, .part = "" }, "loop device /dev/loop4, file /pool/d|" },
  } ;
  genalloc list = GENALLOC_ZERO ;
  for (unsigned int i = 0 ; i < sizeof all / sizeof *all ; i++) genalloc_append(s4_loop, &list, all + i) ;
  for (unsigned int i = 0 ; i < sizeof wanted / sizeof *wanted ; i++)
  {
    genalloc found = GENALLOC_ZERO, places = GENALLOC_ZERO ;
    genalloc_append(s4_busyplace, &places, &wanted[i].place) ;
    s4_busy_loops(&found, &places, &tree, &list) ;
    is_found(&found, wanted[i].want, wanted[i].what) ;
  }
}

static struct { char const *what ; s4_busy busy ; char const *want ; } const lines[] =
{
  { "a deleted file, and others",
    { .kind = S4_BUSY_FILE, .pid = 7, .more = 3, .comm = "load", .name = "/x (deleted)" }, "7 load (open file /x, deleted, and 3 more)|" },
  { "a working directory", { .kind = S4_BUSY_CWD, .pid = 7, .comm = "a) b", .name = "/x" }, "7 a) b (working directory /x)|" },
  { "a root", { .kind = S4_BUSY_ROOT, .pid = 7, .comm = "load", .name = "/x" }, "7 load (root /x)|" },
  { "a program", { .kind = S4_BUSY_EXE, .pid = 7, .comm = "load", .name = "/x" }, "7 load (program /x)|" },
  { "a mapped file", { .kind = S4_BUSY_MAP, .pid = 7, .comm = "load", .name = "/x" }, "7 load (mapped file /x)|" },
  { "a dm device", { .kind = S4_BUSY_DM, .name = "crypt (dm-0)" }, "dm device crypt (dm-0)|" },
  { "an md device of a partition", { .kind = S4_BUSY_MD, .part = "vda1", .name = "md0" }, "vda1: md device md0|" },
  { "the kernel", { .kind = S4_BUSY_KERNEL }, "the kernel, no process|" },
} ;

static void words (void)
{
  for (size_t i = 0 ; i < sizeof lines / sizeof *lines ; i++)
  {
    genalloc found = GENALLOC_ZERO ;
    genalloc_append(s4_busy, &found, &lines[i].busy) ;
    is_found(&found, lines[i].want, lines[i].what) ;
  }
}

static void long_names (void)
{
  genalloc found = GENALLOC_ZERO ;
  s4_busyplace const p = { .part = "a-partition-whose-name-is-too-long-to-be-kept" } ;
  char name[2 * S4_BUSY_NAME_MAX] ;
  s4_busy const *b ;
  memset(name, 'x', sizeof name - 1) ;
  name[sizeof name - 1] = 0 ;
  s4_busy_add(&found, &p, S4_BUSY_MD, name) ;
  b = genalloc_s(s4_busy, &found) ;
  ok(strlen(b->name) == sizeof b->name - 1 && strlen(b->part) == sizeof b->part - 1, "long names are cut") ;
}

int main (void)
{
  parse(TABLE, &ms) ;
  if (!s4_tree_make(&tree, &ms)) bail_out("no memory", "") ;
  mounts() ;
  targets() ;
  unknown_layers() ;
  elsewhere() ;
  swaps() ;
  loops() ;
  words() ;
  long_names() ;
  return done() ;
}
