/* ISC license. */

/* Report lines of any words (the input, cut at its zeros; its first byte: how many of them are clean), and decoding of any text. */

#include "stage4.h"
#include "fuzz.h"

#define WORDS_MAX 64

static void check_line (char const *line, size_t len)
{
  must(len && len <= S4_LINE_MAX && line[len-1] == '\n') ;
  for (size_t i = 0 ; i + 1 < len ; i++)
  {
    unsigned char c = (unsigned char)line[i] ;
    must(c >= 32 && c != 127) ;
    if (c == '\\') must(i + 4 < len && line[i+1] >= '0' && line[i+1] <= '3' && line[i+2] >= '0' && line[i+2] <= '7' && line[i+3] >= '0' && line[i+3] <= '7') ;
  }
}

 /* Without dots in it, a line says all. */

static void check_words (char const *line, size_t len, char const *const *s, size_t n)
{
  char *text = fuzz_copy(line, len - 1) ;
  size_t m = 0, at = 0 ;
  for (size_t i = 0 ; i + 3 <= len ; i++) if (!memcmp(line + i, "...", 3)) goto dots ;
  m = s4_unoctal(text, len - 1) ;
  for (size_t i = 0 ; i < n ; i++)
  {
    size_t k = strlen(s[i]) ;
    must(at + k <= m && !memcmp(text + at, s[i], k)) ;
    at += k ;
  }
  must(at == m) ;
 dots:
  free(text) ;
}

static void lines (uint8_t const *data, size_t size)
{
  char const *s[WORDS_MAX] ;
  size_t n = 0 ;
  char *text = fuzz_string(data + 1, size - 1) ;
  char *line = malloc(S4_LINE_MAX) ;
  size_t len ;
  for (size_t i = 0 ; i < size && n < WORDS_MAX ; i += strlen(text + i) + 1) s[n++] = text + i ;
  len = s4_line(line, s, n, data[0] % 4) ;
  check_line(line, len) ;
  check_words(line, len, s, n) ;
  free(line) ;
  free(text) ;
}

static void decoding (uint8_t const *data, size_t size)
{
  char *s = fuzz_copy(data, size) ;
  size_t len = s4_unoctal(s, size) ;
  size_t escapes = 0 ;
  must(len <= size && (size - len) % 3 == 0) ;
  for (size_t i = 0 ; i < size ; i++) escapes += data[i] == '\\' ;
  must((size - len) / 3 <= escapes) ;
  if (!escapes) must(!size || !memcmp(s, data, size)) ;
  free(s) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  decoding(data, size) ;
  if (size) lines(data, size) ;
  return 0 ;
}
