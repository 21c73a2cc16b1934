/* ISC license. */

/* The options of an overlay from any text: layers come decoded, whole, and no longer than they were. */

#include "stage4.h"
#include "fuzz.h"

struct seen { size_t n, bytes ; unsigned int end ; } ;

static int see (char const *path, enum s4_layer_e kind, void *data)
{
  struct seen *s = data ;
  must(kind == S4_LAYER_LOWER || kind == S4_LAYER_UPPER || kind == S4_LAYER_WORK) ;
  must(kind != S4_LAYER_LOWER || *path) ;
  s->n++ ;
  s->bytes += strlen(path) ;
  return s->n != s->end ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  char *text = fuzz_string(data, size) ;
  struct seen all = { .end = 0 }, some = { .end = 0 } ;
  must(s4_overlay_layers(text, &see, &all)) ;
  must(all.n + all.bytes <= strlen(text)) ;
  if (all.n)
  {
    some.end = 1 + fuzz_hash(data, size) % (unsigned int)all.n ;
    must(!s4_overlay_layers(text, &see, &some) && some.n == some.end) ;
  }
  free(text) ;
  return 0 ;
}
