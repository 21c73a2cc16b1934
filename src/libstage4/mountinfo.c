/* ISC license. */

/* /proc/self/mountinfo: from text to mounts (proc(5), fs/proc_namespace.c:show_mountinfo). */

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

 /* Whole words only: "ro,relatime" has it, "errors=remount-ro" has not. */

int s4_has_word (char const *list, char const *word)
{
  size_t len = strlen(word) ;
  for (;;)
  {
    size_t n = strcspn(list, ",") ;
    if (n == len && !strncmp(list, word, n)) return 1 ;
    if (!list[n]) return 0 ;
    list += n + 1 ;
  }
}

static int parse_line (char *line, s4_mount *m)
{
  char *s ;
  size_t len ;
  if (!(s = s4_field(&line)) || !uint0_scan(s, &m->id)) return 0 ;
  if (!(s = s4_field(&line)) || !uint0_scan(s, &m->parent)) return 0 ;
  if (!(s = s4_field(&line)) || !(len = uint_scan(s, &m->major)) || s[len] != ':') return 0 ;
  if (!uint0_scan(s + len + 1, &m->minor)) return 0 ;
  if (!(m->root = s4_field_name(&line)) || !(m->dir = s4_field_name(&line)) || !s4_field(&line)) return 0 ;
  m->shared = m->remote = m->in_no_table = 0 ;
  for (;;)
  {
    if (!(s = s4_field(&line))) return 0 ;
    if (!strcmp(s, "-")) break ;
    if (!strncmp(s, "shared:", 7)) m->shared = 1 ;
  }
  if (!(m->type = s4_field_name(&line)) || !(m->source = s4_field_name(&line)) || (!line && !*m->source)) return 0 ;
  m->superoptions = line ? line : "" ;
  m->readonly = s4_has_word(m->superoptions, "ro") ;
  return 1 ;
}

int s4_mountinfo_parse (stralloc *text, genalloc *mounts)
{
  size_t pos = 0 ;
  char *line ;
  mounts->len = 0 ;
  if (!stralloc_0(text)) return 0 ;
  text->len-- ;
  while ((line = s4_next_line(text, &pos)))
  {
    s4_mount m ;
    if (parse_line(line, &m) && !genalloc_append(s4_mount, mounts, &m)) return 0 ;
  }
  return 1 ;
}

int s4_mounts_load (s4_mounts *ms)
{
  genalloc g = GENALLOC_ZERO ;
  if (!s4_proc_read("self/mountinfo", &ms->text)) return 0 ;
  if (!s4_mountinfo_parse(&ms->text, &g)) return 0 ;
  free(ms->m) ;
  ms->m = genalloc_s(s4_mount, &g) ;
  ms->n = ms->nown = (unsigned int)genalloc_len(s4_mount, &g) ;
  ms->unseen = 0 ;
  return 1 ;
}

void s4_mounts_free (s4_mounts *ms)
{
  stralloc_free(&ms->text) ;
  genalloc_free(uint64_t, &ms->devices) ;
  free(ms->m) ;
  ms->m = 0 ;
  ms->n = ms->nown = 0 ;
}

uint64_t s4_mount_device (s4_mount const *m)
{
  return (uint64_t)m->major << 32 | m->minor ;
}

int s4_same_superblock (s4_mount const *a, s4_mount const *b)
{
  return s4_mount_device(a) == s4_mount_device(b) ;
}

int s4_mounts_find (s4_mounts const *ms, unsigned int id)
{
  for (unsigned int i = 0 ; i < ms->n ; i++)
    if (ms->m[i].id == id) return (int)i ;
  return -1 ;
}

 /* The initramfs is its own parent. */

int s4_mounts_parent (s4_mounts const *ms, int i)
{
  return i < 0 || ms->m[i].parent == ms->m[i].id ? -1 : s4_mounts_find(ms, ms->m[i].parent) ;
}
