/* ISC license. */

/* What pstore keeps over an orderly reboot. */

#include "stage4.h"
#include "tap.h"

static struct { char const *max_reason ; int always, want ; } const reasons[] =
{
  { "", 1, 1 }, { "", 0, 0 }, { "0", 1, 1 }, { "0", 0, 0 }, { "-1", 1, 0 }, { "2", 1, 0 }, { "3", 1, 0 }, { "4", 0, 1 },
  { "5", 0, 1 }, { "nonsense", 1, 0 },
} ;

int main (void)
{
  for (unsigned int i = 0 ; i < sizeof reasons / sizeof *reasons ; i++)
    ok(s4_pstore_keeps(reasons[i].max_reason, reasons[i].always) == reasons[i].want, "max_reason '%s', always %d",
      reasons[i].max_reason, reasons[i].always) ;
  return done() ;
}
