/* ISC license. */

/* What executes a file: real programs, and headers made up, honest or not. */

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define GUARD 32

static char out[GUARD + 64 + GUARD] ;
static char *const interp = out + GUARD ;

 /* The head is copied to where every byte beyond it is poison for ASan. */

static enum s4_exectype_e look (char const *head, size_t len, size_t max)
{
  char *copy = malloc(len + !len) ;
  enum s4_exectype_e r ;
  if (!copy) bail_out("out of memory", "") ;
  memcpy(copy, head, len) ;
  memset(out, '~', sizeof out) ;
  r = s4_exec_type(copy, len, interp, max) ;
  free(copy) ;
  for (size_t i = 0 ; i < GUARD ; i++) if (out[i] != '~') return (enum s4_exectype_e)77 ;
  for (size_t i = GUARD + max ; i < sizeof out ; i++) if (out[i] != '~') return (enum s4_exectype_e)78 ;
  if (r > S4_LIBRARY) return (enum s4_exectype_e)79 ;
  if ((r == S4_SCRIPT || r == S4_DYNAMIC) && !memchr(interp, 0, max)) return (enum s4_exectype_e)80 ;
  return r ;
}

static struct { char const *name ; char const *head ; char const *interp ; } const scripts[] =
{
  { "plain", "#!/bin/sh\necho\n", "/bin/sh" },
  { "a space", "#! /bin/sh\n", "/bin/sh" },
  { "spaces and tabs", "#! \t \t/bin/sh\n", "/bin/sh" },
  { "an argument", "#!/bin/sh -e\n", "/bin/sh" },
  { "an argument behind a tab", "#!/bin/sh\t-e\n", "/bin/sh" },
  { "more arguments", "#!/usr/bin/env -S execlineb -S1\n", "/usr/bin/env" },
  { "spaces behind", "#!/bin/sh   \n", "/bin/sh" },
  { "only the line", "#!/bin/sh\n", "/bin/sh" },
  { "no newline at the end of the file", "#!/bin/sh", "/bin/sh" },   /* the kernel pads with zeros, and executes it */
  { "no newline, an argument", "#!/bin/sh -e", "/bin/sh" },
  { "relative", "#!sh\n", "sh" },
  { "CRLF: the kernel takes the CR for a part of the name", "#!/bin/sh\r\n", "/bin/sh\r" },
  { "nothing", "", 0 },
  { "not a script", "echo\n", 0 },
  { "one byte", "#", 0 },
  { "two bytes", "#!", 0 },
  { "no interpreter", "#!\n", 0 },
  { "no interpreter, only spaces", "#!  \t \n", 0 },
  { "no interpreter, the next line is none", "#! \n/bin/sh\n", 0 },
  { "spaces to the end", "#!    ", 0 },
  { "a space before", " #!/bin/sh\n", 0 },
  { "a blank line before", "\n#!/bin/sh\n", 0 },
  { "a byte order mark", "\357\273\277#!/bin/sh\n", 0 }
} ;

static void all_scripts (void)
{
  char s[400] ;
  for (size_t i = 0 ; i < sizeof scripts / sizeof *scripts ; i++)
  {
    enum s4_exectype_e r = look(scripts[i].head, strlen(scripts[i].head), 64) ;
    if (!ok(r == (scripts[i].interp ? S4_SCRIPT : S4_NOT_EXECUTABLE), "script: %s", scripts[i].name)) note("got %u", (unsigned int)r) ;
    if (scripts[i].interp && r == S4_SCRIPT) is_string(interp, scripts[i].interp, scripts[i].name) ;
  }
  ok(look("#!/bin/sh\n", 10, 8) == S4_SCRIPT && !strcmp(interp, "/bin/sh"), "script: the name just fits") ;
  ok(look("#!/bin/sh\n", 10, 7) == S4_NOT_EXECUTABLE, "script: the name doesn't fit") ;
  ok(look("#!/bin/sh\0\0\0", 12, 64) == S4_SCRIPT && !strcmp(interp, "/bin/sh"), "script: ends with a zero") ;
  memset(s, 'x', sizeof s) ;
  memcpy(s, "#!/", 3) ;
  s[399] = '\n' ;
  ok(look(s, 400, 64) == S4_NOT_EXECUTABLE, "script: a name of 397 bytes") ;
}

struct image
{
  ElfW(Ehdr) h ;
  ElfW(Phdr) p[3] ;
  char interp[32] ;
} ;

static struct image image (unsigned int type, unsigned int n, uint32_t p0, uint32_t p1, uint32_t p2)
{
  struct image x ;
  uint32_t const types[3] = { p0, p1, p2 } ;
  uint16_t const one = 1 ;
  unsigned char first ;
  memset(&x, 0, sizeof x) ;
  memcpy(x.h.e_ident, ELFMAG, SELFMAG) ;
  x.h.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 ;
  memcpy(&first, &one, 1) ;
  x.h.e_ident[EI_DATA] = first ? ELFDATA2LSB : ELFDATA2MSB ;
  x.h.e_ident[EI_VERSION] = EV_CURRENT ;
  x.h.e_type = (uint16_t)type ;
  x.h.e_version = EV_CURRENT ;
  x.h.e_ehsize = sizeof x.h ;
  x.h.e_phoff = offsetof(struct image, p) ;
  x.h.e_phentsize = sizeof x.p[0] ;
  x.h.e_phnum = (uint16_t)n ;
  for (unsigned int i = 0 ; i < 3 ; i++)
  {
    x.p[i].p_type = types[i] ;
    x.p[i].p_offset = offsetof(struct image, interp) ;
    x.p[i].p_filesz = sizeof "/lib/ld.so" ;
  }
  strcpy(x.interp, "/lib/ld.so") ;
  return x ;
}

static void is_type (struct image const *x, size_t len, enum s4_exectype_e want, char const *name)
{
  enum s4_exectype_e r = look((char const *)x, len, 64) ;
  if (!ok(r == want, "ELF: %s", name)) note("got %u, expected %u", (unsigned int)r, (unsigned int)want) ;
}

static void honest_headers (void)
{
  struct image x = image(ET_EXEC, 3, PT_LOAD, PT_LOAD, PT_NOTE) ;
  is_type(&x, sizeof x, S4_STATIC, "static") ;
  x = image(ET_DYN, 3, PT_INTERP, PT_LOAD, PT_DYNAMIC) ;
  is_type(&x, sizeof x, S4_DYNAMIC, "dynamic") ;
  is_string(interp, "/lib/ld.so", "its interpreter") ;
  x = image(ET_DYN, 3, PT_DYNAMIC, PT_LOAD, PT_INTERP) ;
  is_type(&x, sizeof x, S4_DYNAMIC, "dynamic, PT_INTERP comes last") ;
  is_string(interp, "/lib/ld.so", "its interpreter") ;
  x = image(ET_EXEC, 3, PT_LOAD, PT_INTERP, PT_DYNAMIC) ;
  is_type(&x, sizeof x, S4_DYNAMIC, "dynamic, at a fixed address") ;
  x = image(ET_DYN, 3, PT_LOAD, PT_DYNAMIC, PT_NOTE) ;
  is_type(&x, sizeof x, S4_LIBRARY, "a library, or a static-pie: needs nothing to be executed") ;
  x = image(ET_DYN, 1, PT_LOAD, PT_INTERP, PT_DYNAMIC) ;
  is_type(&x, sizeof x, S4_STATIC, "what is beyond e_phnum is no header") ;
  ok(look((char const *)&x, sizeof x, 64) == S4_STATIC, "ELF: the same again") ;
  x = image(ET_DYN, 1, PT_INTERP, 0, 0) ;
  ok(look((char const *)&x, sizeof x, sizeof "/lib/ld.so" + 1) == S4_DYNAMIC && !strcmp(interp, "/lib/ld.so"), "ELF: the name fits") ;
  ok(look((char const *)&x, sizeof x, 5) == S4_NOT_EXECUTABLE, "ELF: the name doesn't fit") ;
}

static void hostile_headers (void)
{
  static struct { char const *name ; uint64_t phoff ; unsigned int phnum ; } const tables[] =
  {
    { "the table begins at the end", sizeof(struct image), 3 }, { "the table begins beyond the end", sizeof(struct image) + 1, 3 },
    { "the table begins far away", UINT32_MAX, 65535 }, { "the table begins at the end of the world", UINT64_MAX, 65535 },
    { "the table begins so that it wraps", UINT64_MAX - 30, 2 }, { "the table begins so that its second entry wraps", UINT64_MAX - sizeof(ElfW(Phdr)) - 30, 3 },
    { "a quarter of an entry", sizeof(struct image) - sizeof(ElfW(Phdr)) / 4, 1 }, { "half of the world", INT64_MAX, 65535 },
    { "the table is the header", 0, 65535 }, { "the table is odd", 1, 65535 }
  } ;
  static struct { char const *name ; uint64_t offset, size ; } const strings[] =
  {
    { "far away", UINT64_MAX, 11 }, { "wraps", UINT64_MAX - 5, 11 }, { "too long", 0, UINT64_MAX }, { "both", UINT64_MAX, UINT64_MAX },
    { "begins at the end", sizeof(struct image), 1 }, { "ends beyond the end", sizeof(struct image) - 5, 6 }, { "longer than its place", 0, 64 },
    { "empty", 64, 0 }
  } ;
  struct image x = image(ET_DYN, 3, PT_LOAD, PT_INTERP, PT_DYNAMIC) ;
  int good = 1 ;
  for (size_t len = 0 ; len < sizeof x ; len++)
  {
    enum s4_exectype_e r = look((char const *)&x, len, 64) ;
    if (r > S4_LIBRARY || r == S4_SCRIPT || (r == S4_DYNAMIC && strcmp(interp, "/lib/ld.so"))) good = 0 ;
    if (len < sizeof x.h && r != S4_NOT_EXECUTABLE) good = 0 ;
  }
  ok(good, "ELF: torn at every byte") ;
  for (size_t i = 0 ; i < sizeof tables / sizeof *tables ; i++)
  {
    enum s4_exectype_e r ;
    x = image(ET_DYN, 3, PT_LOAD, PT_INTERP, PT_DYNAMIC) ;
    x.h.e_phoff = (ElfW(Off))tables[i].phoff ;
    x.h.e_phnum = (uint16_t)tables[i].phnum ;
    r = look((char const *)&x, sizeof x, 64) ;
    ok(r <= S4_LIBRARY && r != S4_DYNAMIC && r != S4_SCRIPT, "ELF: %s", tables[i].name) ;
  }
  for (size_t i = 0 ; i < sizeof strings / sizeof *strings ; i++)
  {
    x = image(ET_DYN, 3, PT_LOAD, PT_INTERP, PT_DYNAMIC) ;
    x.p[1].p_offset = (ElfW(Off))strings[i].offset ;
    x.p[1].p_filesz = (ElfW(Xword))strings[i].size ;
    is_type(&x, sizeof x, S4_NOT_EXECUTABLE, strings[i].name) ;
  }
  x = image(ET_DYN, 1, PT_INTERP, 0, 0) ;
  memset(x.interp, 'i', sizeof x.interp) ;
  ok(look((char const *)&x, sizeof x, 64) <= S4_LIBRARY, "ELF: a name without end stays within its place") ;
  x.h.e_ident[EI_CLASS] = 3 ;
  is_type(&x, sizeof x, S4_NOT_EXECUTABLE, "of no word size") ;
  x = image(ET_EXEC, 3, PT_LOAD, PT_INTERP, PT_NOTE) ;
  x.h.e_ident[EI_DATA] = x.h.e_ident[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB ;
  is_type(&x, sizeof x, S4_NOT_EXECUTABLE, "of the other byte order") ;
  x = image(ET_EXEC, 3, PT_LOAD, PT_LOAD, PT_NOTE) ;
  x.h.e_ident[0] = 0 ;
  is_type(&x, sizeof x, S4_NOT_EXECUTABLE, "not ELF") ;
}

 /* A program of 32 bits has the same fields elsewhere. */

static void narrow_header (void)
{
  struct { Elf32_Ehdr h ; Elf32_Phdr p[2] ; char interp[32] ; } x ;
  struct image const wide = image(ET_EXEC, 0, 0, 0, 0) ;
  memset(&x, 0, sizeof x) ;
  memcpy(x.h.e_ident, wide.h.e_ident, EI_NIDENT) ;
  x.h.e_ident[EI_CLASS] = ELFCLASS32 ;
  x.h.e_phoff = sizeof x.h ;
  x.h.e_phnum = 2 ;
  x.p[0].p_type = PT_LOAD ;
  x.p[1].p_type = PT_INTERP ;
  x.p[1].p_offset = (Elf32_Off)((char *)x.interp - (char *)&x) ;
  x.p[1].p_filesz = sizeof "/lib/ld-linux.so.2" ;
  strcpy(x.interp, "/lib/ld-linux.so.2") ;
  ok(look((char const *)&x, sizeof x, 64) == S4_DYNAMIC, "ELF: dynamic, of 32 bits") ;
  is_string(interp, "/lib/ld-linux.so.2", "its interpreter") ;
  for (size_t len = 0 ; len < sizeof x ; len++)
    if (look((char const *)&x, len, 64) > S4_LIBRARY)
    {
      ok(0, "ELF: of 32 bits, torn at byte %zu", len) ;
      break ;
    }
  x.h.e_phnum = 1 ;
  ok(look((char const *)&x, sizeof x, 64) == S4_STATIC, "ELF: static, of 32 bits") ;
}

 /* This program itself, however it was linked. */

static void the_real_one (void)
{
  stralloc sa = STRALLOC_ZERO ;
  char path[4096] ;
  enum s4_exectype_e r ;
  if (!openslurpclose(&sa, "/proc/self/exe")) bail_out("unable to read ", "/proc/self/exe") ;
  r = s4_exec_type(sa.s, sa.len, path, sizeof path) ;
  if (r == S4_DYNAMIC) ok(!access(path, X_OK), "this program is dynamic, by %s", path) ;
  else ok(r == S4_STATIC || r == S4_LIBRARY, "this program is static") ;
  stralloc_free(&sa) ;
}

int main (void)
{
  all_scripts() ;
  honest_headers() ;
  hostile_headers() ;
  narrow_header() ;
  the_real_one() ;
  return done() ;
}
