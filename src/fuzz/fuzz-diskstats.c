/* ISC license. */

/* What disks have written, from any text. */

#include "stage4.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  stralloc text = fuzz_text(data, size) ;
  uint64_t kib ;
  must(stralloc_0(&text)) ;
  text.len-- ;
  kib = s4_diskstats_kib(&text) ;
  must(kib <= UINT64_MAX / 2) ;
  must(text.len == size && !text.s[size]) ;
  stralloc_free(&text) ;
  return 0 ;
}
