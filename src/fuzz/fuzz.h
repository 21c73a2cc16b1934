/* ISC license. */

/* What the fuzz targets share. A target calls the pure half of a module and checks what must hold for any input. */

#ifndef STAGE4_FUZZ_H
#define STAGE4_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skalibs/stralloc.h>

extern int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size) ;

#define must(condition) do if (!(condition)) fuzz_fail(#condition, __FILE__, __LINE__) ; while (0)

__attribute__((noreturn)) static inline void fuzz_fail (char const *what, char const *file, int line)
{
  fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what) ;
  abort() ;
}

 /* A copy with nothing behind it, so that ASan sees each byte that is read or written beyond. */

static inline char *fuzz_copy (void const *data, size_t size)
{
  char *s = malloc(size + !size) ;
  must(s) ;
  if (size) memcpy(s, data, size) ;
  return s ;
}

static inline stralloc fuzz_text (void const *data, size_t size)
{
  return (stralloc){ .s = fuzz_copy(data, size), .len = size, .a = size + !size } ;
}

static inline char *fuzz_string (void const *data, size_t size)
{
  char *s = malloc(size + 1) ;
  must(s) ;
  if (size) memcpy(s, data, size) ;
  s[size] = 0 ;
  return s ;
}

 /* Numbers that depend on the input, for what is not in it. */

static inline uint32_t fuzz_number (uint32_t *state, uint32_t below)
{
  *state = *state * 1664525u + 1013904223u ;
  return (*state >> 8) % below ;
}

static inline uint32_t fuzz_hash (uint8_t const *data, size_t size)
{
  uint32_t h = 2166136261u ;
  while (size--) h = (h ^ *data++) * 16777619u ;
  return h ;
}

#endif
