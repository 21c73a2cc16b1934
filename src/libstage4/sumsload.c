/* ISC license. */

/* A list of sums, read by a child. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

static int read_list (int out, void *data)
{
  char const *file = data ;
  struct stat st ;
  int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
  if (fd == -1 || fstat(fd, &st) == -1) return errno ;
  if (!S_ISREG(st.st_mode)) return EINVAL ;
  return s4_others_can_write(&st) ? EPERM : fd_cat(fd, out) == -1 ? errno : 0 ;
}

int s4_sums_load (char const *file, genalloc *sums, size_t *bad)
{
  stralloc text = STRALLOC_ZERO ;   /* stays: the names are in it */
  *bad = 0 ;
  return s4_ask(&read_list, (void *)file, S4_DISK_TIMEOUT, &text) && s4_sums_parse(&text, sums, bad) ;
}
