/* ISC license. */

/* What a file needs to be executed: the interpreter of an ELF program (elf(5), PT_INTERP) or of a script ("#!"). */

#include <elf.h>
#include <string.h>

#include "stage4.h"

#define SCRIPT_HEAD 256   /* BINPRM_BUF_SIZE: the kernel reads no more of a script's first line */

static enum s4_exectype_e script_interpreter (char const *head, size_t len, char *interp, size_t max)
{
  size_t i = 2, n ;
  while (i < len && (head[i] == ' ' || head[i] == '\t')) i++ ;
  for (n = 0 ; i + n < len && !strchr(" \t\n", head[i+n]) ; n++) ;
  if (!n || n >= max || (i + n >= len && len >= SCRIPT_HEAD)) return S4_NOT_EXECUTABLE ;
  memcpy(interp, head + i, n) ;
  interp[n] = 0 ;
  return S4_SCRIPT ;
}

 /* What matters of a program, of 64 bits or 32: either runs on a kernel of 64. */

struct segment { uint32_t type ; uint64_t offset, size ; } ;
struct segments { uint64_t offset ; unsigned int n ; size_t size ; int wide ; } ;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define OUR_BYTE_ORDER ELFDATA2MSB
#else
#define OUR_BYTE_ORDER ELFDATA2LSB
#endif

static int find_segments (char const *head, size_t len, struct segments *s)
{
  Elf64_Ehdr wide ;
  Elf32_Ehdr narrow ;
  if (len < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) || head[EI_DATA] != OUR_BYTE_ORDER) return 0 ;
  s->wide = head[EI_CLASS] == ELFCLASS64 ;
  if (s->wide && len >= sizeof wide)
  {
    memcpy(&wide, head, sizeof wide) ;
    *s = (struct segments){ .offset = wide.e_phoff, .n = wide.e_phnum, .size = sizeof(Elf64_Phdr), .wide = 1 } ;
    return 1 ;
  }
  if (head[EI_CLASS] != ELFCLASS32 || len < sizeof narrow) return 0 ;
  memcpy(&narrow, head, sizeof narrow) ;
  *s = (struct segments){ .offset = narrow.e_phoff, .n = narrow.e_phnum, .size = sizeof(Elf32_Phdr) } ;
  return 1 ;
}

static int read_segment (char const *head, size_t len, struct segments const *s, unsigned int i, struct segment *p)
{
  Elf64_Phdr wide ;
  Elf32_Phdr narrow ;
  if (s->offset > len || i * s->size > len - s->offset || len - s->offset - i * s->size < s->size) return 0 ;
  head += s->offset + i * s->size ;
  if (s->wide)
  {
    memcpy(&wide, head, sizeof wide) ;
    *p = (struct segment){ .type = wide.p_type, .offset = wide.p_offset, .size = wide.p_filesz } ;
  }
  else
  {
    memcpy(&narrow, head, sizeof narrow) ;
    *p = (struct segment){ .type = narrow.p_type, .offset = narrow.p_offset, .size = narrow.p_filesz } ;
  }
  return 1 ;
}

enum s4_exectype_e s4_exec_type (char const *head, size_t len, char *interp, size_t max)
{
  struct segments s ;
  struct segment p ;
  int dynamic = 0 ;
  if (len >= 2 && head[0] == '#' && head[1] == '!') return script_interpreter(head, len, interp, max) ;
  if (!find_segments(head, len, &s)) return S4_NOT_EXECUTABLE ;
  for (unsigned int i = 0 ; i < s.n && read_segment(head, len, &s, i, &p) ; i++)
  {
    if (p.type == PT_DYNAMIC) dynamic = 1 ;
    if (p.type != PT_INTERP) continue ;
    if (p.offset > len || p.size > len - p.offset || !p.size || p.size >= max) return S4_NOT_EXECUTABLE ;
    memcpy(interp, head + p.offset, p.size) ;
    interp[p.size] = 0 ;
    return S4_DYNAMIC ;
  }
  return dynamic ? S4_LIBRARY : S4_STATIC ;   /* a static-pie has PT_DYNAMIC as well, and needs nothing either */
}
