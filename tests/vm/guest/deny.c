/*
  deny HOW CALL,... PROG... : becomes PROG; in it and its children these system calls fail
    HOW    errno: with EPERM; kill: whoever calls them is killed by SIGSYS
    CALL   kexec, arg, reboot, poweroff, halt: these commands of reboot(2); fsopen
*/

#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>

#define LOAD(field) (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value) (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define RETURN(value) (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (value))

static struct { char const *name ; unsigned int nr, command ; } const known[] =
{
  { "kexec", SYS_reboot, LINUX_REBOOT_CMD_KEXEC }, { "arg", SYS_reboot, LINUX_REBOOT_CMD_RESTART2 },
  { "reboot", SYS_reboot, LINUX_REBOOT_CMD_RESTART }, { "poweroff", SYS_reboot, LINUX_REBOOT_CMD_POWER_OFF },
  { "halt", SYS_reboot, LINUX_REBOOT_CMD_HALT }, { "fsopen", SYS_fsopen, 0 },
} ;
#define KNOWN (sizeof known / sizeof *known)

static int usage (char const *what)
{
  fprintf(stderr, "deny: %s\n", what) ;
  return 100 ;
}

int main (int argc, char **argv)
{
  struct sock_filter code[8 * KNOWN] ;
  struct sock_fprog prog = { .filter = code, .len = 0 } ;
  unsigned int verdict ;
  if (argc < 4) return usage("deny HOW CALL,... PROG...") ;
  verdict = strcmp(argv[1], "kill") ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS ;
  for (char *s = strtok(argv[2], ",") ; s ; s = strtok(0, ","))
  {
    unsigned int i = 0 ;
    while (i < KNOWN && strcmp(known[i].name, s)) i++ ;
    if (i == KNOWN || prog.len > 6 * KNOWN) return usage(s) ;
    code[prog.len++] = LOAD(nr) ;
    code[prog.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, known[i].nr, 0, known[i].command ? 3 : 1) ;
    if (known[i].command)
    {
      code[prog.len++] = LOAD(args[2]) ;
      code[prog.len++] = SKIP_UNLESS(known[i].command) ;
    }
    code[prog.len++] = RETURN(verdict) ;
  }
  code[prog.len++] = RETURN(SECCOMP_RET_ALLOW) ;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) perror("seccomp") ;
  else execvp(argv[3], argv + 3) ;
  perror(argv[3]) ;
  return 111 ;
}
