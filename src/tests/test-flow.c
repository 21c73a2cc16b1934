/* ISC license. */

/* What all disks have written, by /proc/diskstats: nothing twice. */

#include "stage4.h"
#include "tap.h"

static struct { char const *name ; char const *text ; uint64_t kib ; } const cases[] =
{
  { "nothing", "", 0 },
  { "a disk", "   8       0 sda 1 2 3 4 5 6 7000 8 9 10 11 12 13 14 15 16 17\n", 3500 },
  { "as of an old kernel", "   8       0 sda 1 2 3 4 5 6 7000 8 9 10 11\n", 3500 },
  { "and its partitions", "   8       0 sda 0 0 0 0 0 0 8 0\n   8       1 sda1 0 0 0 0 0 0 4 0\n   8      10 sda10 0 0 0 0 0 0 4 0\n", 4 },
  { "disks with numbers", " 259 0 nvme0n1 0 0 0 0 0 0 8 0\n 259 1 nvme0n1p1 0 0 0 0 0 0 8 0\n 259 2 nvme0n10 0 0 0 0 0 0 2 0\n 179 0 mmcblk0 0 0 0 0 0 0 8 0\n"
    " 179 1 mmcblk0p1 0 0 0 0 0 0 8 0\n 179 8 mmcblk0boot0 0 0 0 0 0 0 2 0\n", 10 },
  { "disks with long names", " 8 0 sda 0 0 0 0 0 0 8 0\n 65 160 sdaa 0 0 0 0 0 0 8 0\n 65 161 sdaa1 0 0 0 0 0 0 8 0\n", 8 },
  { "what lies on others", " 254 0 vda 0 0 0 0 0 0 8 0\n 253 0 dm-0 0 0 0 0 0 0 8 0\n 9 127 md127 0 0 0 0 0 0 8 0\n 7 0 loop0 0 0 0 0 0 0 8 0\n 252 0 zram0 0 0 0 0 0 0 8 0\n", 4 },
  { "cut short", "   8       0 sda 1 2 3\n   8\n\n   8 16 sdb 0 0 0 0 0 0 6", 3 },
  { "no numbers", "   8       0 sda a b c d e f g h\n", 0 },
} ;

int main (void)
{
  for (size_t i = 0 ; i < sizeof cases / sizeof *cases ; i++)
  {
    stralloc text = STRALLOC_ZERO ;
    uint64_t kib ;
    text_of(&text, cases[i].text, strlen(cases[i].text)) ;
    if (!stralloc_0(&text)) bail_out("out of memory", "") ;
    text.len-- ;
    kib = s4_diskstats_kib(&text) ;
    is_number((int64_t)kib, (int64_t)cases[i].kib, cases[i].name) ;
    stralloc_free(&text) ;
  }
  return done() ;
}
