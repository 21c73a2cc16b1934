#!/bin/sh
# stage4-ramfs: its command line, plain directories, and what it says of those that can't be used.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-ramfs: fatal: usage: stage4-ramfs [ -v verbosity ] [ -s size ] [ -d ] [ -n ] dir file...'
mkdir /tmp/other
echo mine >/tmp/other/file
transcript <<'END'
$ stage4-ramfs
! $usage
= 100
$ stage4-ramfs -d
! $usage
= 100
$ stage4-ramfs -x /tmp/r
! $usage
= 100
$ stage4-ramfs -f /tmp/r
! $usage
= 100
$ stage4-ramfs -s
! $usage
= 100
$ stage4-ramfs tmp/r
! stage4-ramfs: fatal: invalid directory (must begin with /): tmp/r
= 100
$ stage4-ramfs ''
! stage4-ramfs: fatal: invalid directory (must begin with /): 
= 100
$ stage4-ramfs /
! stage4-ramfs: fatal: invalid directory (must begin with /): /
= 100
$ stage4-ramfs -d /tmp/r bin/sh
! stage4-ramfs: fatal: invalid file (must begin with /): bin/sh
= 100
$ stage4-ramfs -d /tmp/r /bin/sh ''
! stage4-ramfs: fatal: invalid file (must begin with /): 
= 100
$ stage4-ramfs -d /tmp/r /bin/sh=bin/sh
! stage4-ramfs: fatal: invalid file (must begin with /): /bin/sh=bin/sh
= 100
$ stage4-ramfs -d /tmp/r /bin/sh=
! stage4-ramfs: fatal: invalid file (must begin with /): /bin/sh=
= 100
$ stage4-ramfs -d /tmp/r =/bin/sh
! stage4-ramfs: fatal: invalid file (must begin with /): =/bin/sh
= 100
$ stage4-ramfs -s 0 /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 0
= 100
$ stage4-ramfs -s '' /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 
= 100
$ stage4-ramfs -s 10x /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 10x
= 100
$ stage4-ramfs -s 10mb /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 10mb
= 100
$ stage4-ramfs -s -1m /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): -1m
= 100
$ stage4-ramfs -s 50% /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 50%
= 100
$ stage4-ramfs -s 99999999999999999999 /tmp/r
! stage4-ramfs: fatal: invalid size (like 4096, 800k or 16m): 99999999999999999999
= 100
$ stage4-ramfs -v 4 /tmp/r
! stage4-ramfs: fatal: invalid verbosity: 4
= 100

all of it or nothing
$ stage4-ramfs -d /tmp/r /not/there ; code=$? ; ls /tmp ; exit $code
! stage4-ramfs: fatal: unable to copy /not/there: No such file or directory
! stage4-ramfs: fatal: /tmp/r was not made; what was there is as it was
| other
= 111
$ stage4-ramfs -d -s 4k /tmp/r /bin/busybox ; code=$? ; ls /tmp ; exit $code
!~ stage4-ramfs: fatal: .*
! stage4-ramfs: fatal: /tmp/r was not made; what was there is as it was
| other
= 111
$ stage4-ramfs -d /tmp/other /bin/busybox ; code=$? ; cat /tmp/other/file ; ls /tmp ; exit $code
!~ stage4-ramfs: fatal: unable to .*
! stage4-ramfs: fatal: /tmp/other was not made; what was there is as it was
| mine
| other
= 111
$ stage4-ramfs /tmp/r /bin/busybox ; code=$? ; ls /tmp ; exit $code
! stage4-ramfs: fatal: unable to make a file system for /tmp/r: Operation not permitted
! stage4-ramfs: fatal: /tmp/r was not made; what was there is as it was
| other
= 111

-n says what is there
$ stage4-ramfs -n /not/there
| unusable /not/there: no such directory: /not/there
= 1
$ stage4-ramfs -n /bin/busybox
| unusable /bin/busybox: no such directory: /bin/busybox
= 1
END

done_testing
