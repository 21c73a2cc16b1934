/* ISC license. */

/*
  The Test Anything Protocol, as little of it as is needed: one line per check, the plan at the end, so that
  a test that ends before its end has none. Fixtures are found from the top of the tree, where make runs.
*/

#ifndef STAGE4_TAP_H
#define STAGE4_TAP_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#define TAP_NAME_MAX 300

static unsigned int tap_count = 0, tap_failed = 0 ;

 /* Under ASan: the library frees nothing that lives as long as the process, and neither do the tests. */
extern char const *__asan_default_options (void) ;
__attribute__((used)) char const *__asan_default_options (void)
{
  return "detect_leaks=0" ;
}

 /* One line, printable, without what TAP gives a meaning to. */

static inline void tap_print (char const *before, char const *fmt, va_list ap)
{
  char buf[TAP_NAME_MAX] ;
  vsnprintf(buf, sizeof buf, fmt, ap) ;
  for (char *s = buf ; *s ; s++) if (*s < 32 || *s == 127 || *s == '#') *s = '?' ;
  printf("%s%s\n", before, buf) ;
  fflush(stdout) ;   /* tests fork */
}

__attribute__((format(printf, 1, 2))) static inline void note (char const *fmt, ...)
{
  va_list ap ;
  va_start(ap, fmt) ;
  tap_print("# ", fmt, ap) ;
  va_end(ap) ;
}

__attribute__((format(printf, 2, 3))) static inline int ok (int good, char const *fmt, ...)
{
  char before[32] ;
  va_list ap ;
  snprintf(before, sizeof before, "%s %u - ", good ? "ok" : "not ok", ++tap_count) ;
  if (!good) tap_failed++ ;
  va_start(ap, fmt) ;
  tap_print(before, fmt, ap) ;
  va_end(ap) ;
  return good ;
}

static inline int is_number (int64_t got, int64_t want, char const *name)
{
  if (ok(got == want, "%s", name)) return 1 ;
  note("got %" PRId64 ", expected %" PRId64, got, want) ;
  return 0 ;
}

static inline int is_string (char const *got, char const *want, char const *name)
{
  if (ok(got && want ? !strcmp(got, want) : got == want, "%s", name)) return 1 ;
  note("got      \"%s\"", got ? got : "(null)") ;
  note("expected \"%s\"", want ? want : "(null)") ;
  return 0 ;
}

static inline int is_bytes (char const *got, size_t gotlen, char const *want, size_t wantlen, char const *name)
{
  if (ok(gotlen == wantlen && !memcmp(got, want, wantlen), "%s", name)) return 1 ;
  note("got      %zu bytes \"%.*s\"", gotlen, (int)gotlen, got) ;
  note("expected %zu bytes \"%.*s\"", wantlen, (int)wantlen, want) ;
  return 0 ;
}

__attribute__((noreturn)) static inline void bail_out (char const *why, char const *what)
{
  printf("Bail out! %s%s: %s\n", why, what, strerror(errno)) ;
  exit(1) ;
}

static inline void fixture (stralloc *sa, char const *name)
{
  char path[256] ;
  snprintf(path, sizeof path, "src/tests/data/%s", name) ;
  sa->len = 0 ;
  if (!openslurpclose(sa, path)) bail_out("unable to read ", path) ;
}

static inline void text_of (stralloc *sa, char const *s, size_t len)
{
  sa->len = 0 ;
  if (!stralloc_catb(sa, s, len)) bail_out("out of memory", "") ;
}

 /* The same numbers every time: below 2^32, at least 1. */

static uint32_t tap_seed = 2463534242u ;

static inline uint32_t random_below (uint32_t n)
{
  tap_seed ^= tap_seed << 13 ;
  tap_seed ^= tap_seed >> 17 ;
  tap_seed ^= tap_seed << 5 ;
  return tap_seed % n ;
}

 /* What main returns. */

static inline int done (void)
{
  printf("1..%u\n", tap_count) ;
  return !!tap_failed ;
}

#endif
