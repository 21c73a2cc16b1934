/* ISC license. */

/* The manifest of a ramfs: what is written is read, and what is torn is refused. */

#include "stage4.h"
#include "tap.h"

static int parse (char const *s, size_t len, stralloc *text, genalloc *entries)
{
  stralloc_free(text) ;
  text_of(text, s, len) ;
  stralloc_shrink(text) ;
  errno = 0 ;
  return s4_manifest_parse(text, entries) ;
}

static int same (s4_entry const *a, s4_entry const *b)
{
  return a->type == b->type && a->mode == b->mode && a->size == b->size && a->mtime == b->mtime && !strcmp(a->dst, b->dst) && !strcmp(a->src, b->src) ;
}

static char all[256] ;   /* a name of all bytes but NUL; a slash in it is as good as anywhere */

static void refused_when_torn (char const *s, size_t len, char const *name)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc entries = GENALLOC_ZERO ;
  int good = 1 ;
  for (size_t n = 0 ; n < len ; n++)
    if (parse(s, n, &text, &entries) || errno != EINVAL)
    {
      if (good) note("accepted, or not EINVAL, after %zu of %zu bytes", n, len) ;
      good = 0 ;
    }
  ok(good, "%s: torn at any byte it is refused", name) ;
  stralloc_free(&text) ;
  genalloc_free(s4_entry, &entries) ;
}

static void round_trip (s4_entry const *e, size_t n, char const *name)
{
  stralloc sa = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  genalloc entries = GENALLOC_ZERO ;
  int good = 1 ;
  size_t lines = 0 ;
  for (size_t i = 0 ; i < n ; i++) good = good && s4_manifest_add(&sa, e + i) ;
  good = good && s4_manifest_end(&sa, n) ;
  ok(good, "%s: written", name) ;
  for (size_t i = 0 ; i < sa.len ; i++) lines += sa.s[i] == '\n' ;
  is_number((int64_t)lines, (int64_t)n + 1, name) ;
  if (!ok(parse(sa.s, sa.len, &text, &entries) && genalloc_len(s4_entry, &entries) == n, "%s: read", name)) return ;
  for (size_t i = 0 ; i < n ; i++) good = good && same(genalloc_s(s4_entry, &entries) + i, e + i) ;
  ok(good, "%s: the same", name) ;
  if (sa.len < 5000) refused_when_torn(sa.s, sa.len, name) ;
  stralloc_free(&sa) ;
  stralloc_free(&text) ;
  genalloc_free(s4_entry, &entries) ;
}

static void round_trips (void)
{
  s4_entry const odd[] =
  {
    { .type = 'd', .mode = 040755, .size = 0, .mtime = 0, .dst = "a", .src = "" },
    { .type = 'f', .mode = 0104755, .size = UINT64_MAX, .mtime = UINT64_MAX, .dst = "usr/bin/prog", .src = "/usr/bin/prog" },
    { .type = 'l', .mode = 0120777, .size = 1, .mtime = 1, .dst = "link", .src = "../with space\nand newline\\and \\040" },
    { .type = 'f', .mode = 0100000, .size = 2, .mtime = 3, .dst = all, .src = all },
    { .type = 'f', .mode = 0, .size = 0, .mtime = 0, .dst = " ", .src = " " },
    { .type = 'f', .mode = 07777, .size = 0, .mtime = 0, .dst = "end", .src = "end 1\nend 1\n" },
    { .type = 'f', .mode = 07777, .size = 0, .mtime = 0, .dst = "\177\200\377", .src = "#\t" }
  } ;
  size_t const many = 20000 ;
  s4_entry *e = malloc(many * sizeof(s4_entry)) ;
  if (!e) bail_out("out of memory", "") ;
  round_trip(odd, 0, "no entries") ;
  round_trip(odd, 1, "one entry") ;
  round_trip(odd, sizeof odd / sizeof *odd, "odd entries") ;
  for (size_t i = 0 ; i < many ; i++) e[i] = odd[i % (sizeof odd / sizeof *odd)] ;
  round_trip(e, many, "many entries") ;
  free(e) ;
  for (size_t i = 0 ; i + 1 < sizeof all ; i++)
  {
    char const name[2] = { all[i], 0 } ;
    s4_entry const one = { .type = 'f', .mode = 0100644, .size = 1, .mtime = 2, .dst = name, .src = name } ;
    stralloc sa = STRALLOC_ZERO, text = STRALLOC_ZERO ;
    genalloc entries = GENALLOC_ZERO ;
    int r ;
    if (!s4_manifest_add(&sa, &one) || !s4_manifest_end(&sa, 1)) bail_out("out of memory", "") ;
    r = parse(sa.s, sa.len, &text, &entries) ;
    if (*name == '/') ok(!r, "a name that begins with a slash is refused") ;
    else if (!r || !same(genalloc_s(s4_entry, &entries), &one)) ok(0, "the name of one byte, %u", (unsigned char)*name) ;
    stralloc_free(&sa) ;
    stralloc_free(&text) ;
    genalloc_free(s4_entry, &entries) ;
  }
}

#define D "d 40755 0 0 a \n"
#define F "f 100755 14312 1700000000 usr/bin/prog /usr/bin/prog\n"

static char const *const bad[] =
{
  "\n", "end", "end\n", "end \n", "end x\n", "end -1\n", "end 0 \n", "end 0x\n", " end 0\n", "END 0\n", "end 00000000000000000000000000001\n",
  D, F D, D "end 0\n", D "end 2\n", D "end 18446744073709551617\n", D D "end 1\n", "end 1\n", "end 1\n" D, D "end 1", D "end 1\n\n", D "end 1\nend 1\n",
  D "end 1\n" D, D "\nend 1\n", D "\nend 2\n", "x 40755 0 0 a \nend 1\n", "dd 40755 0 0 a \nend 1\n", " 40755 0 0 a \nend 1\n", "d  40755 0 0 a \nend 1\n",
  "d 40758 0 0 a \nend 1\n", "d x 0 0 a \nend 1\n", "d 40755 -1 0 a \nend 1\n", "d 40755 0x1 0 a \nend 1\n", "d 40755 0 0\nend 1\n", "d 40755 0 0 \nend 1\n",
  "d 40755 0 0  \nend 1\n", "d 40755 0 0 a\nend 1\n", "d 40755 0 0 /a \nend 1\n", "d 40755 0 0 \\057a \nend 1\n", "d 40755 0 0 \\000a \nend 1\n",
  "d 40755 0 0 a b c\nend 1\n", "d 40755 0 0 a  \nend 1\n", "d 40755 18446744073709551616 0 a \nend 1\n", "f 100755 1 99999999999999999999999 a b\nend 1\n",
  "d\t40755\t0\t0\ta\t\nend 1\n", "#!/bin/sh\nexit 0\n", "end 0\r\n"
} ;

static char const *const good[] = { "end 0\n", D "end 1\n", F "end 1\n", D F "end 2\n", D D "end 2\n" } ;

int main (void)
{
  static char zeroed[] = F D "end 2\n" ;
  stralloc text = STRALLOC_ZERO, in = STRALLOC_ZERO ;
  genalloc entries = GENALLOC_ZERO ;
  all[0] = 1 ;
  for (unsigned int i = 0 ; i < 255 ; i++) all[i] = (char)(i + 1) ;
  fixture(&in, "good.manifest") ;
  if (ok(parse(in.s, in.len, &text, &entries) && genalloc_len(s4_entry, &entries) == 5, "good.manifest"))
  {
    static s4_entry const last = { .type = 'f', .mode = 0100644, .size = 0, .mtime = 1, .dst = "a b", .src = "/src/a b\nc\\" } ;
    ok(same(genalloc_s(s4_entry, &entries) + 4, &last), "its last entry") ;
  }
  refused_when_torn(in.s, in.len, "good.manifest") ;
  for (size_t i = 0 ; i < sizeof good / sizeof *good ; i++) ok(parse(good[i], strlen(good[i]), &text, &entries), "accepted: \"%s\"", good[i]) ;
  for (size_t i = 0 ; i < sizeof bad / sizeof *bad ; i++)
    ok(!parse(bad[i], strlen(bad[i]), &text, &entries) && errno == EINVAL, "refused: \"%s\"", bad[i]) ;
  round_trips() ;
   /* blocks that were never written are zeros */
  memset(zeroed + sizeof F - 8, 0, 4) ;
  ok(!parse(zeroed, sizeof zeroed - 1, &text, &entries) && errno == EINVAL, "zeros in a line") ;
  memcpy(zeroed, F, sizeof F - 1) ;
  memset(zeroed + sizeof zeroed - 3, 0, 1) ;
  ok(!parse(zeroed, sizeof zeroed - 1, &text, &entries) && errno == EINVAL, "a zero in the last line") ;
  return done() ;
}
