/* ISC license. */

/* Who is to end, and who of them is spared by what he is; with doubt if there seems to be nobody. */

#include <string.h>
#include <unistd.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define DOUBT 1000   /* how long to look for who comes and goes */

 /* The pid that was given last, the last field of /proc/loadavg (proc(5)); 0: unknown. */

static unsigned int last_pid (void)
{
  stralloc text = STRALLOC_ZERO ;
  char const *field = s4_proc_read("loadavg", &text) ? strrchr(text.s, ' ') : 0 ;
  unsigned int pid = 0 ;
  if (field) uint_scan(field + 1, &pid) ;
  stralloc_free(&text) ;
  return pid ;
}

static int are_all_spared (s4_victims const *victims)
{
  s4_victim const *v = s4_victims_list(victims) ;
  size_t n = s4_victims_count(victims) ;
  while (n--) if (!v[n].spared) return 0 ;
  return 1 ;
}

 /*
   A scan that finds nobody is believed only if nobody was born during it: one who forks and ends all the time
   is never where it looks.
 */

int s4_victims_scan (s4_victims *victims, s4_victim_func *wanted, void *data, s4_ms until, int *sure)
{
  s4_ms const doubted = s4_now() + DOUBT ;
  for (;;)
  {
    unsigned int const before = last_pid() ;
    s4_victims_forget(victims) ;
    if (!s4_victims_find(victims, wanted, data)) return 0 ;
    *sure = last_pid() == before && !victims->unseen ;
    s4_victims_find_spared(victims) ;
    if (*sure || !are_all_spared(victims) || s4_now() >= (until < doubted ? until : doubted)) return 1 ;
  }
}
