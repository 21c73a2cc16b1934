/* The next program of a chain: says on stdout what ? is, and whether that is in the new root. Exits 77. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main (void)
{
  char const *code = getenv("?") ;
  if (!access("/oldroot", F_OK)) puts("@pivoted") ;
  printf("@?=%s\n", code ? code : "unset") ;
  return 77 ;
}
