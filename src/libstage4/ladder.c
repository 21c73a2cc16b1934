/* ISC license. */

/* What is tried when the kernel does not do as it is told: ever weaker, until something works. */

#include "stage4.h"

enum s4_rung_e s4_ladder_first (enum s4_action_e action, int arg)
{
  switch (action)
  {
    case S4_KEXEC : return S4_CALL_KEXEC ;
    case S4_POWEROFF : return S4_CALL_POWEROFF ;
    case S4_HALT : return S4_CALL_HALT ;
    default : return arg ? S4_CALL_ARG : S4_CALL_REBOOT ;
  }
}

 /*
   A call that hangs in the kernel has system_transition_mutex, or waits for who has it (kernel/reboot.c): any other
   would only wait with it. sysrq doesn't need it.
 */

enum s4_rung_e s4_ladder_next (enum s4_rung_e rung, enum s4_outcome_e outcome, int arg, int silent)
{
  switch (rung)
  {
    case S4_CALL_KEXEC : return silent ? S4_SYSRQ_RESET : arg ? S4_CALL_ARG : S4_CALL_REBOOT ;
    case S4_CALL_ARG : return silent ? S4_SYSRQ_RESET : S4_CALL_REBOOT ;
    case S4_CALL_REBOOT : return S4_SYSRQ_RESET ;
    case S4_SYSRQ_RESET : return S4_BITE ;
    case S4_CALL_POWEROFF : return S4_SYSRQ_OFF ;
    case S4_SYSRQ_OFF : return silent ? S4_REST : S4_CALL_HALT ;
    case S4_CALL_HALT : return outcome == S4_CAME_BACK ? S4_REST : S4_SYSRQ_SAVE ;
    default : return S4_REST ;
  }
}

int s4_ladder_resets (enum s4_rung_e rung)
{
  return rung == S4_CALL_ARG || rung == S4_CALL_REBOOT || rung == S4_SYSRQ_RESET || rung == S4_BITE ;
}
