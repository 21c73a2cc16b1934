/* ISC license. */

/* A process from any line. */

#include "stage4.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  char *s = fuzz_copy(data, size) ;
  s4_process p ;
  memset(&p, 0x55, sizeof p) ;
  if (s4_process_parse(s, size, &p))
  {
    char const *open = memchr(s, '(', size) ;
    size_t close = size ;
    size_t len ;
    while (close && s[close - 1] != ')') close-- ;
    must(open && close && open < s + close) ;
    must(p.pid > 0) ;
    must(memchr(p.comm, 0, sizeof p.comm)) ;
    len = strlen(p.comm) ;
    must(!memcmp(p.comm, open + 1, len)) ;
    must(len == (size_t)(s + close - 1 - (open + 1)) || len == S4_COMM_MAX - 1 || !open[1 + len]) ;
    must(close + 1 < size && p.state == s[close + 1]) ;
    must(!p.dead || strchr("ZXx", p.state)) ;
  }
  free(s) ;
  return 0 ;
}
