/* ISC license. */

/* $PATH: what it finds, and what it becomes where the root will be another one. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

static int is_executable (char const *file)
{
  struct stat st ;
  if (stat(file, &st) == -1) return 0 ;
  if (!S_ISREG(st.st_mode)) return (errno = EACCES, 0) ;
  return !access(file, X_OK) ;
}

static int try_place (stralloc *path, char const *dir, size_t len, char const *word)
{
  path->len = 0 ;
  return stralloc_catb(path, dir, len) && (!len || stralloc_cats(path, "/"))
   && stralloc_cats(path, word) && stralloc_0(path) && is_executable(path->s) ;
}

 /* The search of execvp(3), as skalibs' execvep does it: a word with a slash is a path. */

int s4_find_program (char const *word, stralloc *path)
{
  char const *dirs = s4_nextpath() ;
  int e = ENOENT ;
  if (strchr(word, '/')) return try_place(path, "", 0, word) ;
  for (;;)
  {
    size_t len = strcspn(dirs, ":") ;
    if (try_place(path, len ? dirs : ".", len ? len : 1, word)) return 1 ;
    if (errno == EACCES) e = EACCES ;
    if (!dirs[len]) return (errno = e, 0) ;
    dirs += len + 1 ;
  }
}

static int add_dir (stralloc *out, char const *prefix, char const *dir, size_t len)
{
  return (!out->len || stralloc_append(out, ':')) && stralloc_cats(out, prefix) && stralloc_catb(out, dir, len) ;
}

int s4_path_inside (stralloc *out, char const *path, char const *root)
{
  char const *s = path ;
  out->len = 0 ;
  for (;;)
  {
    size_t len = strcspn(s, ":") ;
    if (*s == '/' && !add_dir(out, root, s, len)) return 0 ;
    if (!s[len]) break ;
    s += len + 1 ;
  }
  return add_dir(out, "", path, strlen(path)) && stralloc_0(out) ;
}

int s4_path_pivoted (stralloc *out, char const *path, char const *root)
{
  size_t rootlen = strlen(root) ;
  char const *s = path ;
  out->len = 0 ;
  for (;;)
  {
    size_t len = strcspn(s, ":") ;
    if (len > rootlen && !strncmp(s, root, rootlen) && s[rootlen] == '/'
     && !add_dir(out, "", s + rootlen, len - rootlen)) return 0 ;
    if (!s[len]) break ;
    s += len + 1 ;
  }
  return (out->len || stralloc_cats(out, path)) && stralloc_0(out) ;
}
