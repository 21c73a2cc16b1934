/* ISC license. */

/*
  The hardware watchdog (Documentation/watchdog/watchdog-api.rst): one fd, which the chain inherits from program to
  program, and which every wait feeds. A step that is stopped, or loops, feeds nobody, and the machine is reset.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/watchdog.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define KTHREADD 2
#define LATE_STEP 2000       /* what a step has when the budget is over */
#define BUSY_PATIENCE 2000   /* who had it and was just killed lets go of it in the end of his exit */

void s4_watchdog_feed (void)
{
  if (s4.watchdog < 0) return ;
  if (s4_now() < s4.budget.deadline || s4_now() < s4.budget.start + LATE_STEP) ioctl(s4.watchdog, WDIOC_KEEPALIVE, 0) ;
}

 /* Asked for something that does no harm, whatever else that fd may be. */

static int is_watchdog (int fd)
{
  struct watchdog_info info ;
  return !ioctl(fd, WDIOC_GETSUPPORT, &info) ;
}

int s4_watchdog_named (char const *variable)
{
  char const *s = s4_getenv(variable) ;
  unsigned int fd ;
  return s && uint0_scan(s, &fd) && fd > 2 && fd <= INT32_MAX && is_watchdog((int)fd) ? (int)fd : -1 ;
}

int s4_watchdog_inherited (void)
{
  int fd = s4_watchdog_named("STAGE4_WATCHDOG") ;
  return fd >= 0 ? fd : s4_watchdog_named("WDTFD") ;
}

char const *s4_watchdog_first (void)
{
  static char const first[] = "/dev/watchdog0", old[] = "/dev/watchdog" ;
  return access(first, F_OK) && !access(old, F_OK) ? old : first ;
}

 /*
   Without any procfs nobody can see whether this is a container, and the watchdog is the host's there. Only on the
   machine is pid 2 a thread of the kernel, which has no process group.
 */

static int is_on_machine (void)
{
  return s4_proc() != -1 ? !s4.container : !getpgid(KTHREADD) ;
}

 /* By its name, or by its number if that is null. */

static int open_once (char const *device, uint64_t number)
{
  int const flags = O_WRONLY | O_NOCTTY | O_NONBLOCK ;
  return device ? s4_open_node(device, flags)
   : s4_open_own_node((unsigned int)(number >> 32), (unsigned int)number, flags) ;
}

static int open_patiently (char const *device, uint64_t number)
{
  s4_ms const limit = s4_limit(BUSY_PATIENCE) ;
  int fd ;
  if (!is_on_machine()) return (errno = EPERM, -1) ;
  while ((fd = open_once(device, number)) == -1 && errno == EBUSY && s4_now() < limit)
    s4_poll(0, 0, s4_now() + S4_TICK) ;
  if (fd == -1 || is_watchdog(fd)) return fd ;
  fd_close(fd) ;
  return (errno = ENOTTY, -1) ;
}

int s4_watchdog_open (char const *device)
{
  return open_patiently(device, 0) ;
}

struct active { int fd, err ; } ;

static int open_if_active (char const *name, void *data)
{
  struct active *x = data ;
  uint64_t number ;
  if (!s4_watchdog_says(name, "state", "active") || !s4_sys_number("/sys/class/watchdog/", name, &number)) return 1 ;
  x->fd = open_patiently(0, number) ;
  x->err = errno ;
  return x->fd == -1 ;
}

int s4_watchdog_open_active (void)
{
  struct active x = { .fd = -1, .err = ENOENT } ;
  s4_sys_each("/sys/class/watchdog", &open_if_active, &x) ;
  return (errno = x.err, x.fd) ;
}

 /* A device may have a maximum that it doesn't tell. */

unsigned int s4_watchdog_set_timeout (int fd, unsigned int seconds)
{
  int is = 0 ;
  for (int t = (int)seconds ; t > 0 ; t /= 2)
  {
    is = t ;
    if (!ioctl(fd, WDIOC_SETTIMEOUT, &is) || errno != EINVAL) break ;
  }
  return !ioctl(fd, WDIOC_GETTIMEOUT, &is) && is > 0 ? (unsigned int)is : 0 ;
}

char const *s4_watchdog_name (int fd)
{
  struct watchdog_info info = { .identity = "" } ;
  char name[sizeof info.identity + 1] = "" ;
  if (!ioctl(fd, WDIOC_GETSUPPORT, &info)) memcpy(name, info.identity, sizeof info.identity) ;
  return s4_concat(name) ;
}

 /* /dev/watchdog is the first one of them. */

int s4_watchdog_says (char const *device, char const *file, char const *value)
{
  char const *name = strrchr(device, '/') ;
  name = name ? name + 1 : device ;
  if (!strcmp(name, "watchdog")) name = "watchdog0" ;
  return s4_sys_says(value, "/sys/class/watchdog/", name, "/", file) ;
}

 /* Not by 'V' and close(2): who was given up, and still has the fd, would keep it armed. */

static int set_armed (int how)
{
  return ioctl(s4.watchdog, WDIOC_SETOPTIONS, &how) ? errno : 0 ;
}

int s4_watchdog_disarm (void)
{
  int e = set_armed(WDIOS_DISABLECARD) ;
  if (!e || e == EBUSY) return e ;   /* EBUSY: nowayout, watchdog_stop() in watchdog_dev.c */
  if (write(s4.watchdog, "V", 1) != 1) return errno ;   /* it has no such option */
  fd_close(s4.watchdog) ;
  s4.watchdog = -1 ;
  return 0 ;
}

void s4_watchdog_rearm (void)
{
  if (s4.watchdog >= 0 && !set_armed(WDIOS_ENABLECARD)) s4_watchdog_feed() ;
}

 /* Some drivers stop the card when a reboot begins, and don't tell: disarmed first, it is really armed again. */

int s4_watchdog_bite (void)
{
  if (s4.watchdog < 0) s4.watchdog = s4_watchdog_open(s4_watchdog_first()) ;
  if (s4.watchdog < 0) return 0 ;
  set_armed(WDIOS_DISABLECARD) ;
  s4_watchdog_rearm() ;
  s4_watchdog_set_timeout(s4.watchdog, 1) ;
  return 1 ;
}
