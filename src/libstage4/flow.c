/* ISC license. */

/* What the machine still has to write, and what it has written: for those who wait until it is done. */

#include <ctype.h>
#include <string.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define SECTORS_WRITTEN 7   /* which number behind the name, Documentation/admin-guide/iostats.rst; of 512 bytes each */

static uint64_t number_after (char const *text, char const *name)
{
  char const *s = strstr(text, name) ;
  uint64_t u = 0 ;
  if (s) uint64_scan(s + strlen(name) + strspn(s + strlen(name), " "), &u) ;
  return u ;
}

uint64_t s4_pages_written (void)
{
  static stralloc text = STRALLOC_ZERO ;
  return s4_proc_read("vmstat", &text) ? number_after(text.s, "\nnr_written ") : 0 ;
}

static uint64_t dirty_kib (void)
{
  static stralloc text = STRALLOC_ZERO ;
  return s4_proc_read("meminfo", &text) ? number_after(text.s, "\nDirty:") + number_after(text.s, "\nWriteback:") : 0 ;
}

 /* What lies on other disks counts there. */

static int is_stacked (char const *name)
{
  static char const *const kinds[] = { "dm-", "md", "loop", "zram", "ram", "bcache" } ;
  for (unsigned int k = 0 ; k < sizeof kinds / sizeof *kinds ; k++)
    if (!strncmp(name, kinds[k], strlen(kinds[k]))) return 1 ;
  return 0 ;
}

 /* sda1 of sda, nvme0n1p1 of nvme0n1 (block/partitions/core.c:add_partition). They are listed behind their disk. */

static int is_partition_of (char const *disk, char const *name)
{
  size_t len = strlen(disk) ;
  if (!len || strncmp(name, disk, len)) return 0 ;
  if (isdigit((unsigned char)disk[len-1]) && name[len++] != 'p') return 0 ;
  return isdigit((unsigned char)name[len]) ;
}

static uint64_t sectors_written (char *numbers)
{
  uint64_t u = 0 ;
  char const *field = 0 ;
  for (unsigned int i = 0 ; i < SECTORS_WRITTEN ; i++) field = s4_field(&numbers) ;
  return field && uint64_scan(field, &u) ? u : 0 ;
}

uint64_t s4_diskstats_kib (stralloc *text)
{
  char const *disk = "" ;
  uint64_t sectors = 0 ;
  size_t pos = 0 ;
  char *line ;
  while ((line = s4_next_line(text, &pos)))
  {
    char const *name ;
    line += strspn(line, " 0123456789") ;   /* the device number */
    name = s4_field(&line) ;
    if (is_stacked(name) || is_partition_of(disk, name)) continue ;
    disk = name ;
    sectors += sectors_written(line) ;
  }
  return sectors / 2 ;
}

void s4_flow_to_disks (s4_flow *flow, void *data)
{
  static stralloc text = STRALLOC_ZERO ;
  (void)data ;
  flow->to_go = (int64_t)dirty_kib() ;
  flow->done = s4_proc_read("diskstats", &text) ? (int64_t)s4_diskstats_kib(&text) : 0 ;
}
