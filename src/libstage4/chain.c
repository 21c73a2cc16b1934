/* ISC license. */

/* What a step knows of its chain: the variables of doc/index.html, read once, and changed for the next program. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <skalibs/bytestr.h>
#include <skalibs/config.h>
#include <skalibs/env.h>
#include <skalibs/posixplz.h>
#include <skalibs/types.h>

#include "stage4.h"

#define SPARE_VARS 512   /* in the environment, where there is no memory for it */

s4_chain s4 = { .modifs = STRALLOC_ZERO, .watchdog = -1, .verbosity = 1, .budget = { .deadline = S4_NEVER } } ;

static struct { char const *name ; enum s4_action_e action ; } const actions[] =
{
  { "reboot", S4_REBOOT }, { "poweroff", S4_POWEROFF }, { "halt", S4_HALT },
  { "kexec", S4_KEXEC }, { "return", S4_RETURN },
  { "6", S4_REBOOT }, { "0", S4_POWEROFF },   /* runlevels */
} ;

int s4_action_scan (char const *s, enum s4_action_e *action)
{
  for (unsigned int i = 0 ; i < sizeof actions / sizeof *actions ; i++)
    if (!strcmp(s, actions[i].name))
    {
      *action = actions[i].action ;
      return 1 ;
    }
  return 0 ;
}

char const *s4_action_name (enum s4_action_e action)
{
  for (unsigned int i = 0 ; i < sizeof actions / sizeof *actions ; i++)
    if (actions[i].action == action) return actions[i].name ;
  return "none" ;
}

char const *s4_getenv (char const *name)
{
  return env_get2(s4.envp, name) ;
}

int s4_setenv (char const *name, char const *value)
{
  return env_addmodif(&s4.modifs, name, value) ;
}

 /* Takes no memory: without any left the next program must be told all the more. */

static char code[sizeof "?=" + UINT_FMT] ;

void s4_set_code (unsigned int n)
{
  memcpy(code, "?=", 2) ;
  code[2 + uint_fmt(code + 2, n)] = 0 ;
}

 /* Up to the '=', or to the end where there is none, as in a change that unsets it. */

static int same_variable (char const *a, char const *b)
{
  size_t const n = strcspn(a, "=") ;
  return n == strcspn(b, "=") && !memcmp(a, b, n) ;
}

static int is_changed (char const *var, size_t from)
{
  for (; from < s4.modifs.len ; from += strlen(s4.modifs.s + from) + 1)
    if (same_variable(var, s4.modifs.s + from)) return 1 ;
  return *code && same_variable(var, code) ;
}

 /*
   What is changed may have been there more than once, and who reads it may take any of them: all go. What nobody
   changes stays as it is.
 */

char const *const *s4_nextenv (void)
{
  static char const *spare[SPARE_VARS] ;
  size_t const max = env_len(s4.envp) + byte_count(s4.modifs.s, s4.modifs.len, 0) + 2 ;
  char const **env = malloc(max * sizeof *env) ;
  size_t n = 0 ;
  if (!env && max > SPARE_VARS) return 0 ;
  if (!env) env = spare ;
  for (char const *const *var = s4.envp ; *var ; var++) if (!is_changed(*var, 0)) env[n++] = *var ;
  for (size_t i = 0, next ; i < s4.modifs.len ; i = next)
  {
    char const *var = s4.modifs.s + i ;
    next = i + strlen(var) + 1 ;
    if (strchr(var, '=') && !is_changed(var, next)) env[n++] = var ;
  }
  if (*code) env[n++] = code ;
  env[n] = 0 ;
  return env ;
}

char const *s4_nextvar (char const *name)
{
  char const *const *env = s4_nextenv() ;
  return env ? env_get2(env, name) : 0 ;
}

static char const *path_of (char const *const *env)
{
  char const *path = env ? env_get2(env, "PATH") : 0 ;
  return path ? path : SKALIBS_DEFAULTPATH ;
}

char const *s4_nextpath (void)
{
  return path_of(s4_nextenv()) ;
}

void s4_exec (char const *const *argv)
{
  char const *const *env = s4_nextenv() ;
  if (env) execvep(argv[0], argv, env, path_of(env)) ;
}

static int scan_number (char const *name, uint64_t *u)
{
  char const *s = s4_getenv(name) ;
  return s && uint640_scan(s, u) ;
}

void s4_chain_read (char const *const *envp, int finishing)
{
  char const *s ;
  uint64_t u ;
  s4.envp = envp ;
  s4.budget.start = s4_now() ;
  s4.container = s4_in_container() ;
  if (scan_number("STAGE4_PID", &u) && u && u <= INT32_MAX && (!kill((pid_t)u, 0) || errno != ESRCH))
    s4.pid = (pid_t)u ;
  if (scan_number("STAGE4_VERBOSITY", &u) && u <= 3) s4.verbosity = (unsigned int)u ;
  if (!s4.pid) return ;   /* what is left of a chain that is over means nothing */
  s = s4_getenv("STAGE4_ACTION") ;
  if (s) s4_action_scan(s, &s4.action) ;
  if (scan_number("STAGE4_BEGUN", &u) && u <= INT64_MAX) s4.begun = (s4_ms)u ;
  if (scan_number("STAGE4_DEADLINE", &u) && u < INT64_MAX)
    s4.budget.deadline = s4_budget_deadline(s4.begun, (s4_ms)u, finishing) ;
  s4.watchdog = s4_watchdog_named("STAGE4_WATCHDOG") ;
}

s4_ms s4_limit (s4_ms timeout)
{
  return s4_budget_limit(&s4.budget, s4_now(), timeout) ;
}
