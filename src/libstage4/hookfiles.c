/* ISC license. */

/* The files of a directory that are to be run: which there are, and who could have written them. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LIST_TIMEOUT 5000

int s4_others_can_write (struct stat const *st)
{
  return (st->st_uid && st->st_uid != geteuid()) || st->st_mode & (S_IWGRP | S_IWOTH) ;
}

enum s4_hookfile_e s4_hookfile_judge (char const *path)
{
  char target[16] ;
  struct stat st ;
  ssize_t r = readlink(path, target, sizeof target) ;
  if (r == 9 && !memcmp(target, "/dev/null", 9)) return S4_HOOK_MASKS ;
  if (stat(path, &st) == -1 || !S_ISREG(st.st_mode) || access(path, X_OK) == -1) return S4_HOOK_NOT_EXECUTABLE ;
  return s4_others_can_write(&st) ? S4_HOOK_UNSAFE : S4_HOOK_RUNS ;
}

 /* What others put there under its name could be a link to what is root's. */

static int is_in_open_dir (char const *path)
{
  stralloc dir = STRALLOC_ZERO ;
  struct stat st ;
  int r = !sadirname(&dir, path, strlen(path)) || !stralloc_0(&dir)
   || stat(dir.s, &st) == -1 || s4_others_can_write(&st) ;
  stralloc_free(&dir) ;
  return r ;
}

 /* --- listing, in a child: "verdict path NUL" for each file --- */

static int tell (int fd, enum s4_hookfile_e verdict, char const *path)
{
  char c = (char)verdict ;
  int e = s4_answer(fd, &c, 1) ;
  return e ? e : s4_answer(fd, path, strlen(path) + 1) ;
}

struct listing
{
  char const *dirname ;
  int unsafe ;
  int out ;
  int err ;
} ;

static int list_file (char const *name, void *data)
{
  struct listing *l = data ;
  stralloc path = STRALLOC_ZERO ;
  if (!s4_cat(&path, l->dirname, "/", name)) l->err = ENOMEM ;
  else l->err = tell(l->out, l->unsafe ? S4_HOOK_UNSAFE : s4_hookfile_judge(path.s), path.s) ;
  stralloc_free(&path) ;
  return !l->err ;
}

static int list_directory (int out, char const *dirname, int unsafe)
{
  struct listing l = { .dirname = dirname, .unsafe = unsafe, .out = out } ;
  return s4_dir_each(open(dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &list_file, &l) == -1 ? errno : l.err ;
}

static int list (int fd, void *data)
{
  char const *path = data ;
  struct stat st ;
  if (stat(path, &st) == -1) return errno == ENOENT ? 0 : errno ;   /* no directory is no failure */
  return S_ISDIR(st.st_mode) ? list_directory(fd, path, s4_others_can_write(&st))
   : tell(fd, is_in_open_dir(path) ? S4_HOOK_UNSAFE : s4_hookfile_judge(path), path) ;
}

int s4_hookfiles_add (genalloc *files, char const *path, unsigned int rank)
{
  stralloc answer = STRALLOC_ZERO ;
  if (!s4_ask(&list, (void *)path, LIST_TIMEOUT, &answer)) return 0 ;
  for (size_t i = 0 ; i < answer.len ; i += strlen(answer.s + i) + 1)
  {
    s4_hookfile h = { .verdict = (enum s4_hookfile_e)answer.s[i], .path = answer.s + i + 1, .rank = rank } ;
    h.name = strrchr(h.path, '/') ;
    h.name = h.name ? h.name + 1 : h.path ;
    if (!genalloc_append(s4_hookfile, files, &h)) return 0 ;
  }
  return 1 ;
}

 /* --- their order --- */

static int by_name (void const *a, void const *b)
{
  s4_hookfile const *x = a, *y = b ;
  int r = strcmp(x->name, y->name) ;
  return r ? r : x->rank < y->rank ? -1 : x->rank > y->rank ;
}

void s4_hookfiles_sort (genalloc *files)
{
  size_t n = genalloc_len(s4_hookfile, files) ;
  if (n) qsort(files->s, n, sizeof(s4_hookfile), &by_name) ;
}
