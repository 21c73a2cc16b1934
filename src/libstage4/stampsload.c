/* ISC license. */

/* The stamps of stage4-runonce, read by a child. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define STAMP_MAX 1024      /* longer than that of any name of a file, escaped */

 /*
   The answer: "W" (whole), "T" (torn) or "N" (not in place), and its name NUL for each; behind "W" its time NUL and its
   content NUL.
 */

struct reading { int dir, err ; stralloc answer ; } ;

static int add_word (stralloc *sa, char const *s)
{
  return stralloc_cats(sa, s) && stralloc_0(sa) ;
}

static int tell_stamp (struct reading *r, char kind, char const *name, struct stat const *st, char const *content)
{
  char when[S4_NUMFMT] ;
  if (!stralloc_append(&r->answer, kind) || !add_word(&r->answer, name)) return ENOMEM ;
  if (kind != 'W') return 0 ;
  s4_num_fmt(when, (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec) ;
  return add_word(&r->answer, when) && add_word(&r->answer, content) ? 0 : ENOMEM ;
}

static int is_whole (char const *name, char const *content, size_t len)
{
  char line[STAMP_MAX + 1] ;
  stralloc copy = { .s = line, .len = len, .a = sizeof line } ;
  s4_sum sum ;
  memcpy(line, content, len) ;
  return s4_stamp_parse(name, &copy, &sum) ;
}

static int read_stamp (struct reading *r, char const *name)
{
  char content[STAMP_MAX + 1] ;
  struct stat st ;
  size_t len = 0 ;
  int e = 0 ;
  int fd = openat(r->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) ;
  if (fd == -1) return errno == ENOENT ? 0 : errno == ELOOP ? tell_stamp(r, 'T', name, 0, 0) : errno ;
  if (fstat(fd, &st) == -1) e = errno ;
  else if (S_ISREG(st.st_mode))
  {
    ssize_t got = fd_read(fd, content, STAMP_MAX) ;   /* of a file a read gives all that it has */
    if (got == -1) e = errno ;
    else len = (size_t)got ;
  }
  fd_close(fd) ;
  content[len] = 0 ;
  return e ? e : tell_stamp(r, is_whole(name, content, len) ? 'W' : 'T', name, &st, content) ;
}

static int read_name (char const *name, void *data)
{
  struct reading *r = data ;
  switch (s4_stamp_scan(name))
  {
    case S4_STAMP_WHOLE : r->err = read_stamp(r, name) ; break ;
    case S4_STAMP_UNFINISHED : r->err = tell_stamp(r, 'N', name, 0, 0) ; break ;
    default : break ;
  }
  return !r->err ;
}

static int read_stamps (int out, void *data)
{
  struct reading r = { .answer = STRALLOC_ZERO } ;
  struct stat st ;
  int fd ;
  r.dir = open((char const *)data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (r.dir == -1) return errno == ENOENT ? 0 : errno ;
  if (fstat(r.dir, &st) == -1) return errno ;
  if (s4_others_can_write(&st)) return EPERM ;
  fd = fcntl(r.dir, F_DUPFD_CLOEXEC, 3) ;
  if (s4_dir_each(fd, &read_name, &r) == -1) return errno ;
  return r.err ? r.err : s4_answer(out, r.answer.s, r.answer.len) ;
}

static char *next_word (stralloc *text, size_t *pos)
{
  char *s = text->s + *pos ;
  *pos += strlen(s) + 1 ;
  return s ;
}

static int add_stamp (s4_stamps *x, char const *name, char const *when, char *content)
{
  stralloc text = { .s = content, .len = strlen(content), .a = strlen(content) + 1 } ;
  s4_stamp st = { .known = S4_KNOWN_NOT } ;
  return int64_scan(when, &st.when) && s4_stamp_parse(name, &text, &st.sum)
   && genalloc_append(s4_stamp, &x->list, &st) ;
}

int s4_stamps_load (s4_stamps *x, char const *dir)
{
  size_t pos = 0 ;
  genalloc_setlen(s4_stamp, &x->list, 0) ;
  genalloc_setlen(char const *, &x->waste, 0) ;
  x->torn = 0 ;
  if (!s4_ask(&read_stamps, (void *)dir, S4_DISK_TIMEOUT, &x->text)) return 0 ;
  while (pos < x->text.len)
  {
    char const *name = next_word(&x->text, &pos) ;
    char const kind = *name++ ;
    char const *when = kind == 'W' ? next_word(&x->text, &pos) : 0 ;
    if (kind == 'W' ? !add_stamp(x, name, when, next_word(&x->text, &pos))
                    : !genalloc_append(char const *, &x->waste, &name)) return 0 ;
    x->torn += kind == 'T' ;
  }
  return 1 ;
}
