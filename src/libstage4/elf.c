/* ISC license. */

/* What a file needs to be executed: the interpreter of an ELF program (elf(5), PT_INTERP) or of a script ("#!"). */

#include <elf.h>
#include <link.h>
#include <string.h>

#include "stage4.h"

static enum s4_exectype_e script_interpreter (char const *head, size_t len, char *interp, size_t max)
{
  size_t i = 2, n ;
  while (i < len && (head[i] == ' ' || head[i] == '\t')) i++ ;
  for (n = 0 ; i + n < len && !strchr(" \t\n", head[i+n]) ; n++) ;
  if (!n || n >= max || (i + n >= len && len >= 256)) return S4_NOT_EXECUTABLE ;
  memcpy(interp, head + i, n) ;
  interp[n] = 0 ;
  return S4_SCRIPT ;
}

enum s4_exectype_e s4_exec_interpreter (char const *head, size_t len, char *interp, size_t max)
{
  ElfW(Ehdr) h ;
  int dynamic = 0 ;
  if (len >= 2 && head[0] == '#' && head[1] == '!') return script_interpreter(head, len, interp, max) ;
  if (len < sizeof h || memcmp(head, ELFMAG, SELFMAG)) return S4_NOT_EXECUTABLE ;
  memcpy(&h, head, sizeof h) ;
  if (h.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)) return S4_NOT_EXECUTABLE ;
  for (unsigned int i = 0 ; i < h.e_phnum ; i++)
  {
    ElfW(Phdr) p ;
    if (h.e_phoff > len || i * sizeof p > len - h.e_phoff || len - h.e_phoff - i * sizeof p < sizeof p) break ;
    memcpy(&p, head + h.e_phoff + i * sizeof p, sizeof p) ;
    if (p.p_type == PT_DYNAMIC) dynamic = 1 ;
    if (p.p_type != PT_INTERP) continue ;
    if (p.p_offset > len || p.p_filesz > len - p.p_offset || !p.p_filesz || p.p_filesz >= max)
      return S4_NOT_EXECUTABLE ;
    memcpy(interp, head + p.p_offset, p.p_filesz) ;
    interp[p.p_filesz] = 0 ;
    return S4_DYNAMIC ;
  }
  return dynamic ? S4_LIBRARY : S4_STATIC ;   /* a static-pie has PT_DYNAMIC as well, and needs nothing either */
}
