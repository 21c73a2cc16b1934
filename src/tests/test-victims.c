/* ISC license. */

/* Processes that are to end: what is said of them, which signals they get, and what it leaves of this process. */

#include <skalibs/nonposix.h>

#include <unistd.h>

#include "stage4.h"
#include "tap.h"

static void add (s4_victims *victims, s4_process const *p)
{
  s4_victim const v = { .p = *p, .pidfd = -1 } ;
  if (!genalloc_append(s4_victim, &victims->list, &v)) bail_out("out of memory", "") ;
}

static struct { char const *name ; s4_process p[3] ; unsigned int n ; enum s4_birth_e birth ; } const births[] =
{
  { "an old one", { { .ppid = 1, .start = 99 } }, 1, S4_BORN_BEFORE },
  { "an old one of another", { { .ppid = 7, .start = 99 } }, 1, S4_BORN_BEFORE },
  { "a new one", { { .ppid = 1, .start = 100 } }, 1, S4_BORN_OF_PID_1 },
  { "new ones", { { .ppid = 1, .start = 100 }, { .ppid = 1, .start = 101 }, { .ppid = 1, .start = UINT64_MAX } }, 3, S4_BORN_OF_PID_1 },
  { "the first is old", { { .ppid = 1, .start = 1 }, { .ppid = 1, .start = 101 }, { .ppid = 7, .start = 102 } }, 3, S4_BORN_BEFORE },
  { "the last is old", { { .ppid = 7, .start = 100 }, { .ppid = 1, .start = 101 }, { .ppid = 1, .start = 99 } }, 3, S4_BORN_BEFORE },
  { "a new one of another", { { .ppid = 7, .start = 100 } }, 1, S4_BORN_OF_OTHERS },
  { "one of them of another", { { .ppid = 1, .start = 100 }, { .ppid = 7, .start = 100 }, { .ppid = 1, .start = 100 } }, 3, S4_BORN_OF_OTHERS },
  { "of none", { { .ppid = 0, .start = 100 } }, 1, S4_BORN_OF_OTHERS }
} ;

static void born (void)
{
  for (size_t i = 0 ; i < sizeof births / sizeof *births ; i++)
  {
    s4_victims victims = S4_VICTIMS_ZERO ;
    for (unsigned int k = 0 ; k < births[i].n ; k++) add(&victims, births[i].p + k) ;
    is_number(s4_victims_birth(&victims, 100), births[i].birth, births[i].name) ;
    s4_victims_forget(&victims) ;
  }
}

int main (void)
{
  born() ;
  return done() ;
}
