/* ISC license. */

/* What swap lies on, by sysfs, and what that keeps busy. */

#include <string.h>

#include "stage4.h"

enum s4_swapkind_e s4_swapkind_of_device (s4_sysfile_func *read, stralloc *text, void *data)
{
  if (read("/dm/name", text, data)) return S4_SWAP_DM ;
  if (read("/loop/backing_file", text, data) || read("/../loop/backing_file", text, data)) return S4_SWAP_LOOP ;
  if (read("/md/array_state", text, data) || read("/../md/array_state", text, data)) return S4_SWAP_MD ;
  if (read("/backing_dev", text, data)) return strcmp(text->s, "none") ? S4_SWAP_ZRAM_BACKED : S4_SWAP_ZRAM ;
  if (read("/disksize", text, data)) return S4_SWAP_ZRAM ;
  return S4_SWAP_PARTITION ;
}

int s4_swapkind_pins (enum s4_swapkind_e kind)
{
  return kind != S4_SWAP_ZRAM && kind != S4_SWAP_PARTITION ;
}

char const *s4_swapkind_reason (enum s4_swapkind_e kind)
{
  switch (kind)
  {
    case S4_SWAP_FILE : return "a file keeps its file system busy" ;
    case S4_SWAP_DM : return "keeps a device-mapper device busy" ;
    case S4_SWAP_LOOP : return "keeps a loop device busy" ;
    case S4_SWAP_MD : return "keeps a RAID array busy" ;
    case S4_SWAP_ZRAM_BACKED : return "zram with a backing device" ;
    case S4_SWAP_PARTITION : return "a partition pins nothing" ;
    case S4_SWAP_ZRAM : return "zram pins nothing" ;
    case S4_SWAP_UNKNOWN : break ;
  }
  return "can't be looked at" ;
}
