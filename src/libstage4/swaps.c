/* ISC license. */

/* /proc/swaps: from text to swaps. The name is padded with spaces, then comes the type (mm/swapfile.c:swap_show). */

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static int parse_line (char *line, s4_swap *sw)
{
  size_t len = strcspn(line, " \t") ;
  uint64_t size ;
  char *s = line + len ;
  if (!line[len] || !len) return 0 ;
  s += strspn(s, " \t") ;
  sw->isfile = !strncmp(s, "file", 4) ;
  s += strcspn(s, " \t") ;
  s += strspn(s, " \t") ;
  len = uint64_scan(s, &size) ;
  if (!len) return 0 ;
  s += len ;
  s += strspn(s, " \t") ;
  if (!uint64_scan(s, &sw->used)) return 0 ;
  line[s4_unoctal(line, strcspn(line, " \t"))] = 0 ;
  sw->path = line ;
  return 1 ;
}

int s4_swaps_parse (stralloc *text, genalloc *swaps)
{
  size_t pos = 0 ;
  char *line ;
  swaps->len = 0 ;
  if (!stralloc_0(text)) return 0 ;
  text->len-- ;
  s4_next_line(text, &pos) ;   /* the heading */
  while ((line = s4_next_line(text, &pos)))
  {
    s4_swap sw ;
    if (parse_line(line, &sw) && !genalloc_append(s4_swap, swaps, &sw)) return 0 ;
  }
  return 1 ;
}

 /* A kernel without swap has no such file; but a procfs that shows processes only has none of the others either. */

int s4_swaps_load (stralloc *text, genalloc *swaps)
{
  if (s4_proc_read("swaps", text)) return s4_swaps_parse(text, swaps) ;
  swaps->len = 0 ;
  return errno == ENOENT && (s4_proc_read("meminfo", text) || (errno = ENOENT, 0)) ;
}
