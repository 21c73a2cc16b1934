/* ISC license. */

/* What stage4-runonce does with a file; lines of sha256sum; names and contents of stamps. */

#include "stage4.h"
#include "tap.h"

#define H "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define H_UPPER "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"

 /* --- lines --- */

static struct { char const *line, *name ; } const lines[] =
{
  { H "  a", "a" }, { H " *a", "a" }, { H_UPPER "  a", "a" }, { H "   a", " a" }, { H "  *a", "*a" }, { H "  a\\nb", "a\\nb" }, { H "  /x/a b ", "/x/a b " },
  { "\\" H "  a\\nb", "a\nb" }, { "\\" H "  \\\\", "\\" }, { "\\" H " *\\r\\n\\\\n", "\r\n\\n" }, { "\\" H "  plain", "plain" }, { H "  \377\001", "\377\001" },
  { "", 0 }, { H, 0 }, { H " ", 0 }, { H "  ", 0 }, { H " *", 0 }, { H " a", 0 }, { H "a  a", 0 }, { " " H "  a", 0 }, { "\\\\" H "  a", 0 }, { "\\", 0 },
  { "\\" H "  a\\", 0 }, { "\\" H "  a\\t", 0 }, { "\\" H "  \\012", 0 }, { "e3b0  a", 0 }, { "g" H "  a", 0 }, { "SHA256 (a) = " H, 0 }, { H "\t a", 0 }, { H " \ta", 0 },
  { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g  a", 0 }, { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85  a", 0 }
} ;

static void check_lines (void)
{
  for (size_t i = 0 ; i < sizeof lines / sizeof *lines ; i++)
  {
    char line[256] ;
    s4_sum sum ;
    int r ;
    strcpy(line, lines[i].line) ;
    r = s4_sum_scan(line, &sum) ;
    if (!lines[i].name) ok(!r, "refused: \"%s\"", lines[i].line) ;
    else if (ok(r, "read: \"%s\"", lines[i].line))
    {
      is_string(sum.name, lines[i].name, "its name") ;
      ok(sum.hash[0] == 0xe3 && sum.hash[1] == 0xb0 && sum.hash[31] == 0x55, "its hash") ;
    }
  }
}

static void check_same (void)
{
  s4_sum const a = { .name = "a", .hash = { 1 } }, b = { .name = "b", .hash = { 1 } }, other = { .name = "a", .hash = { 1, 1 } } ;
  s4_sum const again = { .name = (char []){ "a" }, .hash = { 1 } } ;
  ok(s4_sum_is(&a, &again), "the same sum") ;
  ok(!s4_sum_is(&a, &b), "another name") ;
  ok(!s4_sum_is(&a, &other), "another hash") ;
}

static void check_list (char const *s, size_t len, size_t n, size_t bad)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc sums = GENALLOC_ZERO ;
  size_t got ;
  int r ;
  text_of(&text, s, len) ;
  stralloc_shrink(&text) ;
  errno = 0 ;
  r = s4_sums_parse(&text, &sums, &got) ;
  ok(r == !bad && got == bad && (r || errno == EINVAL), "a list is %s: \"%s\"", bad ? "refused" : "read", s) ;
  if (r) is_number((int64_t)genalloc_len(s4_sum, &sums), (int64_t)n, "as many sums") ;
  genalloc_free(s4_sum, &sums) ;
  stralloc_free(&text) ;
}

#define LIST(s, n, bad) check_list(s, sizeof s - 1, n, bad)

static void check_lists (void)
{
  LIST("", 0, 0) ;
  LIST("\n\n# a comment\n", 0, 0) ;
  LIST(H "  a\n", 1, 0) ;
  LIST(H "  a", 1, 0) ;
  LIST("# x\n" H "  a\n\n" H " *b\n\\" H "  c\\n\n", 3, 0) ;
  LIST(H "  a\nx\n" H "  b\n", 0, 2) ;
  LIST(" # x\n", 0, 1) ;
  LIST("\n\n" H "  \n", 0, 3) ;
  LIST(H "  a\n" H "  a\0b\n", 0, 2) ;
  LIST("\0", 0, 1) ;
  LIST("#\0\n", 0, 1) ;
}

 /* --- stamps --- */

static void check_stamp (char const *name)
{
  stralloc sa = STRALLOC_ZERO, copy = STRALLOC_ZERO ;
  s4_sum const sum = { .name = name, .hash = { 1, 2, 3, 255 } } ;
  s4_sum got ;
  char file[2 * S4_HASH_SIZE + 1] ;
  int torn = 0 ;
  if (!s4_sum_cat(&sa, &sum)) bail_out("out of memory", "") ;
  s4_stamp_fmt(file, sa.s, sa.len) ;
  is_number(s4_stamp_scan(file), S4_STAMP_WHOLE, "the name of a stamp is one") ;
  text_of(&copy, sa.s, sa.len) ;
  ok(s4_stamp_parse(file, &copy, &got) && !strcmp(got.name, name) && !memcmp(got.hash, sum.hash, sizeof sum.hash), "a stamp is read as it was written: \"%s\"", name) ;
  for (size_t n = 0 ; n < sa.len ; n++)
  {
    text_of(&copy, sa.s, n) ;
    if (s4_stamp_parse(file, &copy, &got)) torn++ ;
    text_of(&copy, sa.s, sa.len) ;
    copy.s[n] ^= 1 ;
    if (s4_stamp_parse(file, &copy, &got)) torn++ ;
  }
  text_of(&copy, sa.s, sa.len) ;
  if (!stralloc_append(&copy, 0) || s4_stamp_parse(file, &copy, &got)) torn++ ;
  is_number(torn, 0, "torn anywhere, or with any byte changed, it is none") ;
}

static void not_a_stamp (char const *content, size_t len, char const *why)
{
  stralloc sa = STRALLOC_ZERO ;
  char file[2 * S4_HASH_SIZE + 1] ;
  s4_sum got ;
  text_of(&sa, content, len) ;
  s4_stamp_fmt(file, sa.s, sa.len) ;
  ok(!s4_stamp_parse(file, &sa, &got), "no stamp, though it has the right name: %s", why) ;
}

#define NO_STAMP(content, why) not_a_stamp(content, sizeof content - 1, why)

static void check_stamps (void)
{
  char all[256] ;
  char file[2 * S4_HASH_SIZE + 1] ;
  for (unsigned int i = 0 ; i < 255 ; i++) all[i] = (char)(i + 1 == '/' ? 'x' : i + 1) ;
  all[255] = 0 ;
  check_stamp("10-a") ;
  check_stamp(" ") ;
  check_stamp("\\\n\r*") ;
  check_stamp(all) ;
  s4_stamp_fmt(file, "", 0) ;
  is_string(file, H, "SHA-256 of nothing") ;
  is_number(s4_stamp_scan(H), S4_STAMP_WHOLE, "a stamp") ;
  is_number(s4_stamp_scan(H ".new"), S4_STAMP_UNFINISHED, "a stamp that is not in place") ;
  is_number(s4_stamp_scan(H ".old"), S4_STAMP_NONE, "another suffix") ;
  is_number(s4_stamp_scan(H "."), S4_STAMP_NONE, "a point") ;
  is_number(s4_stamp_scan(H "0"), S4_STAMP_NONE, "a digit more") ;
  is_number(s4_stamp_scan(&H[1]), S4_STAMP_NONE, "a digit less") ;
  is_number(s4_stamp_scan(H_UPPER), S4_STAMP_NONE, "upper case") ;
  is_number(s4_stamp_scan(""), S4_STAMP_NONE, "nothing") ;
  is_number(s4_stamp_scan("README"), S4_STAMP_NONE, "README") ;
  NO_STAMP("", "empty") ;
  NO_STAMP("\n", "no line") ;
  NO_STAMP(H "  a", "no newline") ;
  NO_STAMP(H "  a\nb\n", "two lines") ;
  NO_STAMP(H "  a\0\n", "a zero") ;
  NO_STAMP(H "  /a\n", "a path") ;
  NO_STAMP("# a\n", "a comment") ;
}

 /* --- what is done --- */

#define FIRST 1
#define SECOND 2

static s4_once script (char const *name, enum s4_hookfile_e verdict, int err, uint8_t content)
{
  s4_once o = { .sum = { .name = name }, .path = name, .verdict = verdict, .err = err } ;
  memset(o.sum.hash, err ? 0 : content, sizeof o.sum.hash) ;
  return o ;
}

static void add_sum (genalloc *sums, char const *name, uint8_t content)
{
  s4_sum sum = { .name = name } ;
  memset(sum.hash, content, sizeof sum.hash) ;
  if (!genalloc_append(s4_sum, sums, &sum)) bail_out("out of memory", "") ;
}

static void add_stamp (genalloc *stamps, char const *name, uint8_t content, int64_t when)
{
  s4_stamp st = { .sum = { .name = name }, .when = when } ;
  memset(st.sum.hash, content, sizeof st.sum.hash) ;
  if (!genalloc_append(s4_stamp, stamps, &st)) bail_out("out of memory", "") ;
}

static struct
{
  char const *what ;
  enum s4_hookfile_e verdict ;
  int err ;
  int stamped, listed ;   /* with which content, 0: not at all; -1: there is no list */
  enum s4_once_e plan ;
} const plans[] =
{
  { "new", S4_HOOK_RUNS, 0, 0, -1, S4_ONCE_RUN },
  { "done", S4_HOOK_RUNS, 0, FIRST, -1, S4_ONCE_DONE },
  { "done with another content", S4_HOOK_RUNS, 0, SECOND, -1, S4_ONCE_RUN },
  { "new and allowed", S4_HOOK_RUNS, 0, 0, FIRST, S4_ONCE_RUN },
  { "new and not allowed", S4_HOOK_RUNS, 0, 0, 0, S4_ONCE_NOT_ALLOWED },
  { "new and allowed with another content", S4_HOOK_RUNS, 0, 0, SECOND, S4_ONCE_NOT_ALLOWED },
  { "done and not allowed", S4_HOOK_RUNS, 0, FIRST, 0, S4_ONCE_DONE },
  { "masked", S4_HOOK_MASKS, 0, 0, -1, S4_ONCE_MASKED },
  { "masked, and a device can't be read", S4_HOOK_MASKS, EINVAL, 0, 0, S4_ONCE_MASKED },
  { "unsafe", S4_HOOK_UNSAFE, 0, 0, -1, S4_ONCE_UNSAFE },
  { "unsafe and allowed", S4_HOOK_UNSAFE, 0, 0, FIRST, S4_ONCE_UNSAFE },
  { "unsafe and done", S4_HOOK_UNSAFE, 0, FIRST, -1, S4_ONCE_DONE },
  { "not executable", S4_HOOK_NOT_EXECUTABLE, 0, 0, -1, S4_ONCE_NOT_EXECUTABLE },
  { "not executable and done", S4_HOOK_NOT_EXECUTABLE, 0, FIRST, -1, S4_ONCE_DONE },
  { "a directory", S4_HOOK_NOT_EXECUTABLE, EINVAL, 0, -1, S4_ONCE_NOT_EXECUTABLE },
  { "can't be read", S4_HOOK_RUNS, EIO, 0, -1, S4_ONCE_UNREADABLE },
  { "can't be read, and its hash is not that of the stamp", S4_HOOK_RUNS, EIO, FIRST, FIRST, S4_ONCE_UNREADABLE },
  { "vanished", S4_HOOK_RUNS, ENOENT, 0, -1, S4_ONCE_GONE },
  { "vanished, not allowed", S4_HOOK_UNSAFE, ENOENT, 0, 0, S4_ONCE_GONE }
} ;

static void check_plans (void)
{
  for (size_t i = 0 ; i < sizeof plans / sizeof *plans ; i++)
  {
    genalloc stamps = GENALLOC_ZERO, allowed = GENALLOC_ZERO ;
    s4_once o = script("a", plans[i].verdict, plans[i].err, FIRST) ;
    size_t left ;
    add_stamp(&stamps, "b", FIRST, 0) ;
    add_sum(&allowed, "b", FIRST) ;
    add_sum(&allowed, "/x/aa", FIRST) ;
    if (plans[i].stamped) add_stamp(&stamps, "a", (uint8_t)plans[i].stamped, 0) ;
    if (plans[i].listed > 0) add_sum(&allowed, i % 2 ? "a" : "./x/a", (uint8_t)plans[i].listed) ;
    left = s4_once_plan(&o, 1, &stamps, plans[i].listed < 0 ? 0 : &allowed, 1) ;
    is_number(o.plan, plans[i].plan, plans[i].what) ;
    ok(left == (size_t)s4_once_left(plans[i].plan), "%s: it is counted if something is left", plans[i].what) ;
    ok(*s4_once_reason(o.plan), "%s: there are words for it", plans[i].what) ;
  }
}

static void check_stop (void)
{
  s4_once o[] =
  {
    script("1", S4_HOOK_RUNS, 0, FIRST), script("2", S4_HOOK_UNSAFE, 0, FIRST), script("3", S4_HOOK_RUNS, 0, FIRST),
    script("4", S4_HOOK_RUNS, 0, FIRST), script("5", S4_HOOK_RUNS, EIO, FIRST)
  } ;
  genalloc stamps = GENALLOC_ZERO ;
  add_stamp(&stamps, "3", FIRST, 0) ;
  is_number((int64_t)s4_once_plan(o, 5, &stamps, 0, 1), 4, "stop: how many are left") ;
  is_number(o[0].plan, S4_ONCE_RUN, "stop: before it") ;
  is_number(o[1].plan, S4_ONCE_UNSAFE, "stop: the refused one") ;
  is_number(o[2].plan, S4_ONCE_DONE, "stop: what is done is done") ;
  is_number(o[3].plan, S4_ONCE_BEHIND, "stop: behind it") ;
  is_number(o[4].plan, S4_ONCE_UNREADABLE, "stop: the next refused one") ;
  is_number((int64_t)s4_once_plan(o, 5, &stamps, 0, 0), 4, "continue: how many are left") ;
  is_number(o[3].plan, S4_ONCE_RUN, "continue: behind it") ;
  is_number((int64_t)s4_once_plan(o, 0, &stamps, 0, 1), 0, "nothing") ;
}

static void strangers (char const *what, s4_once const *o, size_t n, int single, genalloc *stamps, char const *want)
{
  char got[64] ;
  size_t const m = genalloc_len(s4_stamp, stamps) ;
  s4_strangers_find(stamps, o, n, single) ;
  for (size_t i = 0 ; i < m ; i++)
  {
    s4_stamp const *st = genalloc_s(s4_stamp, stamps) + i ;
    got[2*i] = st->known == S4_KNOWN ? 'k' : st->known == S4_KNOWN_NAME ? 'n' : '-' ;
    got[2*i + 1] = st->later ? '!' : '.' ;
  }
  got[2*m] = 0 ;
  is_string(got, want, what) ;
}

static void check_strangers (void)
{
  s4_once o[] = { script("1", S4_HOOK_RUNS, 0, FIRST), script("2", S4_HOOK_RUNS, 0, FIRST), script("3", S4_HOOK_MASKS, EINVAL, FIRST) } ;
  genalloc stamps = GENALLOC_ZERO ;
  strangers("no stamps", o, 3, 0, &stamps, "") ;
  add_stamp(&stamps, "1", FIRST, -5) ;
  strangers("one that is known", o, 3, 0, &stamps, "k.") ;
  add_stamp(&stamps, "1", SECOND, -7) ;
  add_stamp(&stamps, "0", FIRST, -6) ;
  strangers("earlier ones of other versions", o, 3, 0, &stamps, "k.n.-.") ;
  add_stamp(&stamps, "1", 3, -5) ;
  strangers("at the same time", o, 3, 0, &stamps, "k.n.-.n.") ;
  add_stamp(&stamps, "2", 3, -4) ;
  add_stamp(&stamps, "4", 3, -3) ;
  strangers("later ones", o, 3, 0, &stamps, "k.n.-.n.n!-!") ;
  add_stamp(&stamps, "3", 3, 9) ;
  strangers("one of a masked name is known", o, 3, 0, &stamps, "k.n.-.n.n.-.k.") ;
  strangers("one file only: records of other names are no strangers", o, 1, 1, &stamps, "k.n.k.n.k.k.k.") ;
  strangers("nothing is here", o, 0, 0, &stamps, "-!-!-!-!-!-!-!") ;
}

int main (void)
{
  check_lines() ;
  check_same() ;
  check_lists() ;
  check_stamps() ;
  check_plans() ;
  check_stop() ;
  check_strangers() ;
  return done() ;
}
