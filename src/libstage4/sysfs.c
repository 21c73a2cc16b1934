/* ISC license. */

/* /sys: found, its files read, its directories listed. That touches no device. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define UNKNOWN (-2)

static int own = UNKNOWN ;

 /* As for /proc: where there is none, or something else, a sysfs that is mounted nowhere. Not in a container. */

static void find (void)
{
  struct statfs sf ;
  own = -1 ;
  if (s4.container || (!statfs("/sys", &sf) && sf.f_type == SYSFS_MAGIC)) return ;
  own = s4_newfs("sysfs", (char const *const []){ 0 }) ;
}

int s4_sys_fd (void)
{
  return own == UNKNOWN ? -1 : own ;
}

void s4_sys_use (int fd)
{
  own = fd ;
}

static int sys_open (char const *path, int flags)
{
  if (own == UNKNOWN) find() ;
  return own == -1 ? open(path, flags | O_CLOEXEC) : openat(own, path + strlen("/sys/"), flags | O_CLOEXEC) ;
}

int s4_sys_is_there (void)
{
  int fd = sys_open("/sys/dev/block", O_RDONLY | O_DIRECTORY) ;
  if (fd >= 0) fd_close(fd) ;
  return fd >= 0 ;
}

int s4_sys_read (char const *path, stralloc *sa)
{
  int fd = sys_open(path, O_RDONLY) ;
  int ok ;
  sa->len = 0 ;
  if (fd == -1) return 0 ;
  ok = slurp(sa, fd) ;
  fd_close(fd) ;
  if (!ok) return 0 ;
  if (sa->len && sa->s[sa->len - 1] == '\n') sa->len-- ;
  return stralloc_0(sa) && (sa->len--, 1) ;
}

int s4_sys_read_strings (stralloc *sa, char const *const *s, size_t n)
{
  stralloc path = STRALLOC_ZERO ;
  int r = s4_cat_words(&path, s, n) && s4_sys_read(path.s, sa) ;
  stralloc_free(&path) ;
  return r ;
}

int s4_sys_says_strings (char const *value, char const *const *s, size_t n)
{
  stralloc text = STRALLOC_ZERO ;
  int r = s4_sys_read_strings(&text, s, n) && !strcmp(text.s, value) ;
  stralloc_free(&text) ;
  return r ;
}

int s4_sys_write (char const *path, char const *text)
{
  return s4_proc_tell(sys_open(path, O_WRONLY), text) ;
}

int s4_sys_each (char const *dir, int (*f) (char const *, void *), void *data)
{
  int fd = sys_open(dir, O_RDONLY | O_DIRECTORY) ;
  return fd == -1 && errno == ENOENT ? 1 : s4_dir_each(fd, f, data) ;
}

int s4_device_scan (char const *s, uint64_t *device)
{
  unsigned int major, minor ;
  size_t const len = uint_scan(s, &major) ;
  if (!len || s[len] != ':' || !uint_scan(s + len + 1, &minor)) return 0 ;
  *device = (uint64_t)major << 32 | minor ;
  return 1 ;
}

int s4_sys_number (char const *dir, char const *name, uint64_t *device)
{
  stralloc text = STRALLOC_ZERO ;
  int r = s4_sys_read_at(&text, dir, name, "/dev") && s4_device_scan(text.s, device) ;
  stralloc_free(&text) ;
  return r ;
}

int s4_sys_device (stralloc *sa, unsigned int major, unsigned int minor, char const *file)
{
  sa->len = 0 ;
  return s4_cat(sa, "/sys/dev/block/", S4_NUM(major), ":", S4_NUM(minor), file) ;
}
