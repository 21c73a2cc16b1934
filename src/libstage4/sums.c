/* ISC license. */

/*
  Lines of sha256sum(1): 64 digits, a space, a space or '*', a name. A line that begins with a backslash has an escaped
  name: \\, \n and \r. So are the stamps of stage4-runonce, whose names are the hashes of their contents. Pure.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/fmtscan.h>
#include <skalibs/genalloc.h>
#include <skalibs/sha256.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

 /* --- reading --- */

static int unescape (char *s)
{
  char *w = s ;
  for (; *s ; s++)
  {
    if (*s != '\\') *w++ = *s ;
    else switch (*++s)
    {
      case '\\' : *w++ = '\\' ; break ;
      case 'n' : *w++ = '\n' ; break ;
      case 'r' : *w++ = '\r' ; break ;
      default : return 0 ;
    }
  }
  *w = 0 ;
  return 1 ;
}

int s4_sum_scan (char *line, s4_sum *sum)
{
  int const escaped = *line == '\\' ;
  char *s = line + escaped ;
  if (!ucharn_scan(s, (char *)sum->hash, S4_HASH_SIZE)) return 0 ;
  s += 2 * S4_HASH_SIZE ;
  if (s[0] != ' ' || (s[1] != ' ' && s[1] != '*') || !s[2]) return 0 ;
  sum->name = s + 2 ;
  return !escaped || unescape(s + 2) ;
}

 /* A zero is as good a place as any for a line that can't be read to end. */

static int has_zero (stralloc const *text, size_t *bad)
{
  char const *zero = text->len ? memchr(text->s, 0, text->len) : 0 ;
  if (!zero) return 0 ;
  *bad = 1 ;
  for (char const *s = text->s ; s < zero ; s++) *bad += *s == '\n' ;
  return 1 ;
}

int s4_sums_parse (stralloc *text, genalloc *sums, size_t *bad)
{
  size_t pos = 0 ;
  char *line ;
  s4_sum sum ;
  *bad = 0 ;
  sums->len = 0 ;
  if (!stralloc_0(text)) return 0 ;
  text->len-- ;
  if (has_zero(text, bad)) return (errno = EINVAL, 0) ;
  for (size_t n = 1 ; (line = s4_next_line(text, &pos)) ; n++)
  {
    if (!*line || *line == '#') continue ;
    if (!s4_sum_scan(line, &sum)) return (*bad = n, errno = EINVAL, 0) ;
    if (!genalloc_append(s4_sum, sums, &sum)) return 0 ;
  }
  return 1 ;
}

int s4_sum_is (s4_sum const *a, s4_sum const *b)
{
  return !memcmp(a->hash, b->hash, S4_HASH_SIZE) && !strcmp(a->name, b->name) ;
}

 /* --- writing --- */

int s4_sum_cat (stralloc *sa, s4_sum const *sum)
{
  char digits[2 * S4_HASH_SIZE] ;
  ucharn_fmt(digits, (char const *)sum->hash, S4_HASH_SIZE) ;
  if (strpbrk(sum->name, "\\\n\r") && !stralloc_append(sa, '\\')) return 0 ;
  if (!stralloc_catb(sa, digits, sizeof digits) || !stralloc_cats(sa, "  ")) return 0 ;
  for (char const *s = sum->name ; *s ; s++)
  {
    char const *escape = *s == '\\' ? "\\\\" : *s == '\n' ? "\\n" : *s == '\r' ? "\\r" : 0 ;
    if (!(escape ? stralloc_cats(sa, escape) : stralloc_append(sa, *s))) return 0 ;
  }
  return stralloc_append(sa, '\n') ;
}

 /* --- stamps --- */

void s4_stamp_fmt (char *name, char const *content, size_t len)
{
  SHA256Schedule ctx = SHA256_INIT() ;
  char hash[S4_HASH_SIZE] ;
  sha256_update(&ctx, content, len) ;
  sha256_final(&ctx, hash) ;
  name[ucharn_fmt(name, hash, S4_HASH_SIZE)] = 0 ;
}

enum s4_stampname_e s4_stamp_scan (char const *name)
{
  size_t len = strspn(name, "0123456789abcdef") ;
  if (len != 2 * S4_HASH_SIZE) return S4_STAMP_NONE ;
  return !name[len] ? S4_STAMP_WHOLE : strcmp(name + len, S4_STAMP_SUFFIX) ? S4_STAMP_NONE : S4_STAMP_UNFINISHED ;
}

int s4_stamp_parse (char const *name, stralloc *content, s4_sum *sum)
{
  char fit[2 * S4_HASH_SIZE + 1] ;
  s4_stamp_fmt(fit, content->s, content->len) ;
  if (strcmp(name, fit) || !content->len || content->s[content->len-1] != '\n') return 0 ;
  if (memchr(content->s, 0, content->len) || memchr(content->s, '\n', content->len - 1)) return 0 ;
  content->s[content->len-1] = 0 ;
  return s4_sum_scan(content->s, sum) && !strchr(sum->name, '/') ;
}
