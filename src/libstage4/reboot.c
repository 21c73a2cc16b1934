/* ISC license. */

/*
  The end: the hard reboot, weaker and weaker until something works; and the last resort of a chain that can't
  go on.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/reboot.h>

#include "stage4.h"

#define SILENCE 60000         /* a kernel that says nothing for so long has got stuck on its way down */
#define RESORT_TIMEOUT 3000   /* for each thing that the last resort tries */

static unsigned int const commands[] =
{
  [S4_REBOOT] = LINUX_REBOOT_CMD_RESTART,
  [S4_POWEROFF] = LINUX_REBOOT_CMD_POWER_OFF,
  [S4_HALT] = LINUX_REBOOT_CMD_HALT,
  [S4_KEXEC] = LINUX_REBOOT_CMD_KEXEC,
} ;

static int reboot_call (enum s4_action_e action, char const *arg)
{
  if (action == S4_REBOOT && arg)
    return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART2, arg) ;
  return reboot((int)commands[action]) ;
}

 /* In a child: for halt and power-off the kernel ends the caller, and pid 1 must not end. */

static void try_reboot (enum s4_action_e action, char const *arg)
{
  int wstat ;
  pid_t pid = s4_fork_worker(-1, 0) ;
  if (pid <= 0)
  {
    int e = reboot_call(action, arg) == -1 ? errno : 0 ;
    if (!pid) _exit(e & 255) ;
    s4_fatalsys("unable to ", s4_action_name(action)) ;
    return ;
  }
  if (!s4_wait(pid, s4_now() + SILENCE, &wstat))
    s4_fatal(s4_action_name(action), ": no answer from the kernel for ", S4_MS(SILENCE)) ;
  else if (WIFEXITED(wstat) && WEXITSTATUS(wstat))
    s4_report(S4_FATAL, WEXITSTATUS(wstat), S4_STRINGS("unable to ", s4_action_name(action))) ;
}

static void gccattr_noreturn rest (void)
{
  for (;;)
  {
    poll(0, 0, 1000) ;
    s4_reap() ;
  }
}

static void sysrq (char const *keys)
{
  s4_fatal("trying sysrq") ;
  for (; *keys ; keys++)
  {
    char const key[2] = { *keys, 0 } ;
    if (!s4_proc_write("sysrq-trigger", key)) s4_warnsys("unable to use sysrq ", key) ;
    poll(0, 0, 1000) ;   /* s and u work in the background, and say nothing when they are done */
  }
}

static void let_watchdog_bite (void)
{
  if (s4_watchdog_bite()) s4_fatal("leaving it to the watchdog") ;
}

 /* Armed it stays only for a reboot: whoever comes after another action would not know of it. */

static void guard (enum s4_action_e action)
{
  int e ;
  if (s4.watchdog < 0 || action == S4_REBOOT) return ;
  e = s4_watchdog_disarm() ;
  if (e == EBUSY) s4_warn("the watchdog can't be disarmed (nowayout): it will reset the machine after ",
    s4_action_name(action)) ;
  else if (e) s4_warnerr(e, "unable to disarm the watchdog: it will reset the machine after ", s4_action_name(action)) ;
}

 /* Inside of a pid namespace reboot(2) ends the namespace; without the right to it, the end of its pid 1 does. */

static void end_container (enum s4_action_e action)
{
  reboot((int)commands[action == S4_KEXEC ? S4_REBOOT : action]) ;
  if (getpid() != 1)
  {
    s4_fatalsys("unable to end the container") ;
    _exit(S4_NOTSTARTED) ;
  }
  s4_verbose("the container ends with this process") ;
  _exit(0) ;
}

void s4_hardreboot (enum s4_action_e action, char const *arg)
{
  if (s4.container) end_container(action) ;
  guard(action) ;
  if (action == S4_KEXEC)
  {
    try_reboot(action, 0) ;
    s4_watchdog_rearm() ;
    action = S4_REBOOT ;
  }
  if (arg && action == S4_REBOOT) try_reboot(action, arg) ;
  try_reboot(action, 0) ;
  if (action == S4_HALT) rest() ;
  sysrq(action == S4_POWEROFF ? "suo" : "sub") ;
  if (action == S4_POWEROFF) try_reboot(S4_HALT, 0) ;
  else let_watchdog_bite() ;
  rest() ;
}

static void save_what_can_be_saved (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  s4_superblocks sb ;
  int known ;
  if (!s4_sync(RESORT_TIMEOUT)) s4_warn("sync: not finished in time") ;
  known = s4_storage_load_whole(&st, &ms, 1) ;
  if (!known || !s4_superblocks_find(&sb, &st, 0, 0))
  {
    s4_warnsys("unable to see what is mounted") ;
    s4_emergency_readonly() ;
  }
  else if (s4_readonly_these(&st, &sb, RESORT_TIMEOUT))
  {
    if (s4_storage_load_whole(&st, &ms, 1) && s4_freezable_find(&sb, &st)) s4_freeze_these(&st, &sb, RESORT_TIMEOUT) ;
    else
    {
      s4_warnsys("unable to see what is still writable") ;
      s4_emergency_readonly() ;
    }
  }
  if (known == -1)
  {
    s4_warn("unable to see what no mount table shows") ;
    s4_emergency_readonly() ;
  }
}

void s4_lastresort (int code)
{
  enum s4_action_e action = s4.action ;
  if (s4.container) _exit(code) ;
  if (getpid() != 1 && (action == S4_RETURN || action == S4_NOACTION)) _exit(code) ;
  if (action == S4_RETURN || action == S4_NOACTION) action = S4_REBOOT ;
  s4_fatal("the chain can't go on: last resort, then ", s4_action_name(action)) ;
  save_what_can_be_saved() ;
  s4_hardreboot(action, s4_getenv("STAGE4_ARG")) ;
}
