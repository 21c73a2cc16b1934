/* ISC license. */

/* Report lines: one newline, no control characters, below 900 bytes, whatever the words are. */

#include "stage4.h"
#include "tap.h"

#define GUARD 64

static char buf[GUARD + S4_LINE_MAX + GUARD] ;
static char *const line = buf + GUARD ;
static size_t len ;

static void make (char const *const *s, size_t n, size_t clean)
{
  memset(buf, '~', sizeof buf) ;
  len = s4_line(line, s, n, clean) ;
}

static int guards_hold (void)
{
  for (size_t i = 0 ; i < GUARD ; i++) if (buf[i] != '~' || buf[GUARD + S4_LINE_MAX + i] != '~') return 0 ;
  return 1 ;
}

static int is_octal (char const *s)
{
  return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7' ;
}

 /* What holds for every line. */

static char const *wrong_with_line (void)
{
  if (!guards_hold()) return "writes beyond its buffer" ;
  if (!len || len > S4_LINE_MAX) return "too long" ;
  if (line[len-1] != '\n') return "no newline at the end" ;
  for (size_t i = 0 ; i + 1 < len ; i++)
  {
    unsigned char c = (unsigned char)line[i] ;
    if (c < 32 || c == 127) return "control characters" ;
    if (c == '\\' && (i + 4 >= len || !is_octal(line + i + 1))) return "a backslash that escapes nothing" ;
  }
  return 0 ;
}

 /* Says nothing less than the words do, except with a mark. */

static int has_all_or_a_mark (char const *const *s, size_t n)
{
  stralloc all = STRALLOC_ZERO ;
  char copy[S4_LINE_MAX] ;
  size_t m ;
  int good ;
  for (size_t i = 0 ; i + 3 <= len ; i++) if (!memcmp(line + i, "...", 3)) return 1 ;
  for (size_t i = 0 ; i < n ; i++) if (s[i] && !stralloc_cats(&all, s[i])) return 0 ;
  memcpy(copy, line, len - 1) ;
  m = s4_unoctal(copy, len - 1) ;
  good = m == all.len && (!m || !memcmp(copy, all.s, m)) ;
  stralloc_free(&all) ;
  return good ;
}

static void check (char const *const *s, size_t n, size_t clean, char const *name)
{
  char const *wrong ;
  make(s, n, clean) ;
  wrong = wrong_with_line() ;
  ok(!wrong, "%s: %s", name, wrong ? wrong : "a fine line") ;
  ok(has_all_or_a_mark(s, n), "%s: nothing is lost without a mark", name) ;
}

static char *repeated (char c, size_t n)
{
  char *s = malloc(n + 1) ;
  if (!s) bail_out("out of memory", "") ;
  memset(s, c, n) ;
  s[n] = 0 ;
  return s ;
}

#define WORDS(...) S4_STRINGS(__VA_ARGS__)

static void exactly (char const *const *s, size_t n, char const *want)
{
  check(s, n, 0, want) ;
  is_bytes(line, len, want, strlen(want), want) ;
}

static void exact_lines (void)
{
  exactly(0, 0, "\n") ;
  exactly(WORDS("a"), "a\n") ;
  exactly(WORDS("stage4-x", ": info: ", "/mnt", " is busy"), "stage4-x: info: /mnt is busy\n") ;
  exactly(WORDS("a", 0, "", "b", 0), "ab\n") ;
  exactly(WORDS(0, 0), "\n") ;
  exactly(WORDS("a\nb"), "a\\012b\n") ;
  exactly(WORDS("\n"), "\\012\n") ;
  exactly(WORDS("\n\n", "\n"), "\\012\\012\\012\n") ;
  exactly(WORDS("a\tb\rc"), "a\\011b\\015c\n") ;
  exactly(WORDS("\001\037\177 "), "\\001\\037\\177 \n") ;
  exactly(WORDS("\033[31mred"), "\\033[31mred\n") ;
  exactly(WORDS("a\\040b"), "a\\134040b\n") ;
  exactly(WORDS("\\"), "\\134\n") ;
  exactly(WORDS("caf\303\251 \377"), "caf\303\251 \377\n") ;   /* UTF-8 and what is none are left as they are */
}

static void long_words (void)
{
  char *w = repeated('x', 1000) ;
  char *dots ;
  memset(w, 'a', 50) ;
  memset(w + 950, 'z', 50) ;
  check(WORDS("before ", w, " behind"), 0, "a long word") ;
  line[len - 1] = 0 ;
  ok(!strncmp(line, "before aaaa", 11), "a long word has its beginning") ;
  ok(len > 20 && !strcmp(line + len - 1 - 11, "zzzz behind"), "a long word has its end, and what follows it can be read") ;
  dots = strstr(line, "...") ;
  ok(dots && !strstr(dots + 3, "..."), "its middle is dots, once") ;
  is_number((int64_t)len, 7 + 200 + 3 + 200 + 7 + 1, "200 bytes on each side of them") ;

  check(WORDS("stage4-x", w, " behind"), 2, "a long clean word") ;
  ok(len >= S4_LINE_MAX - 4, "a clean word is not shortened before it has to be") ;
  w = repeated('y', 400) ;
  check(WORDS(w), 0, "a word of 400") ;
  is_number((int64_t)len, 401, "is not shortened") ;
  w = repeated('y', 401) ;
  check(WORDS(w, "!"), 0, "a word of 401") ;
  is_number((int64_t)len, 200 + 3 + 200 + 1 + 1, "loses just what is too much") ;
  w = repeated('\\', 5000) ;
  check(WORDS(w, " behind"), 0, "thousands of backslashes") ;
  w = repeated('\n', 100000) ;
  check(WORDS("stage4-x: ", w, " behind"), 0, "a hundred thousand newlines") ;
  check(WORDS(w, w, w), 3, "clean newlines") ;
  w = repeated('w', 1000000) ;
  check(WORDS(w, w, w, w), 0, "four million bytes") ;
}

 /* Every length around the limit, ending in an ordinary word, an escaped one, or a long one. */

static void at_the_limit (void)
{
  static char const *const last[] = { "", "e", "\n", "ee", "e\n", "\n\n", "eeee", "eeeee" } ;
  char *w400 = repeated('l', 450) ;
  int good = 1, marked = 1 ;
  for (size_t n = 300 ; n <= 910 ; n++)
  {
    char *a = repeated('a', n / 3) ;
    char *b = repeated('b', n / 3) ;
    char *c = repeated('c', n - n / 3 * 2) ;
    for (size_t k = 0 ; k < sizeof last / sizeof *last ; k++)
      for (unsigned int longer = 0 ; longer < 2 ; longer++)
      {
        char const *const s[] = { a, b, c, longer ? w400 : 0, last[k], "end" } ;
        for (size_t words = 3 ; words <= 6 ; words++)
        {
          char const *wrong ;
          make(s, words, 0) ;
          wrong = wrong_with_line() ;
          if (wrong && good) note("%zu bytes, then %s, words %zu: %s", n, last[k], words, wrong) ;
          if (wrong) good = 0 ;
          if (marked && !has_all_or_a_mark(s, words))
          {
            note("%zu bytes, then \"%s\", %zu words: the line has %zu bytes", n, last[k], words, len) ;
            marked = 0 ;
          }
        }
      }
    free(a) ;
    free(b) ;
    free(c) ;
  }
  free(w400) ;
  ok(good, "fine lines at all lengths around the limit") ;
  ok(marked, "nothing is lost without a mark at all lengths around the limit") ;
  w400 = repeated('l', 300) ;
  check(WORDS(w400, w400, w400 + 5), 0, "895 bytes") ;
  is_number((int64_t)len, 896, "895 bytes have room") ;
}

static void many_words (void)
{
  static char const *s[20000] ;
  for (size_t i = 0 ; i < sizeof s / sizeof *s ; i++) s[i] = i % 3 ? "word " : i % 2 ? 0 : "\n" ;
  check(s, sizeof s / sizeof *s, 0, "twenty thousand words") ;
  check(s, sizeof s / sizeof *s, 20000, "twenty thousand clean words") ;
  for (size_t i = 0 ; i < sizeof s / sizeof *s ; i++) s[i] = i & 1 ? "" : 0 ;
  check(s, sizeof s / sizeof *s, 0, "twenty thousand empty words") ;
  is_number((int64_t)len, 1, "are an empty line") ;
}

static void random_words (void)
{
  static char store[12][1200] ;
  char const *s[12] ;
  int good = 1 ;
  for (unsigned int round = 0 ; round < 3000 && good ; round++)
  {
    size_t n = random_below(12) ;
    char const *wrong ;
    for (size_t i = 0 ; i < n ; i++)
    {
      size_t m = random_below(random_below(4) ? 100 : 1200) ;
      for (size_t k = 0 ; k < m ; k++) store[i][k] = (char)(1 + random_below(random_below(2) ? 255 : 40)) ;
      store[i][m] = 0 ;
      s[i] = random_below(10) ? store[i] : 0 ;
    }
    make(s, n, random_below(4)) ;
    wrong = wrong_with_line() ;
    if (!wrong && !has_all_or_a_mark(s, n)) wrong = "something is lost without a mark" ;
    if (wrong) note("round %u: %s", round, wrong) ;
    good = !wrong ;
  }
  ok(good, "fine lines of random words") ;
}

int main (void)
{
  exact_lines() ;
  long_words() ;
  at_the_limit() ;
  many_words() ;
  random_words() ;
  return done() ;
}
