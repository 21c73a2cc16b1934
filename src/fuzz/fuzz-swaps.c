/* ISC license. */

/* Swaps from any text. */

#include "stage4.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  stralloc text = fuzz_text(data, size) ;
  genalloc g = GENALLOC_ZERO ;
  size_t lines = 0 ;
  char const *last = 0 ;
  for (size_t i = 0 ; i < size ; i++) lines += data[i] == '\n' ;
  must(s4_swaps_parse(&text, &g)) ;
  must(genalloc_len(s4_swap, &g) <= lines) ;   /* the heading is none */
  for (size_t i = 0 ; i < genalloc_len(s4_swap, &g) ; i++)
  {
    s4_swap const *sw = genalloc_s(s4_swap, &g) + i ;
    must(sw->path > text.s && sw->path + strlen(sw->path) < text.s + text.len) ;
    must(!last || sw->path > last + strlen(last)) ;
    last = sw->path ;
  }
  genalloc_free(s4_swap, &g) ;
  stralloc_free(&text) ;
  return 0 ;
}
