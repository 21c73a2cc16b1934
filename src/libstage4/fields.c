/* ISC license. */

/* Lines of fields, one space between them; in names odd bytes are \ooo, as in mountinfo (fs/seq_file.c:mangle_path). */

#include <string.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

char *s4_next_line (stralloc *text, size_t *pos)
{
  char *line = text->s + *pos ;
  char *end ;
  if (*pos >= text->len) return 0 ;
  end = memchr(line, '\n', text->len - *pos) ;
  *pos = end ? (size_t)(end - text->s) + 1 : text->len ;
  if (end) *end = 0 ;
  return line ;
}

size_t s4_unoctal (char *s, size_t len)
{
  size_t r = 0, w = 0 ;
  while (r < len)
  {
    if (s[r] == '\\' && r + 3 < len && s[r+1] >= '0' && s[r+1] <= '3'
     && s[r+2] >= '0' && s[r+2] <= '7' && s[r+3] >= '0' && s[r+3] <= '7')
    {
      s[w++] = (char)((s[r+1] - '0') << 6 | (s[r+2] - '0') << 3 | (s[r+3] - '0')) ;
      r += 4 ;
    }
    else s[w++] = s[r++] ;
  }
  return w ;
}

char *s4_field (char **line)
{
  char *s = *line ;
  char *end = s ? strchr(s, ' ') : 0 ;
  *line = end ? end + 1 : 0 ;
  if (end) *end = 0 ;
  return s ;
}

char *s4_field_name (char **line)
{
  char *s = s4_field(line) ;
  char *odd = s ? strchr(s, '\\') : 0 ;
  if (odd) odd[s4_unoctal(odd, strlen(odd))] = 0 ;
  return s ;
}
