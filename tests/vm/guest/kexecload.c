/* kexecload KERNEL INITRAMFS COMMANDLINE : what kexec -s -l does. Both must be regular files. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main (int argc, char const *const *argv)
{
  int kernel, initramfs ;
  if (argc != 4) return 100 ;
  kernel = open(argv[1], O_RDONLY | O_CLOEXEC) ;
  initramfs = open(argv[2], O_RDONLY | O_CLOEXEC) ;
  if (kernel != -1 && initramfs != -1 &&
    !syscall(SYS_kexec_file_load, kernel, initramfs, strlen(argv[3]) + 1, argv[3], 0)) return 0 ;
  perror("kexecload") ;
  return 1 ;
}
