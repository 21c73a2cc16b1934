/* ISC license. */

/* $PATH before and after the pivot; names of programs; lists of types. */

#include "stage4.h"
#include "fuzz.h"

#define ROOT "/run/s4"

static void paths (char const *path)
{
  stralloc inside = STRALLOC_ZERO, after = STRALLOC_ZERO, want = STRALLOC_ZERO ;
  must(s4_path_inside(&inside, path, ROOT)) ;
  must(inside.len && !inside.s[inside.len-1] && strlen(inside.s) == inside.len - 1) ;
  must(inside.len - 1 >= strlen(path) && !strcmp(inside.s + inside.len - 1 - strlen(path), path)) ;
  must(s4_path_pivoted(&after, inside.s, ROOT)) ;
  must(after.len && !after.s[after.len-1] && strlen(after.s) == after.len - 1) ;
  for (char const *s = path ; ; s++)   /* the absolute ones come back; what was inside before as well, without its root */
  {
    size_t len = strcspn(s, ":") ;
    if (len >= sizeof ROOT && !strncmp(s, ROOT "/", sizeof ROOT)) goto unclear ;
    if (*s == '/') must((!want.len || stralloc_append(&want, ':')) && stralloc_catb(&want, s, len)) ;
    s += len ;
    if (!*s) break ;
  }
  must(stralloc_0(&want)) ;
  must(!strcmp(after.s, want.len > 1 ? want.s : inside.s)) ;
 unclear:
  stralloc_free(&inside) ;
  stralloc_free(&after) ;
  stralloc_free(&want) ;
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  char *s = fuzz_string(data, size) ;
  enum s4_action_e a = S4_NOACTION ;
  paths(s) ;
  must(!s4_is_ours(s) || strstr(s, "stage4")) ;
  if (s4_action_scan(s, &a)) must(a != S4_NOACTION && strcmp(s4_action_name(a), "none")) ;
  if (*s && !strchr(s, ',') && strncmp(s, "no", 2)) must(s4_type_wanted(s, s)) ;
  must(s4_type_wanted(s, "ext4") >= 0) ;
  must(s4_fsclass(s) <= S4_FS_DISK) ;
  free(s) ;
  return 0 ;
}
