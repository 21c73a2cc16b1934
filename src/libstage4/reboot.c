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

#include <skalibs/stralloc.h>

#include "stage4.h"

#define SILENCE 60000         /* a kernel that says nothing for so long has got stuck on its way down */
#define SAID_EVERY 10000      /* it takes seconds on its own, on a large machine */
#define PLACE_MAX 4           /* functions that are named of where it is stuck */
#define TRIES 3               /* of a child that somebody kills */
#define SYSRQ_TIMEOUT 5000    /* to press a key */
#define SYSRQ_PAUSE 1000      /* s and u work in the background, and say nothing to us when they are done */
#define CAD_TIMEOUT 3000
#define RESORT_TIMEOUT 3000   /* for each thing that the last resort tries */

static struct { unsigned int command ; char const *name ; } const calls[] =
{
  [S4_CALL_KEXEC] = { LINUX_REBOOT_CMD_KEXEC, "kexec" },
  [S4_CALL_ARG] = { LINUX_REBOOT_CMD_RESTART2, "reboot with " },
  [S4_CALL_REBOOT] = { LINUX_REBOOT_CMD_RESTART, "reboot" },
  [S4_CALL_POWEROFF] = { LINUX_REBOOT_CMD_POWER_OFF, "poweroff" },
  [S4_CALL_HALT] = { LINUX_REBOOT_CMD_HALT, "halt" },
} ;

 /* --- reboot(2) --- */

static int reboot_call (enum s4_rung_e rung, char const *arg)
{
  return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, calls[rung].command, arg) == -1 ? errno : 0 ;
}

static void say_wait (pid_t pid, char const *name, char const *arg, s4_ms waited)
{
  stralloc stack = STRALLOC_ZERO, place = STRALLOC_ZERO ;
  char file[S4_PROCNAME] ;
  int known = s4_proc_read(s4_proc_name(file, pid, "/stack"), &stack) && s4_stack_names(&place, &stack, PLACE_MAX) > 0
   && stralloc_0(&place) ;
  char const *where = known ? place.s : 0 ;
  if (waited < SILENCE)
    s4_info("waiting for the kernel to ", name, arg, ", ", S4_MS(waited), where ? ", in " : "", where) ;
  else s4_fatal(name, arg, ": no answer from the kernel for ", S4_MS(SILENCE), where ? ", in " : "", where) ;
  stralloc_free(&stack) ;
  stralloc_free(&place) ;
}

static int has_answered (pid_t pid, char const *name, char const *arg, int *wstat)
{
  s4_ms const began = s4_now() ;
  for (s4_ms waited = SAID_EVERY ; waited <= SILENCE ; waited += SAID_EVERY)
  {
    if (s4_wait(pid, began + waited, wstat)) return 1 ;
    say_wait(pid, name, arg, waited) ;
  }
  return 0 ;
}

static enum s4_outcome_e say_answer (enum s4_rung_e rung, char const *arg, int e)
{
  char const *name = calls[rung].name ;
  if (rung == S4_CALL_KEXEC && e == EINVAL) s4_fatal("unable to kexec: no kernel is loaded") ;
  else if (e) s4_report(S4_FATAL, e, S4_STRINGS("unable to ", name, arg)) ;
  else if (rung != S4_CALL_HALT)
    s4_fatal(name, arg, ": the kernel says that it is done, and the machine is still there") ;
  return e ? S4_FAILED : S4_CAME_BACK ;
}

 /*
   In a child: for halt and power-off the kernel ends the caller, and pid 1 must not end. Where there can be no child
   nobody is left who could wait for it.
 */

static enum s4_outcome_e try_call (enum s4_rung_e rung, char const *arg)
{
  char const *name = calls[rung].name ;
  char const *what = rung == S4_CALL_ARG ? arg : 0 ;
  int wstat = 0 ;
  for (unsigned int tries = 0 ; tries < TRIES ; tries++)
  {
    pid_t pid = s4_fork_worker(-1, 0) ;
    if (!pid) _exit(reboot_call(rung, arg) & 255) ;
    if (pid == -1)
    {
      s4_warnsys("unable to start a worker to ", name, what) ;
      return say_answer(rung, what, reboot_call(rung, arg)) ;
    }
    if (!has_answered(pid, name, what, &wstat)) return S4_SILENT ;
    if (WIFEXITED(wstat)) return say_answer(rung, what, WEXITSTATUS(wstat)) ;
    s4_warn("the worker that was to ", name, what, " was killed by signal ", S4_NUM(WTERMSIG(wstat))) ;
  }
  s4_fatal("unable to ", name, what, ": its workers are killed") ;
  return S4_FAILED ;
}

 /* Not by this process: even that waits for system_transition_mutex, which a suspend has while it syncs. */

int s4_cad_resets (void)
{
  int wstat ;
  pid_t pid = s4_fork_worker(-1, 0) ;
  if (!pid) _exit(reboot(RB_ENABLE_CAD) == -1 ? errno & 255 : 0) ;
  if (pid == -1) return 0 ;
  if (!s4_wait(pid, s4_limit(CAD_TIMEOUT), &wstat)) return (errno = ETIMEDOUT, 0) ;
  if (!WIFEXITED(wstat)) return (errno = EOWNERDEAD, 0) ;
  return !WEXITSTATUS(wstat) || (errno = WEXITSTATUS(wstat), 0) ;
}

 /* --- sysrq --- */

 /* Not by this process: a reset may hang, too. 0 or errno */

static int press (char const *key)
{
  int wstat ;
  pid_t pid = s4_fork_worker(-1, 0) ;
  if (pid <= 0)
  {
    int e = s4_proc_write("sysrq-trigger", key) ? 0 : errno ;
    if (!pid) _exit(e & 255) ;
    return e ;
  }
  if (!s4_wait(pid, s4_now() + SYSRQ_TIMEOUT, &wstat)) return ETIMEDOUT ;
  return WIFEXITED(wstat) ? WEXITSTATUS(wstat) : EOWNERDEAD ;
}

static void try_key (char const *key, s4_ms pause)
{
  int e = press(key) ;
  if (e) s4_warnerr(e, "unable to use sysrq ", key) ;
  else s4_poll(0, 0, s4_now() + pause) ;
}

 /* The last one: for off, the kernel's own threads do all that reboot(2) does. */

static enum s4_outcome_e sysrq (char const *last, s4_ms pause)
{
  s4_fatal("trying sysrq s, u", last ? ", " : "", last) ;
  try_key("s", SYSRQ_PAUSE) ;
  try_key("u", SYSRQ_PAUSE) ;
  if (last) try_key(last, pause) ;
  return S4_FAILED ;
}

 /* --- the watchdog --- */

static enum s4_outcome_e let_watchdog_bite (void)
{
  if (!s4_watchdog_bite()) return S4_FAILED ;
  s4_fatal("leaving it to the watchdog") ;
  return S4_CAME_BACK ;
}

 /* Armed it is only where it does what is wanted: whoever comes after another action would not know of it. */

static int arm_for (enum s4_rung_e rung, int armed, char const *after)
{
  int const arm = s4_ladder_resets(rung) ;
  int e ;
  if (s4.watchdog < 0 || arm == armed || rung == S4_REST) return armed ;   /* it may be about to bite */
  if (arm)
  {
    s4_watchdog_rearm() ;
    return 1 ;
  }
  e = s4_watchdog_disarm() ;
  if (e == EBUSY) s4_warn("the watchdog can't be disarmed (nowayout): it will reset the machine after ", after) ;
  else if (e) s4_warnerr(e, "unable to disarm the watchdog: it will reset the machine after ", after) ;
  return 0 ;
}

 /* --- the ladder --- */

static void gccattr_noreturn rest (void)
{
  for (;;)
  {
    poll(0, 0, 1000) ;   /* feeds no watchdog */
    s4_reap() ;
  }
}

static enum s4_outcome_e try_rung (enum s4_rung_e rung, char const *arg)
{
  switch (rung)
  {
    case S4_SYSRQ_RESET : return sysrq("b", SYSRQ_PAUSE) ;
    case S4_SYSRQ_OFF : return sysrq("o", SILENCE) ;
    case S4_SYSRQ_SAVE : return sysrq(0, 0) ;
    case S4_BITE : return let_watchdog_bite() ;
    case S4_REST : rest() ;
    default : return try_call(rung, arg) ;
  }
}

 /* Inside of a pid namespace reboot(2) ends the namespace; without the right to it, the end of its pid 1 does. */

static void end_container (enum s4_action_e action)
{
  reboot(action == S4_POWEROFF ? RB_POWER_OFF : action == S4_HALT ? RB_HALT_SYSTEM : RB_AUTOBOOT) ;
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
  enum s4_rung_e rung = s4_ladder_first(action, !!arg) ;
  int silent = 0, armed = 1 ;
  if (s4.container) end_container(action) ;
  for (;;)
  {
    enum s4_outcome_e outcome ;
    armed = arm_for(rung, armed, s4_action_name(action)) ;
    outcome = try_rung(rung, arg) ;
    silent |= outcome == S4_SILENT ;
    rung = s4_ladder_next(rung, outcome, !!arg, silent) ;
    if (rung == S4_REST && outcome != S4_CAME_BACK) s4_fatal("nothing else is left to try, waiting for ever") ;
  }
}

 /* --- the last resort --- */

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
  s4_hardreboot(action, s4_nextvar("STAGE4_ARG")) ;   /* begin has just set it */
}
