/* ISC license. */

/* The shutdown ramfs as it is used: is it safe, whole and fresh, and does $PATH find a program in it. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/unix-transactional.h>

#include "stage4.h"

struct check
{
  char const *dir ;
  char const *real ;     /* its path without symbolic links */
  char const *prog ;     /* or null */
  int look_for_stale ;
  genalloc entries ;     /* s4_entry: what its manifest lists */
  stralloc why ;         /* what is wrong */
} ;

static int wrong (struct check *c, char const *what, char const *where)
{
  c->why.len = 0 ;
  if (stralloc_cats(&c->why, what)) stralloc_cats(&c->why, where) ;
  return 0 ;
}

 /* Nobody but root may write to the directory, or put another one in the place of a part of its path. */

static int is_safe_step (int fd, char const *path, struct stat const *st, void *data)
{
  struct check *c = data ;
  (void)fd ;
  if (st->st_uid) return wrong(c, "not owned by root: ", path) ;
  if (S_ISDIR(st->st_mode) && st->st_mode & (S_IWGRP | S_IWOTH) && (!(st->st_mode & S_ISVTX) || !strcmp(path, c->real)))
    return wrong(c, "others can write to ", path) ;
  return 1 ;
}

static int is_as_listed (struct check *c, int root, s4_entry const *e)
{
  struct stat st ;
  if (fstatat(root, e->dst, &st, AT_SYMLINK_NOFOLLOW) == -1) return wrong(c, "missing inside: ", e->dst) ;
  if (e->type == 'l') return S_ISLNK(st.st_mode) || wrong(c, "not a symbolic link inside: ", e->dst) ;
  if (e->type == 'd') return S_ISDIR(st.st_mode) || wrong(c, "not a directory inside: ", e->dst) ;
  if ((st.st_mode & 0777) != (e->mode & 0755)) return wrong(c, "mode has changed inside: ", e->dst) ;
  if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->size) return wrong(c, "not whole inside: ", e->dst) ;
  return 1 ;
}

static int is_whole (struct check *c, int root)
{
  stralloc text = STRALLOC_ZERO ;
  struct statvfs sf ;
  if (fstatvfs(root, &sf) == -1 || sf.f_flag & ST_NOEXEC) return wrong(c, "mounted noexec: ", c->dir) ;
  if (!openslurpclose_at(root, S4_MANIFEST, &text)) return wrong(c, "no " S4_MANIFEST " in ", c->dir) ;
  if (!s4_manifest_parse(&text, &c->entries)) return wrong(c, S4_MANIFEST " is torn in ", c->dir) ;
  for (size_t i = 0 ; i < genalloc_len(s4_entry, &c->entries) ; i++)
    if (!is_as_listed(c, root, genalloc_s(s4_entry, &c->entries) + i)) return 0 ;
  return 1 ;
}

static unsigned int count_stale (struct check const *c)
{
  unsigned int n = 0 ;
  for (size_t i = 0 ; i < genalloc_len(s4_entry, &c->entries) ; i++)
  {
    s4_entry const *e = genalloc_s(s4_entry, &c->entries) + i ;
    struct stat st ;
    n += e->type == 'f' && (stat(e->src, &st) == -1 || (uint64_t)st.st_size != e->size
     || (uint64_t)st.st_mtime != e->mtime) ;
  }
  return n ;
}

 /* This is a child: it may change its root. */

static int has_prog (struct check *c, int root)
{
  stralloc path = STRALLOC_ZERO ;
  if (!s4_path_pivoted(&path, s4_nextpath(), c->real) || !s4_setenv("PATH", path.s))
    return wrong(c, "no memory to look into ", c->dir) ;
  if (fchdir(root) == -1 || chroot(".") == -1) return wrong(c, "unable to enter ", c->dir) ;
  if (s4_find_program(c->prog, &path)) return 1 ;
  return wrong(c, errno == EACCES ? "not executable inside: " : "not found inside: ", c->prog) ;
}

 /*
   Answers what is wrong, then the real path, both 0-terminated, then the number of stale files. The sources of those
   may lie on a dead disk, which says nothing against the copies.
 */

static int check (int out, void *data)
{
  struct check *c = data ;
  int root = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  int e, ok ;
  unsigned int stale ;
  c->real = root == -1 ? 0 : realpath(c->dir, 0) ;
  if (!c->real) ok = wrong(c, "no such directory: ", c->dir) ;
  else if (s4_path_walk(c->dir, &is_safe_step, c)) ok = is_whole(c, root) && (!c->prog || has_prog(c, root)) ;
  else ok = c->why.len ? 0 : wrong(c, "unable to walk to ", c->dir) ;
  if (!stralloc_0(&c->why)) return ENOMEM ;
  e = s4_answer(out, c->why.s, c->why.len) ;
  if (!e && ok) e = s4_answer(out, c->real, strlen(c->real) + 1) ;
  if (e || !ok || !c->look_for_stale) return e ;
  stale = count_stale(c) ;
  return s4_answer(out, &stale, sizeof stale) ;
}

int s4_ramfs_check (s4_ramfs *ramfs, char const *dir, char const *prog, s4_ms timeout, int look_for_stale)
{
  struct check c = { .dir = dir, .prog = prog, .look_for_stale = look_for_stale } ;
  stralloc answer = STRALLOC_ZERO ;
  int e = s4_ask(&check, &c, timeout, &answer) ? 0 : errno ;
  char const *word[2] = { 0, 0 } ;
  size_t at = 0 ;
  *ramfs = (s4_ramfs){ .stale = S4_NOBODY_KNOWS } ;
   /* what is answered before a time-out counts */
  for (unsigned int k = 0 ; k < 2 && at < answer.len && memchr(answer.s + at, 0, answer.len - at) ; k++)
  {
    word[k] = answer.s + at ;
    at += strlen(word[k]) + 1 ;
  }
  if (word[0] && *word[0]) ramfs->why = word[0] ;
  else if (!word[1]) ramfs->why = e == ETIMEDOUT || !e ? "unable to look at it in time" : strerror(e) ;
  ramfs->path = word[1] ;
  if (answer.len == at + sizeof ramfs->stale) memcpy(&ramfs->stale, answer.s + at, sizeof ramfs->stale) ;
  return !ramfs->why ;
}
