/*
   What stage4 is measured against: the shortest straightforward program that takes a machine down.
   Executed as pid 1. No limits on anything that can hang, no ramfs, no report.
   It says nothing, finds no busy file system, and knows no loop, dm or md device.
*/

#define _GNU_SOURCE
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

static void alarmed (int sig)
{
  (void)sig ;
}

/* Everything alive is a descendant of pid 1: no child, nobody left. */
static void reap_all (unsigned int seconds)
{
  struct sigaction sa = { .sa_handler = &alarmed } ;      /* no SA_RESTART: ends the wait */
  sigaction(SIGALRM, &sa, 0) ;
  alarm(seconds) ;
  while (waitpid(-1, 0, 0) > 0) ;
  alarm(0) ;
}

static void swapoff_all (void)
{
  char line[4096] ;
  FILE *f = fopen("/proc/swaps", "r") ;
  if (!f || !fgets(line, sizeof line, f)) return ;        /* the heading */
  while (fgets(line, sizeof line, f)) swapoff(strtok(line, " \t")) ;
  fclose(f) ;
}

static void umount_all (void)
{
  static char *dirs[10000] ;
  size_t n = 0 ;
  struct mntent *m ;
  FILE *f = setmntent("/proc/mounts", "r") ;
  if (!f) return ;
  while (n < sizeof dirs / sizeof *dirs && (m = getmntent(f))) dirs[n++] = strdup(m->mnt_dir) ;
  endmntent(f) ;
  while (n--) umount2(dirs[n], UMOUNT_NOFOLLOW) ;
}

int main (void)
{
  int fd ;
  for (fd = 0 ; fd < 3 ; fd++) close(fd) ;                /* the catch-all logger ends when nobody can write to it */
  chdir("/") ;
  kill(-1, SIGTERM) ;
  kill(-1, SIGCONT) ;
  reap_all(10) ;
  kill(-1, SIGKILL) ;
  reap_all(5) ;
  swapoff_all() ;
  umount_all() ;
  mount(0, "/", 0, MS_REMOUNT | MS_RDONLY, 0) ;
  sync() ;
  reboot(RB_AUTOBOOT) ;
  for (;;) pause() ;
}
