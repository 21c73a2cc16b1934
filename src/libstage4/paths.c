/* ISC license. */

/* Words put together; names of files compared, cut, listed, and made to mount something on. */

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

int s4_cat_words (stralloc *sa, char const *const *s, size_t n)
{
  for (size_t i = 0 ; i < n ; i++) if (s[i] && !stralloc_cats(sa, s[i])) return 0 ;
  if (!stralloc_0(sa)) return 0 ;
  sa->len-- ;
  return 1 ;
}

char const *s4_concat_words (char const *const *s, size_t n)
{
  stralloc sa = STRALLOC_ZERO ;
  return s4_cat_words(&sa, s, n) ? sa.s : "" ;
}

int s4_lies_below (char const *path, char const *dir)
{
  size_t len = strlen(dir) ;
  if (len == 1) return path[0] == '/' ;
  return !strncmp(path, dir, len) && (!path[len] || path[len] == '/') ;
}

int s4_undeleted (char const *path, stralloc *name)
{
  static char const deleted[] = " (deleted)" ;
  size_t len = strlen(path) ;
  if (len < sizeof deleted || strcmp(path + len + 1 - sizeof deleted, deleted)) return 0 ;
  name->len = 0 ;
  return stralloc_catb(name, path, len + 1 - sizeof deleted) && stralloc_0(name) ;
}

int s4_dir_each (int fd, int (*f) (char const *, void *), void *data)
{
  DIR *dir = fd == -1 ? 0 : fdopendir(fd) ;
  int r = 1, e = errno ;
  if (!dir && fd != -1) close(fd) ;
  if (!dir) return (errno = e, -1) ;
  while (r == 1)
  {
    struct dirent *d ;
    errno = 0 ;
    d = readdir(dir) ;
    if (!d) r = errno ? -1 : 2 ;
    else if (d->d_name[0] != '.' && !f(d->d_name, data)) r = 0 ;
  }
  e = errno ;
  closedir(dir) ;
  errno = e ;
  return r == 2 ? 1 : r ;
}

int s4_make_path (char const *path)
{
  stralloc sa = STRALLOC_ZERO ;
  int ok ;
  if (!stralloc_cats(&sa, path) || !stralloc_0(&sa)) return 0 ;
  for (char *s = sa.s + 1 ; (s = strchr(s, '/')) ; *s++ = '/')
  {
    *s = 0 ;
    if (mkdir(sa.s, 0755) == -1 && errno != EEXIST) return 0 ;
  }
  ok = !mkdir(sa.s, 0755) || errno == EEXIST ;
  stralloc_free(&sa) ;
  return ok ;
}
