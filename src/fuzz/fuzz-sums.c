/* ISC license. */

/*
  Lists of sums from any text: what is accepted is written and read again the same. The same text as the content of a
  stamp, and as the name of one.
*/

#include <errno.h>

#include "stage4.h"
#include "fuzz.h"

static void check_again (s4_sum const *sum, size_t n)
{
  stralloc sa = STRALLOC_ZERO ;
  genalloc g = GENALLOC_ZERO ;
  size_t bad ;
  for (size_t i = 0 ; i < n ; i++)
  {
    must(*sum[i].name) ;
    must(s4_sum_cat(&sa, sum + i)) ;
  }
  must(s4_sums_parse(&sa, &g, &bad)) ;
  must(genalloc_len(s4_sum, &g) == n) ;
  for (size_t i = 0 ; i < n ; i++)
  {
    s4_sum const *again = genalloc_s(s4_sum, &g) + i ;
    must(!strcmp(again->name, sum[i].name) && !memcmp(again->hash, sum[i].hash, S4_HASH_SIZE)) ;
  }
  genalloc_free(s4_sum, &g) ;
  stralloc_free(&sa) ;
}

static void list (uint8_t const *data, size_t size)
{
  stralloc text = fuzz_text(data, size) ;
  genalloc g = GENALLOC_ZERO ;
  size_t bad, lines = 1 ;
  for (size_t i = 0 ; i < size ; i++) lines += data[i] == '\n' ;
  errno = 0 ;
  if (s4_sums_parse(&text, &g, &bad)) check_again(genalloc_s(s4_sum, &g), genalloc_len(s4_sum, &g)) ;
  else must(errno == EINVAL && bad && bad <= lines) ;
  genalloc_free(s4_sum, &g) ;
  stralloc_free(&text) ;
}

 /* By the name that fits, and by another one. What is read is what would be written. */

static void stamp (uint8_t const *data, size_t size)
{
  char name[2 * S4_HASH_SIZE + 1], other[2 * S4_HASH_SIZE + 1] ;
  stralloc content = fuzz_text(data, size), again = fuzz_text(data, size) ;
  s4_sum sum ;
  s4_stamp_fmt(name, content.s, content.len) ;
  must(s4_stamp_scan(name) == S4_STAMP_WHOLE) ;
  memcpy(other, name, sizeof other) ;
  other[0] = other[0] == '0' ? '1' : '0' ;
  must(!s4_stamp_parse(other, &again, &sum)) ;
  if (s4_stamp_parse(name, &content, &sum))
  {
    must(*sum.name && !strchr(sum.name, '/')) ;
    check_again(&sum, 1) ;
  }
  stralloc_free(&again) ;
  stralloc_free(&content) ;
}

static void name (uint8_t const *data, size_t size)
{
  char *s = fuzz_string(data, size) ;
  enum s4_stampname_e const kind = s4_stamp_scan(s) ;
  size_t const len = strlen(s) ;
  if (kind == S4_STAMP_WHOLE) must(len == 2 * S4_HASH_SIZE) ;
  if (kind == S4_STAMP_UNFINISHED) must(len == 2 * S4_HASH_SIZE + strlen(S4_STAMP_SUFFIX)) ;
  if (kind != S4_STAMP_NONE) must(strspn(s, "0123456789abcdef") == 2 * S4_HASH_SIZE) ;
  free(s) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  list(data, size) ;
  stamp(data, size) ;
  name(data, size) ;
  return 0 ;
}
