/* ISC license. */

/*
  Read-only, where nobody can see what there is, or no worker can be started: the kernel walks through its superblocks
  by itself, whoever has them.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>

#include "stage4.h"

#define EMERGENCY_TIMEOUT 2000   /* for the kernel's own workers, which say nothing */
#define EMERGENCY_TICK 66

 /* 1: none is; 0: some are, or it can't be seen */

static int none_is_writable (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  int none ;
  if (s4_storage_load_whole(&st, &ms, 0) <= 0) return 0 ;
  none = !ms.unseen ;
  for (unsigned int i = 0 ; none && i < ms.n ; i++) none = !st.at_risk[i] ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  return none ;
}

 /* Records come one by one (Documentation/ABI/testing/dev-kmsg). 1: one of them says so; 0: none; -1: unreadable */

static int kmsg_says (int fd, char const *what, s4_ms limit)
{
  char record[8192] ;
  ssize_t r ;
  if (fd == -1) return -1 ;
  while (s4_now() < limit && ((r = fd_read(fd, record, sizeof record - 1)) > 0 || (r == -1 && errno == EPIPE)))
  {
    if (r <= 0) continue ;   /* some were overwritten */
    record[r] = 0 ;
    if (strstr(record, what)) return 1 ;
  }
  return 0 ;
}

int s4_emergency_readonly (void)
{
  s4_ms const limit = s4_limit(EMERGENCY_TIMEOUT) ;
  int kmsg ;
  int done = 0 ;
  if (s4.container) return 0 ;   /* it is done to all of the machine */
  s4_warn("leaving it to the kernel to make all file systems read-only, by sysrq") ;
  kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
  if (kmsg != -1) lseek(kmsg, 0, SEEK_END) ;
  if (!s4_proc_write("sysrq-trigger", "u")) s4_warnsys("unable to use sysrq u") ;
  else while (!done && s4_now() < limit)
  {
    s4_poll(0, 0, s4_now() + EMERGENCY_TICK) ;
    done = kmsg_says(kmsg, "Emergency Remount complete", limit) ;   /* fs/super.c:do_emergency_remount */
    if (done == -1) done = none_is_writable() ;
  }
  if (kmsg != -1) fd_close(kmsg) ;
  return done ;
}
