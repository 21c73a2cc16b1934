/* ISC license. */

/* Times as users write and read them. */

#include <limits.h>

#include "stage4.h"
#include "tap.h"

static struct { char const *s ; s4_ms t ; } const good[] =
{
  { "0", 0 }, { "0s", 0 }, { "0ms", 0 }, { "1", 1 }, { "1500", 1500 }, { "1500ms", 1500 }, { "10s", 10000 }, { "007s", 7000 },
  { "2147483647", INT_MAX }, { "2147483647ms", INT_MAX }, { "2147483s", 2147483000 }
} ;

static char const *const bad[] =
{
  "", " ", "s", "ms", "m", "-1", "+1", " 1", "1 ", "1 s", "1s ", "1.5s", "1,5s", "1m", "1h", "1S", "1MS", "1sec", "1mss", "1ss", "1sms", "0x10", "1e3",
  "10\n", "\n10", "s10", "2147483648", "2147483648ms", "2147484s", "9999999999", "9999999999s", "4294967296", "4294967297s", "18446744073709551616",
  "18446744073709551617", "184467440737095516170s", "99999999999999999999999999999999", "never", "infinite"
} ;

static struct { s4_ms t ; char const *s ; } const written[] =
{
  { 0, "0 ms" }, { 1, "1 ms" }, { 250, "250 ms" }, { 999, "999 ms" }, { 1000, "1.0 s" }, { 1099, "1.0 s" }, { 1100, "1.1 s" }, { 1300, "1.3 s" },
  { 1999, "1.9 s" }, { 59949, "59.9 s" }, { 60000, "60.0 s" }, { 3600000, "3600.0 s" }, { INT_MAX, "2147483.6 s" }, { -1, "0 ms" }, { INT64_MIN, "0 ms" },
  { S4_NEVER, "9223372036854775.8 s" }
} ;

int main (void)
{
  s4_ms before, after ;
  for (size_t i = 0 ; i < sizeof good / sizeof *good ; i++)
  {
    s4_ms t = -1 ;
    ok(s4_ms_scan(good[i].s, &t) == 1 && t == good[i].t, "\"%s\" is %" PRId64 " ms (%" PRId64 ")", good[i].s, good[i].t, t) ;
  }
  for (size_t i = 0 ; i < sizeof bad / sizeof *bad ; i++)
  {
    s4_ms t ;
    ok(!s4_ms_scan(bad[i], &t), "\"%s\" is no time", bad[i]) ;
  }
  for (size_t i = 0 ; i < sizeof written / sizeof *written ; i++)
  {
    char buf[S4_MSFMT + 8] ;
    memset(buf, '~', sizeof buf) ;
    is_string(s4_ms_fmt(buf, written[i].t), written[i].s, written[i].s) ;
    ok(!memcmp(buf + S4_MSFMT, "~~~~~~~~", 8), "%s stays within S4_MSFMT", written[i].s) ;
  }
  is_string(S4_MS(2500), "2.5 s", "S4_MS") ;
  {
    char buf[S4_NUMFMT] ;
    is_string(s4_num_fmt(buf, INT64_MIN), "-9223372036854775808", "the longest number") ;
    is_string(S4_NUM(0), "0", "S4_NUM") ;
  }
  before = s4_now() ;
  after = s4_now() ;
  ok(before > 0 && after >= before, "time goes forward") ;
  return done() ;
}
