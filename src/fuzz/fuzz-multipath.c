/* ISC license. */

/* What a multipath device says of its paths, from any text. */

#include <stdlib.h>

#include <skalibs/stralloc.h>

#include "stage4.h"
#include "fuzz.h"

static int with (char const *status, char const *path)
{
  stralloc sa = STRALLOC_ZERO ;
  int r ;
  must(s4_cat(&sa, status, path)) ;
  r = s4_multipath_is_lost(sa.s) ;
  stralloc_free(&sa) ;
  return r ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  char *status = fuzz_string(data, size) ;
  int const lost = s4_multipath_is_lost(status) ;
  must(!with(status, " 8:16 A 0 ")) ;
  must(with(status, " 8:16 F 1 ") == lost) ;
  if (!strchr(status, ':')) must(lost) ;
  free(status) ;
  return 0 ;
}
