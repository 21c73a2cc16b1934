/* ISC license. */

/*
  The manifest of a shutdown ramfs: what is in it and where it came from, a line each, names escaped as in
  mountinfo. Its last line counts the others: without it the manifest was torn, and the ramfs is not used.

    f 100755 14312 1700000000 usr/bin/prog /usr/bin/prog
    end 1
*/

#include <errno.h>
#include <string.h>

#include <skalibs/fmtscan.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static int add_name (stralloc *sa, char const *s)
{
  if (!stralloc_append(sa, ' ')) return 0 ;
  for (; *s ; s++)
  {
    unsigned char c = (unsigned char)*s ;
    char octal[4] = { '\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)), (char)('0' + (c & 7)) } ;
    if (!(c <= 32 || c == '\\' ? stralloc_catb(sa, octal, 4) : stralloc_append(sa, *s))) return 0 ;
  }
  return 1 ;
}

static int add_number (stralloc *sa, uint64_t u, unsigned int base)
{
  char fmt[UINT64_FMT] ;
  return stralloc_append(sa, ' ') && stralloc_catb(sa, fmt, uint64_fmt_base(fmt, u, (unsigned char)base)) ;
}

int s4_manifest_add (stralloc *sa, s4_entry const *e)
{
  return stralloc_append(sa, e->type) && add_number(sa, e->mode, 8) && add_number(sa, e->size, 10)
   && add_number(sa, e->mtime, 10)
   && add_name(sa, e->dst) && add_name(sa, e->src) && stralloc_append(sa, '\n') ;
}

int s4_manifest_end (stralloc *sa, size_t n)
{
  return stralloc_cats(sa, "end") && add_number(sa, n, 10) && stralloc_append(sa, '\n') ;
}

static int number (char **line, uint64_t *u, unsigned int base)
{
  char *s = s4_field(line) ;
  size_t len = s ? uint64_scan_base(s, u, (unsigned char)base) : 0 ;
  return len && !s[len] ;
}

static int parse_line (char *line, s4_entry *e)
{
  uint64_t mode ;
  char *s = s4_field(&line) ;
  if (!s || !s[0] || s[1] || !strchr("fld", s[0])) return 0 ;
  e->type = s[0] ;
  if (!number(&line, &mode, 8) || !number(&line, &e->size, 10) || !number(&line, &e->mtime, 10)) return 0 ;
  e->mode = (mode_t)mode ;
  return (e->dst = s4_field_name(&line)) && (e->src = s4_field_name(&line)) && !line && *e->dst && *e->dst != '/' ;
}

int s4_manifest_parse (stralloc *text, genalloc *entries)
{
  size_t pos = 0 ;
  char *line ;
  entries->len = 0 ;
  if (!stralloc_0(text)) return 0 ;
  text->len-- ;
  if (memchr(text->s, 0, text->len) || !text->len || text->s[text->len-1] != '\n') return (errno = EINVAL, 0) ;
  while ((line = s4_next_line(text, &pos)))
  {
    uint64_t n ;
    s4_entry e ;
    if (!strncmp(line, "end ", 4))
      return uint640_scan(line + 4, &n) && n == genalloc_len(s4_entry, entries)
       && pos == text->len ? 1 : (errno = EINVAL, 0) ;
    if (!parse_line(line, &e)) break ;
    if (!genalloc_append(s4_entry, entries, &e)) return 0 ;
  }
  return (errno = EINVAL, 0) ;
}
