/* ISC license. */

/* A line of /proc/PID/stat, whatever the process calls itself. */

#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define REST " 0 0 0 0 1 2 3 4 20 0 1 0 5000 2000000 500 18446744073709551615 1 1 0 0 0 0 0 2 65536 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
#define TAIL " 1 1234 1233 34816 1234 4194304" REST

static struct { char const *name ; char const *line ; char const *comm ; char state ; } const names[] =
{
  { "an ordinary name", "1234 (sh) S" TAIL, "sh", 'S' },
  { "no name", "1234 () R" TAIL, "", 'R' },
  { "a space", "1234 (a b) D" TAIL, "a b", 'D' },
  { "a parenthesis", "1234 (a)b) T" TAIL, "a)b", 'T' },
  { "only parentheses", "1234 ()))() t" TAIL, ")))(", 't' },
  { "an opening one", "1234 ((sd-pam) I" TAIL, "(sd-pam", 'I' },
  { "both", "1234 ((sd-pam)) S" TAIL, "(sd-pam)", 'S' },
  { "a newline", "1234 (a\nb) S" TAIL, "a\nb", 'S' },
  { "it looks like the line", "1234 (x) S 1 () S" TAIL, "x) S 1 (", 'S' },
  { "it looks like a whole line", "1234 (x) Z 1 1 1 0 -1 2097152 0 0 0) S" TAIL, "x) Z 1 1 1 0 -1 2097152 0 0 0", 'S' },
  { "not ASCII", "1234 (caf\303\251\377) S" TAIL, "caf\303\251\377", 'S' }
} ;

static int parse (char const *s, size_t len, s4_process *p)
{
  char *copy = malloc(len + !len) ;   /* every byte beyond is poison for ASan */
  int r ;
  if (!copy) bail_out("out of memory", "") ;
  memcpy(copy, s, len) ;
  memset(p, 0x55, sizeof *p) ;
  r = s4_process_parse(copy, len, p) ;
  free(copy) ;
  return r ;
}

static void all_names (void)
{
  s4_process p ;
  for (size_t i = 0 ; i < sizeof names / sizeof *names ; i++)
  {
    if (!ok(parse(names[i].line, strlen(names[i].line), &p) == 1, "%s: parsed", names[i].name)) continue ;
    is_string(p.comm, names[i].comm, names[i].name) ;
    ok(p.pid == 1234 && p.ppid == 1 && p.session == 1233 && p.tty == 34816 && p.state == names[i].state && p.start == 5000 && p.threads == 1 && !p.kthread
       && !p.dead,
       "%s: the fields", names[i].name) ;
  }
}

static void long_names (void)
{
  static size_t const lengths[] = { 15, 62, 63, 64, 65, 300, 5000 } ;
  for (size_t i = 0 ; i < sizeof lengths / sizeof *lengths ; i++)
  {
    stralloc sa = STRALLOC_ZERO ;
    s4_process p ;
    size_t n = lengths[i] < S4_COMM_MAX ? lengths[i] : S4_COMM_MAX - 1 ;
    stralloc_cats(&sa, "1234 (") ;
    for (size_t k = 0 ; k < lengths[i] ; k++) stralloc_append(&sa, 'n') ;
    stralloc_cats(&sa, ") S" TAIL) ;
    ok(parse(sa.s, sa.len, &p) == 1 && memchr(p.comm, 0, sizeof p.comm) && strlen(p.comm) == n && p.ppid == 1 && p.start == 5000,
       "a name of %zu bytes", lengths[i]) ;
    stralloc_free(&sa) ;
  }
}

static struct { char const *name ; char const *line ; unsigned int kthread, dead ; } const kinds[] =
{
  { "a program", "9 (x) S 1 9 9 0 -1 4194560" REST, 0, 0 },
  { "a kernel thread", "2 (kthreadd) S 0 0 0 0 -1 2129984" REST, 1, 0 },
  { "another kernel thread", "9 (kworker/0:1) I 2 0 0 0 -1 69238880" REST, 1, 0 },
  { "only that flag", "9 (x) S 2 0 0 0 -1 2097152" REST, 1, 0 },
  { "all flags but that", "9 (x) S 2 0 0 0 -1 4292870143" REST, 0, 0 },
  { "all flags", "9 (x) S 2 0 0 0 -1 4294967295" REST, 1, 0 },
  { "a zombie", "9 (x) Z 1 9 9 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 1 1\n", 0, 1 },
  { "a zombie that counts no threads", "9 (x) Z 1 9 9 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 0 0 5 0 0 1 1\n", 0, 1 },
  { "a dead leader, a thread of it lives", "9 (x) Z 1 9 9 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 2 0 5 0 0 1 1\n", 0, 0 },
  { "dead", "9 (x) X 1 9 9 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 1 1\n", 0, 1 },
  { "dead, the older letter", "9 (x) x 1 9 9 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 1 1\n", 0, 1 },
  { "stopped", "9 (x) T 1 9 9 0 -1 4194304" REST, 0, 0 },
  { "in disk sleep", "9 (x) D 1 9 9 0 -1 4194304" REST, 0, 0 }
} ;

static char const *const bad[] =
{
  "", " ", "\n", "1", "1 ", "1 (", "1 (x", "1 (x)", "1 (x) ", "1 (x) S", "1 x S 1 1 1 0 -1 0" REST, "1 )x( S 1 1 1 0 -1 0" REST,
  "(x) S 1 1 1 0 -1 0" REST, "x (x) S 1 1 1 0 -1 0" REST, "0 (x) S 1 1 1 0 -1 0" REST, "-1 (x) S 1 1 1 0 -1 0" REST,
  "4294967297 (x) S 1 1 1 0 -1 0" REST, "2147483648 (x) S 1 1 1 0 -1 0" REST, "99999999999999999999999 (x) S 1 1 1 0 -1 0" REST,
  "1 (x) S x 1 1 0 -1 0" REST, "1 (x) S 1 1 x 0 -1 0" REST, "1 (x) S 1 1 1 x -1 0" REST, "1 (x) S 1 1 1 0 -1 x" REST,
  "1 (x) S  1 1 1 0 -1 0" REST, "1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 x 0 5 1 1\n", "1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 x 1 1\n",
  "1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0\n"
} ;

static void odd_numbers (void)
{
  static char const negative[] = "9 (x) S -1 -1 -1 -1 -1 4194304 0 0 0 0 0 0 0 0 -100 -20 1 -1 77 0 0 1 1\n" ;
  stralloc sa = STRALLOC_ZERO ;
  s4_process p ;
  ok(parse(negative, sizeof negative - 1, &p) == 1 && !p.ppid && !p.session && !p.tty && p.start == 77, "negative fields count as 0") ;
  stralloc_cats(&sa, "2147483647 (widest) S") ;
  for (unsigned int i = 4 ; i <= 52 ; i++) stralloc_cats(&sa, i == 20 ? " 1" : i < 9 ? " 2147483647" : i == 9 ? " 4292870143" : " 18446744073709551615") ;
  stralloc_append(&sa, '\n') ;
  ok(parse(sa.s, sa.len, &p) == 1 && p.pid == 2147483647 && p.ppid == 2147483647 && p.start == UINT64_MAX && !p.kthread,
     "the longest line that the kernel can write, %zu bytes", sa.len) ;
  stralloc_free(&sa) ;
}

static void torn (char const *name)
{
  stralloc sa = STRALLOC_ZERO ;
  s4_process whole, p ;
  int good = 1 ;
  size_t least ;
  fixture(&sa, name) ;
  if (!ok(parse(sa.s, sa.len, &whole) == 1, "%s", name)) return ;
  for (least = 0 ; least <= sa.len && !parse(sa.s, least, &p) ; least++) ;
  for (size_t len = least ; len <= sa.len ; len++)
    if (!parse(sa.s, len, &p) || p.pid != whole.pid || p.ppid != whole.ppid || p.session != whole.session || p.tty != whole.tty || p.start != whole.start
     || p.kthread != whole.kthread || p.dead != whole.dead || strcmp(p.comm, whole.comm)) good = 0 ;
  ok(good, "%s, torn at every byte: either refused or the same", name) ;
  stralloc_free(&sa) ;
}

static int count (pid_t pid, void *data)
{
  unsigned int *n = data ;
  n[0]++ ;
  if (pid == getpid()) n[1]++ ;
  return n[0] < n[2] ;
}

static void the_real_ones (void)
{
  unsigned int n[3] = { 0, 0, 1000000 } ;
  s4_process p ;
  ok(s4_process_read(getpid(), &p) == 1 && p.pid == getpid() && p.ppid == getppid() && p.session == getsid(0) && !p.kthread && !p.dead && p.state == 'R',
     "this process") ;
  ok(!strncmp(p.comm, "test-process", 12), "its name") ;
  ok(!s4_process_read(2147483647, &p), "one that is not there") ;
  ok(s4_processes(&count, n) == 1 && n[0] >= 1 && n[1] == 1, "this process is among all of them, once") ;
  n[0] = 0 ;
  n[2] = 1 ;
  ok(s4_processes(&count, n) == 0 && n[0] == 1, "f's 0 ends it") ;
}

 /* Kernel stacks, as fs/proc/base.c:proc_pid_stack prints them. */

static struct { char const *text ; unsigned int max ; char const *names ; } const stacks[] =
{
  { "[<0>] rpc_wait_bit_killable+0x1e/0xb0 [sunrpc]\n[<0>] __rpc_execute+0x10c/0x3f0 [sunrpc]\n", 5,
    "rpc_wait_bit_killable < __rpc_execute" },
  { "[<0>] a+0x1/0x2\n[<0>] b+0x1/0x2\n[<0>] c+0x1/0x2\n", 2, "a < b" },
  { "[<0>] a+0x1/0x2\n[<0>] b", 5, "a < b" },
  { "", 5, "" },
  { "\n \nnothing\n[<0>] \n[<0>]  +\n", 5, "" },
  { "[<0>] a+0x1/0x2\n", 0, "" },
} ;

static void kernel_stacks (void)
{
  for (size_t i = 0 ; i < sizeof stacks / sizeof *stacks ; i++)
  {
    stralloc text = STRALLOC_ZERO, names = STRALLOC_ZERO ;
    int n = stralloc_cats(&text, stacks[i].text) ? s4_stack_names(&names, &text, stacks[i].max) : -2 ;
    is_string(names.len ? names.s : "", stacks[i].names, "a kernel stack") ;
    ok(n >= 0 && (unsigned int)n <= stacks[i].max, "stack %zu: %d functions", i, n) ;
    stralloc_free(&text) ;
    stralloc_free(&names) ;
  }
}

int main (void)
{
  s4_process p ;
  kernel_stacks() ;
  all_names() ;
  long_names() ;
  for (size_t i = 0 ; i < sizeof kinds / sizeof *kinds ; i++)
    ok(parse(kinds[i].line, strlen(kinds[i].line), &p) == 1 && p.kthread == kinds[i].kthread && p.dead == kinds[i].dead, "%s", kinds[i].name) ;
  for (size_t i = 0 ; i < sizeof bad / sizeof *bad ; i++) ok(!parse(bad[i], strlen(bad[i]), &p), "refused: \"%s\"", bad[i]) ;
  odd_numbers() ;
  torn("sh.stat") ;
  torn("kthreadd.stat") ;
  torn("odd.stat") ;
  the_real_ones() ;
  return done() ;
}
