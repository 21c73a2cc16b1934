/* setxattr FILE NAME VALUE: busybox can't. */

#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

int main (int argc, char const *const *argv)
{
  if (argc != 4) return 100 ;
  if (!setxattr(argv[1], argv[2], argv[3], strlen(argv[3]), 0)) return 0 ;
  perror("setxattr") ;
  return 111 ;
}
