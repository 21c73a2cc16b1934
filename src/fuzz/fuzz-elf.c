/* ISC license. */

/* What executes any file: the name stays within its place, and is one. */

#include "stage4.h"
#include "fuzz.h"

#define GUARD 16

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  static size_t const max[] = { 1, 2, 11, 4096 } ;
  static char place[4096 + GUARD] ;
  char *head = fuzz_copy(data, size) ;
  for (unsigned int i = 0 ; i < sizeof max / sizeof *max ; i++)
  {
    enum s4_exectype_e type ;
    memset(place, '~', sizeof place) ;
    type = s4_exec_type(head, size, place, max[i]) ;
    must(type <= S4_LIBRARY) ;
    for (unsigned int k = 0 ; k < GUARD ; k++) must(place[max[i] + k] == '~') ;
    if (type == S4_SCRIPT || type == S4_DYNAMIC) must(memchr(place, 0, max[i])) ;
    if (type == S4_SCRIPT) must(size > 2 && *place && !strpbrk(place, " \t\n") && !memcmp(head, "#!", 2)) ;
    if (type == S4_DYNAMIC || type == S4_STATIC || type == S4_LIBRARY) must(size > 4 && !memcmp(head, "\177ELF", 4)) ;
  }
  free(head) ;
  return 0 ;
}
