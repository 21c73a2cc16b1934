/* ISC license. */

/*
  A stamp of stage4-runonce is written and flushed under another name, before what it stands for begins, and gets its
  own name by a rename: so it is never there by half, and a full disk is found out in time. In children: a disk may
  hang.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

struct change
{
  char const *dirname ;
  s4_stamps const *stamps ;
  stralloc content ;
  char name[2 * S4_HASH_SIZE + 1] ;
  char unfinished[2 * S4_HASH_SIZE + sizeof S4_STAMP_SUFFIX] ;
} ;

static int open_state (char const *dir)
{
  return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
}

static int write_whole (int fd, stralloc const *content)
{
  int e = allwrite(fd, content->s, content->len) == content->len && !fsync(fd) ? 0 : errno ;
  return close(fd) == -1 && !e ? errno : e ;
}

static int prepare (int out, void *data)
{
  struct change const *c = data ;
  int dir = open_state(c->dirname) ;
  int fd = dir == -1 ? -1 : openat(dir, c->unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644) ;
  (void)out ;
  return fd == -1 ? errno : write_whole(fd, &c->content) ;
}

static int commit (int out, void *data)
{
  struct change const *c = data ;
  int dir = open_state(c->dirname) ;
  (void)out ;
  return dir == -1 || renameat(dir, c->unfinished, dir, c->name) == -1 || fsync(dir) == -1 ? errno : 0 ;
}

static int drop (int out, void *data)
{
  struct change const *c = data ;
  int dir = open_state(c->dirname) ;
  (void)out ;
  return dir == -1 || unlinkat(dir, c->unfinished, 0) == -1 ? errno : 0 ;
}

static int clean (int out, void *data)
{
  struct change const *c = data ;
  int dir = open_state(c->dirname) ;
  char const *const *names = genalloc_s(char const *, &c->stamps->waste) ;
  (void)out ;
  for (size_t n = genalloc_len(char const *, &c->stamps->waste) ; n-- ; )
    if (unlinkat(dir, names[n], 0) == -1 && errno != ENOENT) return errno ;
  return 0 ;
}

static int ask_change (int (*f) (int, void *), struct change *c)
{
  stralloc nothing = STRALLOC_ZERO ;
  int ok = s4_ask(f, c, S4_DISK_TIMEOUT, &nothing) ;
  stralloc_free(&c->content) ;
  return ok ;
}

static int change (int (*f) (int, void *), char const *dir, s4_sum const *sum)
{
  struct change c = { .dirname = dir, .content = STRALLOC_ZERO } ;
  if (!s4_sum_cat(&c.content, sum)) return 0 ;
  s4_stamp_fmt(c.name, c.content.s, c.content.len) ;
  strcpy(c.unfinished, c.name) ;
  strcat(c.unfinished, S4_STAMP_SUFFIX) ;
  return ask_change(f, &c) ;
}

int s4_stamp_prepare (char const *dir, s4_sum const *sum)
{
  return change(&prepare, dir, sum) ;
}

int s4_stamp_commit (char const *dir, s4_sum const *sum)
{
  return change(&commit, dir, sum) ;
}

int s4_stamp_drop (char const *dir, s4_sum const *sum)
{
  return change(&drop, dir, sum) ;
}

int s4_stamps_clean (s4_stamps const *stamps, char const *dir)
{
  struct change c = { .dirname = dir, .stamps = stamps, .content = STRALLOC_ZERO } ;
  return !genalloc_len(char const *, &stamps->waste) || ask_change(&clean, &c) ;
}
