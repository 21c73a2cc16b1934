/* ISC license. */

/* A manifest from any text: what is accepted is written and read again the same, and refused when its last byte is missing. */

#include <errno.h>

#include "stage4.h"
#include "fuzz.h"

static void check_again (s4_entry const *e, size_t n)
{
  stralloc sa = STRALLOC_ZERO ;
  genalloc g = GENALLOC_ZERO ;
  for (size_t i = 0 ; i < n ; i++)
  {
    must(strchr("fld", e[i].type)) ;
    must(*e[i].dst && *e[i].dst != '/') ;
    must(s4_manifest_add(&sa, e + i)) ;
  }
  must(s4_manifest_end(&sa, n)) ;
  must(s4_manifest_parse(&sa, &g)) ;
  must(genalloc_len(s4_entry, &g) == n) ;
  for (size_t i = 0 ; i < n ; i++)
  {
    s4_entry const *a = e + i, *b = genalloc_s(s4_entry, &g) + i ;
    must(a->type == b->type && a->mode == b->mode && a->size == b->size && a->mtime == b->mtime) ;
    must(!strcmp(a->dst, b->dst) && !strcmp(a->src, b->src)) ;
  }
  genalloc_free(s4_entry, &g) ;
  stralloc_free(&sa) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  stralloc text = fuzz_text(data, size) ;
  genalloc g = GENALLOC_ZERO ;
  errno = 0 ;
  if (s4_manifest_parse(&text, &g))
  {
    stralloc torn = fuzz_text(data, size - 1) ;
    genalloc none = GENALLOC_ZERO ;
    check_again(genalloc_s(s4_entry, &g), genalloc_len(s4_entry, &g)) ;
    must(!s4_manifest_parse(&torn, &none) && errno == EINVAL) ;
    genalloc_free(s4_entry, &none) ;
    stralloc_free(&torn) ;
  }
  else must(errno == EINVAL) ;
  genalloc_free(s4_entry, &g) ;
  stralloc_free(&text) ;
  return 0 ;
}
