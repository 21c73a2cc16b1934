/* ISC license. */

/* The files that are to run once, and what is in them, by a child: their disk may hang. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sha256.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define BLOCK_SIZE 65536

int s4_once_list (s4_once **once, size_t *n, char const *path)
{
  genalloc files = GENALLOC_ZERO ;
  s4_hookfile const *f ;
  if (!s4_hookfiles_add(&files, path, 0)) return 0 ;
  s4_hookfiles_sort(&files) ;
  f = genalloc_s(s4_hookfile, &files) ;
  *n = genalloc_len(s4_hookfile, &files) ;
  *once = calloc(*n + 1, sizeof **once) ;
  if (!*once) return 0 ;
  for (size_t i = 0 ; i < *n ; i++)
    (*once)[i] = (s4_once){ .sum = { .name = f[i].name }, .path = f[i].path, .verdict = f[i].verdict } ;
  return 1 ;
}

static int hash_fd (int fd, uint8_t *hash)
{
  static char block[BLOCK_SIZE] ;
  SHA256Schedule ctx = SHA256_INIT() ;
  ssize_t r ;
  while ((r = fd_read(fd, block, sizeof block)) > 0) sha256_update(&ctx, block, (size_t)r) ;
  if (r == -1) return errno ;
  sha256_final(&ctx, (char *)hash) ;
  return 0 ;
}

 /* ENOENT means that the name is gone; a link may lead nowhere. */

static int hash_file (char const *path, uint8_t *hash)
{
  struct stat st ;
  int fd, e ;
  if (lstat(path, &st) == -1) return errno ;
  if (stat(path, &st) == -1 || !S_ISREG(st.st_mode)) return EINVAL ;
  fd = open(path, O_RDONLY | O_CLOEXEC) ;
  if (fd == -1) return errno ;
  e = hash_fd(fd, hash) ;
  fd_close(fd) ;
  return e ;
}

struct look { s4_once *o ; size_t n ; } ;

static int look (int fd, void *data)
{
  struct look const *l = data ;
  for (size_t i = 0 ; i < l->n ; i++) l->o[i].err = hash_file(l->o[i].path, l->o[i].sum.hash) ;
  return s4_answer(fd, l->o, l->n * sizeof *l->o) ;   /* the pointers are the parent's, too */
}

static int look_and_judge (int fd, void *data)
{
  struct look const *l = data ;
  l->o->verdict = s4_hookfile_judge(l->o->path) ;
  return look(fd, data) ;
}

static int ask_look (int (*f) (int, void *), s4_once *o, size_t n)
{
  struct look l = { .o = o, .n = n } ;
  stralloc answer = STRALLOC_ZERO ;
  int ok = s4_ask(f, &l, S4_DISK_TIMEOUT, &answer) ;
  if (ok && answer.len != n * sizeof *o) ok = (errno = EPROTO, 0) ;
  if (ok) memcpy(o, answer.s, answer.len) ;
  stralloc_free(&answer) ;
  return ok ;
}

int s4_once_look (s4_once *o, size_t n)
{
  return ask_look(&look, o, n) ;
}

int s4_once_look_again (s4_once *o)
{
  return ask_look(&look_and_judge, o, 1) ;
}
