/* ISC license. */

/* Milliseconds: the clock, and how users write and read them. */

#include <skalibs/nonposix.h>

#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <skalibs/types.h>

#include "stage4.h"

 /* CLOCK_BOOTTIME goes on during suspend and is the same for all processes: fit for $STAGE4_DEADLINE. */

s4_ms s4_now (void)
{
  struct timespec ts ;
  clock_gettime(CLOCK_BOOTTIME, &ts) ;
  return (s4_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 ;
}

uint64_t s4_ticks (void)
{
  return (uint64_t)s4_now() * (uint64_t)sysconf(_SC_CLK_TCK) / 1000 ;
}

int s4_ms_scan (char const *s, s4_ms *t)
{
  uint64_t u ;
  size_t len = strspn(s, "0123456789") ;
  if (!len || len > 10 || uint64_scan(s, &u) != len) return 0 ;
  if (!strcmp(s + len, "s")) u *= 1000 ;
  else if (s[len] && strcmp(s + len, "ms")) return 0 ;
  if (u > INT_MAX) return 0 ;
  *t = (s4_ms)u ;
  return 1 ;
}

char const *s4_ms_fmt (char *buf, s4_ms t)
{
  size_t m ;
  if (t < 0) t = 0 ;
  if (t < 1000)
  {
    m = uint64_fmt(buf, (uint64_t)t) ;
    memcpy(buf + m, " ms", 4) ;
    return buf ;
  }
  m = uint64_fmt(buf, (uint64_t)t / 1000) ;
  buf[m++] = '.' ;
  buf[m++] = (char)('0' + t % 1000 / 100) ;
  memcpy(buf + m, " s", 3) ;
  return buf ;
}
