/* sock FILE: makes a socket of that name, and ends. */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main (int argc, char const *const *argv)
{
  struct sockaddr_un name = { .sun_family = AF_UNIX } ;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0) ;
  if (argc != 2 || strlen(argv[1]) >= sizeof name.sun_path) return 100 ;
  strcpy(name.sun_path, argv[1]) ;
  if (fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof name)) return 0 ;
  perror("sock") ;
  return 111 ;
}
