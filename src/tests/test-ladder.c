/* ISC license. */

/* The ladder of stage4-hpr: where it begins, where it goes, and that it always ends. */

#include <string.h>

#include "stage4.h"
#include "tap.h"

static char const *const letter = "kArphBOSwz" ;   /* of each rung: k A r p h are reboot(2) */

enum kernel_e { FAILS, COMES_BACK, HANGS } ;

static struct { char const *name ; enum s4_action_e action ; int arg ; enum kernel_e kernel ; char const *way ; } const ways[] =
{
  { "reboot fails", S4_REBOOT, 0, FAILS, "rBwz" },
  { "reboot comes back", S4_REBOOT, 0, COMES_BACK, "rBwz" },
  { "reboot hangs", S4_REBOOT, 0, HANGS, "rBwz" },
  { "reboot with an argument fails", S4_REBOOT, 1, FAILS, "ArBwz" },
  { "reboot with an argument hangs", S4_REBOOT, 1, HANGS, "ABwz" },
  { "poweroff fails", S4_POWEROFF, 0, FAILS, "pOhSz" },
  { "poweroff fails, an argument means nothing", S4_POWEROFF, 1, FAILS, "pOhSz" },
  { "poweroff comes back, as halt", S4_POWEROFF, 0, COMES_BACK, "pOhz" },
  { "poweroff hangs", S4_POWEROFF, 0, HANGS, "pOz" },
  { "halt fails", S4_HALT, 0, FAILS, "hSz" },
  { "halt comes back", S4_HALT, 0, COMES_BACK, "hz" },
  { "halt hangs", S4_HALT, 0, HANGS, "hSz" },
  { "kexec fails", S4_KEXEC, 0, FAILS, "krBwz" },
  { "kexec comes back", S4_KEXEC, 0, COMES_BACK, "krBwz" },
  { "kexec fails, with an argument", S4_KEXEC, 1, FAILS, "kArBwz" },
  { "kexec hangs", S4_KEXEC, 1, HANGS, "kBwz" },
} ;

static void walk (char *way, enum s4_action_e action, int arg, enum kernel_e kernel)
{
  enum s4_rung_e rung = s4_ladder_first(action, arg) ;
  int silent = 0 ;
  unsigned int n = 0 ;
  while (n < 12)
  {
    int call = rung <= S4_CALL_HALT ;
    enum s4_outcome_e outcome = !call || kernel == FAILS ? S4_FAILED : kernel == HANGS ? S4_SILENT : S4_CAME_BACK ;
    way[n++] = letter[rung] ;
    if (rung == S4_REST) break ;
    silent |= outcome == S4_SILENT ;
    rung = s4_ladder_next(rung, outcome, arg, silent) ;
  }
  way[n] = 0 ;
}

int main (void)
{
  for (unsigned int i = 0 ; i < sizeof ways / sizeof *ways ; i++)
  {
    char way[16] ;
    walk(way, ways[i].action, ways[i].arg, ways[i].kernel) ;
    is_string(way, ways[i].way, ways[i].name) ;
  }
  for (unsigned int i = 0 ; letter[i] ; i++)
    ok(s4_ladder_resets(i) == !!strchr("ArBw", letter[i]), "%c may have the watchdog armed only if it resets", letter[i]) ;
  return done() ;
}
