/* ISC license. */

/* /proc/swaps; what swap lies on, and why it goes; what a memory limit is. */

#include "stage4.h"
#include "tap.h"

struct expected { char const *path ; uint64_t used ; unsigned int isfile ; } ;

static struct expected const normal[] =
{
  { "/dev/vda3", 0, 0 },
  { "/swapfile", 1024, 1 },
  { "/dev/dm-1", 18014398509481980u, 0 },
  { "/dev/zram0", 12, 0 },
  { "/var/lib/a swap\tfile", 0, 1 },
  { "/var/swap (deleted)", 8, 1 },
  { "/a/name/that/is/longer/than/the/forty/columns/it/is/padded/to", 0, 1 },
  { "/twice\\040", 0, 1 },
  { "/dev/\377", 1, 0 }
} ;

static struct expected const garbled[] = { { "/dev/good", 7, 0 } } ;

static void parse (stralloc const *in, stralloc *text, genalloc *swaps)
{
  stralloc_free(text) ;
  text_of(text, in->s, in->len) ;
  stralloc_shrink(text) ;
  if (!s4_swaps_parse(text, swaps)) bail_out("out of memory", "") ;
}

static int same (s4_swap const *sw, struct expected const *e)
{
  return !strcmp(sw->path, e->path) && sw->used == e->used && sw->isfile == e->isfile ;
}

static void compare (stralloc const *in, char const *name, struct expected const *e, size_t n)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc swaps = GENALLOC_ZERO ;
  s4_swap *sw ;
  parse(in, &text, &swaps) ;
  sw = genalloc_s(s4_swap, &swaps) ;
  is_number((int64_t)genalloc_len(s4_swap, &swaps), (int64_t)n, name) ;
  for (size_t i = 0 ; i < n && i < genalloc_len(s4_swap, &swaps) ; i++)
    if (!ok(same(sw + i, e + i), "%s: %s", name, e[i].path))
      note("got \"%s\" used %" PRIu64 "%s", sw[i].path, sw[i].used, sw[i].isfile ? " file" : "") ;
  stralloc_free(&text) ;
  genalloc_free(s4_swap, &swaps) ;
}

static void torn (stralloc const *in)
{
  int good = 1 ;
  for (size_t len = 0 ; len <= in->len && good ; len++)
  {
    stralloc part = { .s = in->s, .len = len }, text = STRALLOC_ZERO ;
    genalloc swaps = GENALLOC_ZERO ;
    size_t lines = 0 ;
    for (size_t i = 0 ; i < len ; i++) lines += in->s[i] == '\n' ;
    if (lines) lines-- ;
    parse(&part, &text, &swaps) ;
    good = genalloc_len(s4_swap, &swaps) == lines || genalloc_len(s4_swap, &swaps) == lines + 1 ;
    for (size_t i = 0 ; i < lines && good ; i++) good = same(genalloc_s(s4_swap, &swaps) + i, normal + i) ;
    if (!good) note("after %zu bytes", len) ;
    stralloc_free(&text) ;
    genalloc_free(s4_swap, &swaps) ;
  }
  ok(good, "torn at every byte: the whole lines are right") ;
}

static struct { char const *path, *name ; } const deleted[] =
{
  { "/dev/x (deleted)", "/dev/x" }, { "/a (deleted) (deleted)", "/a (deleted)" }, { "/dev/x", 0 }, { "/dev/x(deleted)", 0 },
  { "/dev/x (deleted) ", 0 }, { "/(deleted)", 0 }, { " (deleted)", 0 }, { "", 0 }, { "x (deleted)", "x" }
} ;

static void undeleted (void)
{
  stralloc name = STRALLOC_ZERO ;
  for (size_t i = 0 ; i < sizeof deleted / sizeof *deleted ; i++)
    is_string(s4_undeleted(deleted[i].path, &name) ? name.s : 0, deleted[i].name, deleted[i].path) ;
  stralloc_free(&name) ;
}

static struct kind
{
  char const *name ;
  struct { char const *name, *text ; } files[3] ;   /* of the device, in sysfs */
  enum s4_swapkind_e kind ;
  int pins ;
  char const *reason ;
} const kinds[] =
{
  { "a partition", { { "/partition", "3" }, { "/size", "1000" } }, S4_SWAP_PARTITION, 0, "a partition pins nothing" },
  { "nothing is known", { { 0, 0 } }, S4_SWAP_PARTITION, 0, "a partition pins nothing" },
  { "dm", { { "/dm/name", "swap" }, { "/size", "1000" } }, S4_SWAP_DM, 1, "keeps a device-mapper device busy" },
  { "loop", { { "/loop/backing_file", "/x" } }, S4_SWAP_LOOP, 1, "keeps a loop device busy" },
  { "a partition in a loop device", { { "/partition", "1" }, { "/../loop/backing_file", "/x" } }, S4_SWAP_LOOP, 1, "keeps a loop device busy" },
  { "md", { { "/md/array_state", "clean" } }, S4_SWAP_MD, 1, "keeps a RAID array busy" },
  { "a partition of md", { { "/partition", "1" }, { "/../md/array_state", "clean" } }, S4_SWAP_MD, 1, "keeps a RAID array busy" },
  { "zram", { { "/disksize", "1" }, { "/backing_dev", "none" } }, S4_SWAP_ZRAM, 0, "zram pins nothing" },
  { "zram without writeback", { { "/disksize", "1" } }, S4_SWAP_ZRAM, 0, "zram pins nothing" },
  { "zram with a backing device", { { "/disksize", "1" }, { "/backing_dev", "/dev/sda3" } }, S4_SWAP_ZRAM_BACKED, 1, "zram with a backing device" }
} ;

static int read_file (char const *file, stralloc *text, void *data)
{
  struct kind const *k = data ;
  for (size_t i = 0 ; i < 3 ; i++) if (k->files[i].name && !strcmp(k->files[i].name, file))
  {
    text_of(text, k->files[i].text, strlen(k->files[i].text) + 1) ;
    return 1 ;
  }
  return 0 ;
}

static void kinds_of_swap (void)
{
  stralloc text = STRALLOC_ZERO ;
  for (size_t i = 0 ; i < sizeof kinds / sizeof *kinds ; i++)
  {
    enum s4_swapkind_e const kind = s4_swapkind_of_device(&read_file, &text, (void *)(kinds + i)) ;
    is_number(kind, kinds[i].kind, kinds[i].name) ;
    is_number(s4_swapkind_pins(kind), kinds[i].pins, "whether it goes") ;
    is_string(s4_swapkind_reason(kind), kinds[i].reason, "why") ;
  }
  ok(s4_swapkind_pins(S4_SWAP_FILE), "a file goes") ;
  is_string(s4_swapkind_reason(S4_SWAP_FILE), "a file keeps its file system busy", "why") ;
  ok(s4_swapkind_pins(S4_SWAP_UNKNOWN), "what can't be looked at goes") ;
  is_string(s4_swapkind_reason(S4_SWAP_UNKNOWN), "can't be looked at", "why") ;
  stralloc_free(&text) ;
}

static struct { char const *text ; int limit ; } const limits[] =
{
  { "2097152\n", 1 }, { "0\n", 1 }, { "2097152", 1 }, { "999999999999999999\n", 1 }, { "9223372036854771712\n", 0 },
  { "9223372036854710272\n", 0 }, { "18446744073709551615\n", 0 }, { "max\n", 0 }, { "", 0 }, { "\n", 0 }, { "-1\n", 0 }
} ;

static void memory_limits (void)
{
  for (size_t i = 0 ; i < sizeof limits / sizeof *limits ; i++)
    ok(s4_is_memory_limit(limits[i].text) == limits[i].limit, "%s limit: %.20s", limits[i].limit ? "a" : "no", limits[i].text) ;
}

int main (void)
{
  static char const one[] = "Filename Type Size Used Priority\n/dev/x partition 1 2 3" ;
  static struct expected const x = { "/dev/x", 2, 0 } ;
  stralloc in = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  genalloc swaps = GENALLOC_ZERO ;
  fixture(&in, "normal.swaps") ;
  compare(&in, "normal.swaps", normal, sizeof normal / sizeof *normal) ;
  torn(&in) ;
  fixture(&in, "garbled.swaps") ;
  compare(&in, "garbled.swaps", garbled, 1) ;
  fixture(&in, "heading.swaps") ;
  compare(&in, "only the heading", 0, 0) ;
  fixture(&in, "empty") ;
  compare(&in, "empty", 0, 0) ;
  text_of(&in, one, sizeof one - 1) ;
  compare(&in, "single spaces, no newline at the end", &x, 1) ;
  fixture(&in, "normal.swaps") ;
  parse(&in, &text, &swaps) ;
  fixture(&in, "garbled.swaps") ;
  parse(&in, &text, &swaps) ;
  is_number((int64_t)genalloc_len(s4_swap, &swaps), 1, "what was there before is replaced") ;
  ok(s4_swaps_load(&text, &swaps), "this machine's") ;
  undeleted() ;
  kinds_of_swap() ;
  memory_limits() ;
  return done() ;
}
