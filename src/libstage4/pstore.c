/* ISC license. */

/*
  What pstore keeps over an orderly reboot. The kernel hands its log to whoever wants it for that reason (kmsg_dump()
  in kernel/printk/printk.c): one that says up to which reason it does, or one that doesn't, if always_kmsg_dump is set.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define REASON_UNDEF 0       /* enum kmsg_dump_reason, include/linux/kmsg_dump.h: does not say */
#define REASON_SHUTDOWN 4
#define ALWAYS "/sys/module/printk/parameters/always_kmsg_dump"

int s4_pstore_keeps (char const *max_reason, int always)
{
  unsigned int reason = REASON_UNDEF ;
  if (*max_reason && !uint0_scan(max_reason, &reason)) return 0 ;   /* -1: only what it does by itself */
  return reason >= REASON_SHUTDOWN || (reason == REASON_UNDEF && always) ;
}

 /* That of ramoops and pstore_blk can't be changed, before Linux 5.8 not even at boot; others (efi, erst) have none. */

static char const *max_reason_of (char const *backend, stralloc *sa)
{
  if (s4_sys_read_at(sa, "/sys/module/", backend, "/parameters/max_reason")) return sa->s ;
  return strcmp(backend, "ramoops") ? "" : "2" ;
}

static void say_what_is_kept (char const *backend, char const *max_reason, int always, int e)
{
  if (s4_pstore_keeps(max_reason, always)) s4_verbose("the kernel log of a reboot is kept in pstore") ;
  else if (s4_pstore_keeps(max_reason, 1))
    s4_warnerr(e, "the kernel log of a reboot is not kept in pstore: unable to set ", ALWAYS) ;
  else s4_warn("the kernel log of a reboot is not kept in pstore: ", backend, ".max_reason is ", max_reason,
    ", less than 4") ;
}

void s4_pstore_keep (void)
{
  stralloc backend = STRALLOC_ZERO, max_reason = STRALLOC_ZERO ;
  int const always = s4_sys_write(ALWAYS, "Y") ;
  int const e = errno ;
  if (s4_sys_read("/sys/module/pstore/parameters/backend", &backend) && strcmp(backend.s, "(null)"))
    say_what_is_kept(backend.s, max_reason_of(backend.s, &max_reason), always, e) ;
  else s4_verbose("the kernel log of a reboot is not kept: there is nothing that pstore could keep it in") ;
  stralloc_free(&backend) ;
  stralloc_free(&max_reason) ;
}
