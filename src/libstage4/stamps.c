/* ISC license. */

/*
  A stamp of stage4-runonce is written and flushed under another name, before what it stands for begins, and gets its
  own name by a rename: so it is never there by half, and a full disk is found out in time. In children: a disk may
  hang.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
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

 /* On vfat the name is the directory's, and where the content is the file's (fs/fat/namei_vfat.c:vfat_rename). */

static int commit (int out, void *data)
{
  struct change const *c = data ;
  int dir = open_state(c->dirname) ;
  int fd ;
  (void)out ;
  if (dir == -1 || renameat(dir, c->unfinished, dir, c->name) == -1) return errno ;
  fd = openat(dir, c->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) ;
  return fd == -1 || fsync(dir) == -1 || fsync(fd) == -1 ? errno : 0 ;
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

 /*
   With a record goes to the disk what the script has left in memory: many file systems flush all or nothing. That may
   take longer than it ran.
 */

static int ask_change (int (*f) (int, void *), struct change *c, s4_ms timeout)
{
  s4_ms const begun = s4_now(), until = s4_limit(timeout < S4_DISK_TIMEOUT ? S4_DISK_TIMEOUT : timeout) ;
  int wstat, e = ETIMEDOUT ;
  pid_t pid = s4_fork_worker(-1, 0) ;
  if (!pid) _exit(f(-1, c) & 255) ;
  if (pid == -1) e = errno ;
  while (pid > 0)
  {
    s4_ms const next = s4_now() + S4_SLOW ;
    if (s4_wait(pid, next < until ? next : until, &wstat))
    {
      e = WIFEXITED(wstat) ? WEXITSTATUS(wstat) : EOWNERDEAD ;
      break ;
    }
    if (s4_now() >= until)
    {
      kill(pid, SIGKILL) ;
      break ;
    }
    s4_info("waiting for the disk of ", c->dirname, ", ", S4_MS(s4_now() - begun)) ;
  }
  stralloc_free(&c->content) ;
  return e ? (errno = e, 0) : 1 ;
}

static int change (int (*f) (int, void *), char const *dir, s4_sum const *sum, s4_ms timeout)
{
  struct change c = { .dirname = dir, .content = STRALLOC_ZERO } ;
  if (!s4_sum_cat(&c.content, sum)) return 0 ;
  s4_stamp_fmt(c.name, c.content.s, c.content.len) ;
  strcpy(c.unfinished, c.name) ;
  strcat(c.unfinished, S4_STAMP_SUFFIX) ;
  return ask_change(f, &c, timeout) ;
}

int s4_stamp_prepare (char const *dir, s4_sum const *sum, s4_ms timeout)
{
  return change(&prepare, dir, sum, timeout) ;
}

int s4_stamp_commit (char const *dir, s4_sum const *sum, s4_ms timeout)
{
  return change(&commit, dir, sum, timeout) ;
}

int s4_stamp_drop (char const *dir, s4_sum const *sum)
{
  return change(&drop, dir, sum, 0) ;
}

int s4_stamps_clean (s4_stamps const *stamps, char const *dir)
{
  struct change c = { .dirname = dir, .stamps = stamps, .content = STRALLOC_ZERO } ;
  return !genalloc_len(char const *, &stamps->waste) || ask_change(&clean, &c, 0) ;
}
