/* ISC license. */

/* Questions to several children: who doesn't answer keeps nobody else from it. */

#include <skalibs/nonposix.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define N 8
#define HANGS 1   /* what they do, by what data says of them */
#define DIES 2
#define LONG 3
#define NOTHING 4

static void tell (unsigned int i, stralloc *answer, void *data)
{
  unsigned char const *does = data ;
  alarm(50) ;
  while (does[i] == HANGS) pause() ;
  if (does[i] == DIES) raise(SIGKILL) ;
  if (does[i] == NOTHING) return ;
  s4_cat(answer, "I am ", S4_NUM(i)) ;
  if (does[i] == LONG) while (answer->len < 5000) if (!s4_cat(answer, "!")) return ;
}

static void ask (unsigned char const *does, s4_ms timeout, s4_ms least, s4_ms most, char const *name)
{
  char answers[N][S4_ANSWER_MAX] ;
  s4_ms const start = s4_now() ;
  s4_ms took ;
  int good = 1 ;
  memset(answers, '?', sizeof answers) ;
  s4_ask_each(N, &tell, (void *)does, start + timeout, answers) ;
  took = s4_now() - start ;
  for (unsigned int i = 0 ; i < N ; i++)
  {
    char want[16] = "" ;
    if (!does[i] || does[i] == LONG) snprintf(want, sizeof want, "I am %u", i) ;
    good &= does[i] == LONG ? !strncmp(answers[i], want, strlen(want)) && strlen(answers[i]) == S4_ANSWER_MAX - 1 : !strcmp(answers[i], want) ;
  }
  ok(good, "%s: the answers", name) ;
  if (!ok(took >= least && took < most, "%s: no longer than it takes", name)) note("%" PRId64 " ms", took) ;
  for (s4_ms const end = s4_now() + 20000 ; s4_now() < end && waitpid(-1, 0, WNOHANG) != -1 ; ) s4_poll(0, 0, s4_now() + 10) ;
  ok(waitpid(-1, 0, WNOHANG) == -1 && errno == ECHILD, "%s: no child is left", name) ;
}

int main (void)
{
  static unsigned char const all[N] = { 0 }, none[N] = { HANGS, HANGS, HANGS, HANGS, HANGS, HANGS, HANGS, HANGS },
    dead[N] = { DIES, DIES, DIES, DIES, DIES, DIES, DIES, DIES }, mixed[N] = { HANGS, 0, DIES, LONG, NOTHING, HANGS, LONG, 0 } ;
  char one[1][S4_ANSWER_MAX] = { "as it was" } ;
  ask(all, 20000, 0, 15000, "all answer") ;
  ask(none, 1500, 1500, 9000, "all hang") ;
  ask(dead, 20000, 0, 15000, "all die") ;
  ask(mixed, 3000, 3000, 6000, "some hang, some die") ;
  s4_ask_each(0, &tell, 0, S4_NEVER, one) ;
  is_string(one[0], "as it was", "nobody is asked") ;
  return done() ;
}
