/* swaponp FILE PRIORITY: switches a swap on, with a priority; busybox has no such option. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/swap.h>

int main (int argc, char const *const *argv)
{
  int priority ;
  if (argc != 3) return 100 ;
  priority = atoi(argv[2]) ;
  if (!swapon(argv[1], SWAP_FLAG_PREFER | (priority << SWAP_FLAG_PRIO_SHIFT & SWAP_FLAG_PRIO_MASK))) return 0 ;
  perror("swaponp") ;
  return 111 ;
}
