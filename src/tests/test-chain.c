/* ISC license. */

/* What a step knows of its chain: actions, names of programs, $PATH before and after the pivot, the environment for the next one. */

#include <unistd.h>

#include <skalibs/env.h>

#include "stage4.h"
#include "tap.h"

static struct { char const *s ; enum s4_action_e action ; char const *name ; } const actions[] =
{
  { "reboot", S4_REBOOT, "reboot" }, { "poweroff", S4_POWEROFF, "poweroff" }, { "halt", S4_HALT, "halt" }, { "kexec", S4_KEXEC, "kexec" },
  { "return", S4_RETURN, "return" }, { "6", S4_REBOOT, "reboot" }, { "0", S4_POWEROFF, "poweroff" }
} ;

static char const *const no_actions[] =
  { "", "none", "Reboot", "REBOOT", " reboot", "reboot ", "reboo", "reboots", "1", "2", "3", "4", "5", "7", "00", "06", "60", "s", "S", "power-off", "shutdown" } ;

static char const *const ours[] =
{
#define S4_PROGRAM(name) "stage4-" #name,
#include "programs.h"
#undef S4_PROGRAM
  "stage4", "/bin/stage4", "/run/stage4/bin/stage4-hpr", "./stage4-nuke", "stage4-nuke/stage4-hpr", "//stage4-nuke"
} ;

static char const *const foreign[] =
  { "", "/", "nuke", "stage", "stage4-", "stage4-nukes", "stage4-nuk", "xstage4-nuke", "stage4-nuke/", "stage4-nuke/x", "stage4 nuke", "Stage4-nuke",
    "stage4-no-such-program", "/bin/sh", "foreground", "stage4-nuke " } ;

static struct { char const *name, *path, *root, *inside, *back ; } const paths[] =
{
  { "ordinary", "/usr/bin:/bin", "/run/s4", "/run/s4/usr/bin:/run/s4/bin:/usr/bin:/bin", "/usr/bin:/bin" },
  { "one", "/bin", "/run/s4", "/run/s4/bin:/bin", "/bin" },
  { "relative ones stay behind", "bin:/bin:./x", "/run/s4", "/run/s4/bin:bin:/bin:./x", "/bin" },
  { "empty ones", ":/bin::/sbin:", "/r", "/r/bin:/r/sbin::/bin::/sbin:", "/bin:/sbin" },
  { "only relative ones", "a:b", "/r", "a:b", "a:b" },
  { "empty", "", "/r", "", "" },
  { "the root of it", "/", "/r", "/r/:/", "/" }
} ;

static struct { char const *name, *path, *root, *want ; } const pivoted[] =
{
  { "nothing of it", "/usr/bin:/bin", "/run/s4", "/usr/bin:/bin" },
  { "some of it", "/run/s4/bin:/bin:/run/s4/sbin", "/run/s4", "/bin:/sbin" },
  { "what begins like it", "/run/s4x/bin:/run/s4/bin", "/run/s4", "/bin" },
  { "only what begins like it", "/run/s4x/bin", "/run/s4", "/run/s4x/bin" },
  { "itself", "/run/s4:/run/s4/bin", "/run/s4", "/bin" },
  { "a part of it", "/run:/run/s4/bin", "/run/s4", "/bin" },
  { "twice", "/r/a:/r/a", "/r", "/a:/a" },
  { "deep", "/r/r/r", "/r", "/r/r" }
} ;

static void all_paths (void)
{
  stralloc sa = STRALLOC_ZERO, back = STRALLOC_ZERO ;
  for (size_t i = 0 ; i < sizeof paths / sizeof *paths ; i++)
  {
    stralloc_cats(&sa, "left over") ;
    if (!ok(s4_path_inside(&sa, paths[i].path, paths[i].root), "before: %s", paths[i].name)) continue ;
    is_bytes(sa.s, sa.len, paths[i].inside, strlen(paths[i].inside) + 1, paths[i].name) ;
    ok(s4_path_pivoted(&back, sa.s, paths[i].root), "after: %s", paths[i].name) ;
    is_bytes(back.s, back.len, paths[i].back, strlen(paths[i].back) + 1, paths[i].name) ;
  }
  for (size_t i = 0 ; i < sizeof pivoted / sizeof *pivoted ; i++)
  {
    ok(s4_path_pivoted(&sa, pivoted[i].path, pivoted[i].root), "after: %s", pivoted[i].name) ;
    is_string(sa.s, pivoted[i].want, pivoted[i].name) ;
  }
}

static void read_environment (void)
{
  char pid[32], deadline[64], begun[64] ;
  s4_ms const now = s4_now() ;
  char const *const chain[] = { "STAGE4_ACTION=kexec", pid, "STAGE4_WATCHDOG=7", "STAGE4_VERBOSITY=3", begun, deadline, "PATH=/one:/two", 0 } ;
  char const *const nonsense[] =
    { "STAGE4_ACTION=dance", "STAGE4_PID=x", "STAGE4_WATCHDOG=-1", "STAGE4_VERBOSITY=77", "STAGE4_DEADLINE=99999999999999999999", "STAGE4_BEGUN=", 0 } ;
  char const *const gone[] = { "STAGE4_PID=2147483647", "STAGE4_DEADLINE=9223372036854775808", "STAGE4_WATCHDOG=99999999999", 0 } ;
  char const *const nothing[] = { 0 } ;
  s4_chain const fresh = s4 ;
  snprintf(pid, sizeof pid, "STAGE4_PID=%d", (int)getpid()) ;
  snprintf(begun, sizeof begun, "STAGE4_BEGUN=%" PRId64, now) ;
  snprintf(deadline, sizeof deadline, "STAGE4_DEADLINE=%" PRId64, now + 40000) ;

  s4_chain_read(chain, 0) ;
  ok(s4.action == S4_KEXEC && s4.pid == getpid() && s4.watchdog == -1 && s4.verbosity == 3 && s4.begun == now, "the variables of a chain") ;
  is_number(s4.budget.deadline, now + 30000, "without the reserve") ;
  ok(s4.budget.start >= now && s4.budget.start <= s4_now(), "the step began now") ;
  is_string(s4_nextpath(), "/one:/two", "PATH") ;
  ok(s4_limit(1000000) == now + 30000 && s4_limit(1000) <= s4_now() + 1000, "limits") ;
  ok(s4_setenv("PATH", "/three") && s4_setenv("?", "1"), "changes") ;
  is_string(s4_nextpath(), "/three", "PATH for the next program") ;
  is_string(s4_getenv("PATH"), "/one:/two", "PATH as it was") ;
  is_string(s4_nextvar("?"), "1", "any variable for the next program") ;
  s4_set_code(99) ;
  ok(!strcmp(env_get2(s4_nextenv(), "?"), "99"), "the code, whatever else was set") ;
  ok(s4_setenv("PATH", 0) && s4_nextpath() && *s4_nextpath(), "no PATH: the default") ;

  s4 = fresh ;
  s4_chain_read(chain, 1) ;
  is_number(s4.budget.deadline, now + 40000, "with the reserve") ;

  for (unsigned int i = 0 ; i < 3 ; i++)
  {
    s4 = fresh ;
    s4_chain_read(i == 2 ? nothing : i ? gone : nonsense, 0) ;
    ok(s4.action == S4_NOACTION && !s4.pid && s4.watchdog == -1 && s4.verbosity == 1 && !s4.begun && s4.budget.deadline == S4_NEVER,
       "%s counts as unset", i == 2 ? "nothing" : i ? "what is gone" : "nonsense") ;
  }
  s4 = fresh ;
}

 /* All variables of the next program, in the order of their bytes, with a blank behind each. */

static int compare_strings (void const *a, void const *b)
{
  return strcmp(*(char const *const *)a, *(char const *const *)b) ;
}

static char const *next_sorted (void)
{
  static stralloc sa = STRALLOC_ZERO ;
  char const **env = (char const **)s4_nextenv() ;
  qsort(env, env_len(env), sizeof *env, &compare_strings) ;
  sa.len = 0 ;
  for (; *env ; env++) s4_cat(&sa, *env, " ") ;
  return sa.s ;
}

static void twice (void)
{
  char const *const env[] = { "A=1", "B=1", "A=2", "AA=1", "B=2", "A", "?=1", "=x", "", "?=2", "A=3", 0 } ;
  s4_chain const fresh = s4 ;
  s4.envp = env ;
  s4.modifs = (stralloc)STRALLOC_ZERO ;
  s4_set_code(99) ;
  is_string(next_sorted(), " =x ?=99 A A=1 A=2 A=3 AA=1 B=1 B=2 ", "twice: what nobody changes stays, the code is one") ;
  ok(s4_setenv("A", "new"), "twice: a change") ;
  is_string(next_sorted(), " =x ?=99 A=new AA=1 B=1 B=2 ", "twice: a variable that is set is one") ;
  ok(s4_setenv("A", 0) && s4_setenv("C", "1"), "twice: two more") ;
  is_string(next_sorted(), " =x ?=99 AA=1 B=1 B=2 C=1 ", "twice: one that is unset is none") ;
  ok(s4_setenv("A", "at last") && s4_setenv("C", "2") && s4_setenv("?", "3"), "twice: changes of what was changed") ;
  is_string(next_sorted(), " =x ?=99 A=at last AA=1 B=1 B=2 C=2 ", "twice: the last change counts") ;
  is_string(s4_getenv("A"), "1", "twice: this process has the first one") ;
  s4 = fresh ;
}

static void programs (void)
{
  char const *const env[] = { "PATH=/nonexistent::/bin:/usr/bin", 0 } ;
  s4_chain const fresh = s4 ;
  stralloc sa = STRALLOC_ZERO ;
  s4.envp = env ;
  ok(s4_find_program("sh", &sa) && (!strcmp(sa.s, "/bin/sh") || !strcmp(sa.s, "/usr/bin/sh")), "sh is found") ;
  ok(s4_find_program("/bin/sh", &sa) && !strcmp(sa.s, "/bin/sh"), "/bin/sh is found") ;
  ok(!s4_find_program("no-such-program-anywhere", &sa) && errno == ENOENT, "what is nowhere") ;
  ok(!s4_find_program("/bin", &sa) && errno == EACCES, "a directory") ;
  ok(!s4_find_program("/dev/null", &sa) && errno == EACCES, "a device") ;
  ok(!s4_find_program("src/tests/data/sh.stat", &sa) && errno == EACCES, "a file that is not executable") ;
  ok(!s4_find_program("", &sa), "no name") ;
  s4 = fresh ;
}

int main (void)
{
  for (size_t i = 0 ; i < sizeof actions / sizeof *actions ; i++)
  {
    enum s4_action_e a = S4_NOACTION ;
    ok(s4_action_scan(actions[i].s, &a) && a == actions[i].action, "\"%s\" is an action", actions[i].s) ;
    is_string(s4_action_name(a), actions[i].name, actions[i].s) ;
  }
  for (size_t i = 0 ; i < sizeof no_actions / sizeof *no_actions ; i++)
  {
    enum s4_action_e a = S4_NOACTION ;
    ok(!s4_action_scan(no_actions[i], &a) && a == S4_NOACTION, "\"%s\" is none", no_actions[i]) ;
  }
  is_string(s4_action_name(S4_NOACTION), "none", "no action has a name too") ;
  for (size_t i = 0 ; i < sizeof ours / sizeof *ours ; i++) ok(s4_is_ours(ours[i]), "\"%s\" is ours", ours[i]) ;
  for (size_t i = 0 ; i < sizeof foreign / sizeof *foreign ; i++) ok(!s4_is_ours(foreign[i]), "\"%s\" is foreign", foreign[i]) ;
  all_paths() ;
  read_environment() ;
  twice() ;
  programs() ;
  return done() ;
}
