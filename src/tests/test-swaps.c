/* ISC license. */

/* /proc/swaps. */

#include "stage4.h"
#include "tap.h"

struct expected { char const *path ; uint64_t size, used ; unsigned int isfile ; } ;

static struct expected const normal[] =
{
  { "/dev/vda3", 1003516, 0, 0 },
  { "/swapfile", 524284, 1024, 1 },
  { "/dev/dm-1", 2097148, 18014398509481980u, 0 },
  { "/dev/zram0", 4194300, 12, 0 },
  { "/var/lib/a swap\tfile", 1020, 0, 1 },
  { "/var/swap (deleted)", 2044, 8, 1 },
  { "/a/name/that/is/longer/than/the/forty/columns/it/is/padded/to", 4092, 0, 1 },
  { "/twice\\040", 4092, 0, 1 },
  { "/dev/\377", 1, 1, 0 }
} ;

static struct expected const garbled[] = { { "/dev/good", 100, 7, 0 } } ;

static void parse (stralloc const *in, stralloc *text, genalloc *swaps)
{
  stralloc_free(text) ;
  text_of(text, in->s, in->len) ;
  stralloc_shrink(text) ;
  if (!s4_swaps_parse(text, swaps)) bail_out("out of memory", "") ;
}

static int same (s4_swap const *sw, struct expected const *e)
{
  return !strcmp(sw->path, e->path) && sw->size == e->size && sw->used == e->used && sw->isfile == e->isfile ;
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
      note("got \"%s\" size %" PRIu64 " used %" PRIu64 "%s", sw[i].path, sw[i].size, sw[i].used, sw[i].isfile ? " file" : "") ;
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

int main (void)
{
  static char const one[] = "Filename Type Size Used Priority\n/dev/x partition 1 2 3" ;
  static struct expected const x = { "/dev/x", 1, 2, 0 } ;
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
  ok(s4_swaps_load(&text, &swaps) || errno == ENOENT, "this machine's") ;
  return done() ;
}
