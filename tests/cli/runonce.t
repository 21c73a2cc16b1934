#!/bin/sh
# stage4-runonce: its command line; what is run, what is recorded, what is refused.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-runonce: fatal: usage: stage4-runonce [ -v verbosity ] [ -s statedir ] [ -p stop|continue ] [ -t timeout ] [ -l allowlist ] [ -m ] [ -n ] dir|file prog...'
cat >/tmp/once <<'END'
#!/bin/sh
# once DIR [WORD...] : with the state directory /s/DIR
dir=$1
shift
exec stage4-runonce -s "/s/$dir" "$@" "/d/$dir"
END
# record FILE : as sha256sum writes it, below the name that it must have
cat >/tmp/record <<'END'
#!/bin/sh
cd "${1%/*}" && sha256sum "${1##*/}" >/tmp/line && cp /tmp/line "$2/$(sha256sum </tmp/line | cut -d ' ' -f 1)"
END
chmod 755 /tmp/once /tmp/record
PATH=/tmp:$PATH
mkdir /d /s
script /d/a/10-a
script /d/a/9-c
script /d/a/20-b
script /d/a/.hidden
script /d/input/1 'readlink /proc/self/fd/0 ; exit 3'
script /d/path/id
script /d/fail/1
script /d/fail/2 'exit 3'
script /d/fail/3
script /d/late/1
script /d/late/2 'exec sleep 1000'
script /d/late/3
script /d/odd/1-runs
echo text >/d/odd/2-text
mkdir /d/odd/3-dir
script /d/odd/4-group
chmod 775 /d/odd/4-group
script /d/odd/5-unreadable
chmod 311 /d/odd/5-unreadable
ln -s nowhere /d/odd/6-nowhere
ln -s /dev/null /d/odd/7-masked
ln -s 1-runs /d/odd/8-link
echo garbage >/d/odd/9-garbage
chmod 755 /d/odd/9-garbage
script /d/open/1
chmod 777 /d/open
script /d/closed/1
chmod 0 /d/closed
mkdir /d/empty
script /d/changes/1 'rm /d/changes/2 ; echo "echo edited" >>/d/changes/3'
script /d/changes/2
script /d/changes/3
# shellcheck disable=SC2016
script /d/changes/4 'rm "$0"'
# shellcheck disable=SC2016
script /d/changes/5 'echo "# edited" >>"$0"'
script /d/changes/6
newline='
'
long=$(printf '%0255d' 0)
script "/d/names/1 a\\b${newline}c"
script "/d/names/$long"
script /d/list/1
script /d/list/2
backslash=3\\
script "/d/list/$backslash"
( cd /d/list && { echo '# reviewed' ; echo ; sha256sum -b ./1 ; sha256sum "$backslash" ; sha256sum /d/a/9-c ; } >/list )
sed 's/ .3/ x3/' /list >/bad-list
cp /list /open-list
chmod 666 /open-list
script /d/torn/1
script /d/torn/2
script /d/other/1
script /d/slow/1 'touch /tmp/slow-runs ; until test -e /tmp/go ; do usleep 10000 ; done'
mkdir -p /s/open /s/closed /s/readonly
chmod 777 /s/open
chmod 0 /s/closed
echo text >/s/file
script /d/readonly/1
script /d/readonly/2

transcript <<'END'
$ stage4-runonce
! $usage
= 100
$ stage4-runonce ''
! stage4-runonce: fatal: invalid directory or file: 
= 100
$ stage4-runonce -x /d/a
! $usage
= 100
$ stage4-runonce -f /d/a
! $usage
= 100
$ stage4-runonce -s
! $usage
= 100
$ stage4-runonce -s relative /d/a
! stage4-runonce: fatal: invalid state directory (must begin with /): relative
= 100
$ stage4-runonce -s / /d/a
! stage4-runonce: fatal: invalid state directory (must begin with /): /
= 100
$ stage4-runonce -p sometimes /d/a
! stage4-runonce: fatal: invalid policy (stop or continue): sometimes
= 100
$ stage4-runonce -t 0 /d/a
! stage4-runonce: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-runonce -t 10x /d/a
! stage4-runonce: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-runonce -l '' /d/a
! stage4-runonce: fatal: invalid path: 
= 100
$ stage4-runonce -v 4 /d/a
! stage4-runonce: fatal: invalid verbosity: 4
= 100

nothing to do: no directory, an empty one; no state directory is needed, and none is made, nor an allow list read
$ stage4-runonce -s /s/open /not/there helper code sh -c 'echo "? is $CODE"'
| ? is 0
= 0
$ stage4-runonce -s /s/none -l /not/there /d/empty ; ls /s/none
! ls: /s/none: No such file or directory
= 1

-n touches nothing, and nothing follows it
$ stage4-runonce -n -s /s/a /d/a echo not reached ; echo $? ; ls /s/a
| run /d/a/10-a: not run yet
| run /d/a/20-b: not run yet
| run /d/a/9-c: not run yet
| 1
! ls: /s/a: No such file or directory
= 1
$ once a -m -n
| mark /d/a/10-a: not run yet
| mark /d/a/20-b: not run yet
| mark /d/a/9-c: not run yet
= 1
by name, as bytes, without arguments; what has succeeded is recorded, and not run again
$ stage4-runonce -s /s/deep/er/a /d/a helper code sh -c 'echo "? is $CODE"'
| /d/a/10-a
! stage4-runonce: info: done and recorded: /d/a/10-a
| /d/a/20-b
! stage4-runonce: info: done and recorded: /d/a/20-b
| /d/a/9-c
! stage4-runonce: info: done and recorded: /d/a/9-c
| ? is 0
= 0
$ stage4-runonce -s /s/deep/er/a /d/a helper code sh -c 'echo "? is $CODE"'
| ? is 0
= 0
$ stage4-runonce -v 2 -s /s/deep/er/a /d/a
! stage4-runonce: info: done already: /d/a/10-a
! stage4-runonce: info: done already: /d/a/20-b
! stage4-runonce: info: done already: /d/a/9-c
= 0
$ stage4-runonce -n -s /s/deep/er/a /d/a echo not reached
| leave /d/a/10-a: done already
| leave /d/a/20-b: done already
| leave /d/a/9-c: done already
= 0
the records are lines of sha256sum, each named by the sum of it
$ cd /d/a && cat /s/deep/er/a/* | sha256sum -c
|~ 10-a: OK|20-b: OK|9-c: OK
|~ 10-a: OK|20-b: OK|9-c: OK
|~ 10-a: OK|20-b: OK|9-c: OK
= 0
$ cd /s/deep/er/a && for i in * ; do echo "$i  $i" ; done | sha256sum -c | grep -c OK ; ls | wc -l
| 3
| 3
= 0
$ record /d/a/10-a /tmp && cmp /tmp/line /s/deep/er/a/$(sha256sum </tmp/line | cut -d ' ' -f 1)
= 0
a record that is deleted: it runs again
$ rm $(grep -l ' 20-b$' /s/deep/er/a/*) ; stage4-runonce -s /s/deep/er/a /d/a
| /d/a/20-b
! stage4-runonce: info: done and recorded: /d/a/20-b
= 0
a single file
$ once a/10-a
| /d/a/10-a
! stage4-runonce: info: done and recorded: /d/a/10-a
= 0
$ once a/10-a
= 0
it is not searched in $PATH
$ cd /d/path ; stage4-runonce -s /s/path id ; stage4-runonce -n -s /s/path id ; cd .. ; stage4-runonce -n -s /s/path path
| ./id
! stage4-runonce: info: done and recorded: ./id
| leave ./id: done already
| leave ./path/id: done already
= 0
the input is /dev/null, but not that of what follows
$ echo text | stage4-runonce -s /s/input /d/input cat
| /d/input/1
| /dev/null
!~ stage4-runonce: warning: /d/input/1 failed with 3 after [0-9]+ ms
| text
= 0

in a chain
$ STAGE4_PID=1 STAGE4_ACTION=reboot stage4-runonce -s /s/chain /d/a/9-c helper code sh -c 'echo "? is $CODE"'
| /d/a/9-c
! stage4-runonce: info: done and recorded: /d/a/9-c
| ? is 0
= 0

failures: the next ones are not run; it runs again
$ stage4-runonce -s /s/fail /d/fail helper code sh -c 'echo "? is $CODE"'
| /d/fail/1
! stage4-runonce: info: done and recorded: /d/fail/1
| /d/fail/2
!~ stage4-runonce: warning: /d/fail/2 failed with 3 after [0-9]+ ms
! stage4-runonce: warning: stopping, the rest is not run
| ? is 1
= 0
$ once fail -p continue
| /d/fail/2
!~ stage4-runonce: warning: /d/fail/2 failed with 3 after [0-9]+ ms
| /d/fail/3
! stage4-runonce: info: done and recorded: /d/fail/3
= 1
$ once fail -p stop ; ls /s/fail | wc -l
| /d/fail/2
!~ stage4-runonce: warning: /d/fail/2 failed with 3 after [0-9]+ ms
! stage4-runonce: warning: stopping, the rest is not run
| 2
= 0
$ once late -t 500 -p continue
| /d/late/1
! stage4-runonce: info: done and recorded: /d/late/1
| /d/late/2
!~ stage4-runonce: warning: /d/late/2 is not done after .*, ending it
| /d/late/3
! stage4-runonce: info: done and recorded: /d/late/3
= 99
$ once late -t 500
| /d/late/2
!~ stage4-runonce: warning: /d/late/2 is not done after .*, ending it
! stage4-runonce: warning: stopping, the rest is not run
= 99

what is refused counts as a failure
$ once odd
| /d/odd/1-runs
! stage4-runonce: info: done and recorded: /d/odd/1-runs
! stage4-runonce: warning: not executable, not run: /d/odd/2-text
! stage4-runonce: warning: stopping, the rest is not run
= 1
$ once odd -n
| leave /d/odd/1-runs: done already
| leave /d/odd/2-text: not executable
| leave /d/odd/3-dir: not executable
| leave /d/odd/4-group: others than root can write it
| leave /d/odd/5-unreadable: can't be read
| leave /d/odd/6-nowhere: not executable
| leave /d/odd/7-masked: masked
| leave /d/odd/8-link: what is before it is not done
| leave /d/odd/9-garbage: what is before it is not done
= 1
$ once odd
! stage4-runonce: warning: not executable, not run: /d/odd/2-text
! stage4-runonce: warning: stopping, the rest is not run
= 1
$ once odd -v 2 -p continue
! stage4-runonce: info: done already: /d/odd/1-runs
! stage4-runonce: warning: not executable, not run: /d/odd/2-text
! stage4-runonce: warning: not executable, not run: /d/odd/3-dir
! stage4-runonce: warning: others than root can write it, not run: /d/odd/4-group
! stage4-runonce: warning: can't be read, not run: /d/odd/5-unreadable
! stage4-runonce: warning: not executable, not run: /d/odd/6-nowhere
! stage4-runonce: info: masked: /d/odd/7-masked
| /d/odd/8-link
!~ stage4-runonce: info: /d/odd/8-link is done, [0-9]+ ms
! stage4-runonce: info: done and recorded: /d/odd/8-link
! stage4-runonce: warning: unable to execute /d/odd/9-garbage: Exec format error
= 1
$ stage4-runonce -s /s/open-dir /d/open ; echo $? ; ls /s/open-dir
! stage4-runonce: warning: others than root can write it, not run: /d/open/1
| 1
! ls: /s/open-dir: No such file or directory
= 1
what is done isn't refused any more
$ chmod 777 /d/odd/1-runs ; stage4-runonce -s /s/odd /d/odd/1-runs
= 0
$ cd /d ; stage4-runonce -s /s/input a/9-c helper code sh -c 'echo "? is $CODE"'
| a/9-c
! stage4-runonce: info: done and recorded: a/9-c
| ? is 0
= 0

the allow list: by content and the last part of the name
$ once list -n -l /list
| run /d/list/1: not run yet
| leave /d/list/2: not in the list of what is allowed
| leave /d/list/3\134: what is before it is not done
= 1
$ once list -p continue -l /list
| /d/list/1
! stage4-runonce: info: done and recorded: /d/list/1
! stage4-runonce: warning: not in the list of what is allowed, not run: /d/list/2
| /d/list/3\
! stage4-runonce: info: done and recorded: /d/list/3\134
= 1
$ echo : >>/d/list/1 ; once list -l /list
! stage4-runonce: warning: not in the list of what is allowed, not run: /d/list/1
! stage4-runonce: warning: stopping, the rest is not run
= 1
$ stage4-runonce -s /s/list -l /not/there /d/list echo next
! stage4-runonce: fatal: unable to read /not/there: No such file or directory
| next
= 0
$ once list -l /not/there
! stage4-runonce: fatal: unable to read /not/there: No such file or directory
= 111
$ once list -l /tmp
! stage4-runonce: fatal: unable to read /tmp: Invalid argument
= 111
$ once list -l /bad-list
! stage4-runonce: fatal: not a line of sha256sum: /bad-list, line 4
= 111
$ once list -l /open-list
! stage4-runonce: fatal: others than root can write it, not used: /open-list
= 111

any name: escaped as in sha256sum, and as long as can be
$ once names >/dev/null 2>&1 ; echo $? ; ls /s/names | wc -l
| 0
| 2
= 0
$ once names
= 0
$ cat /s/names/* | sed -n 's/^\\[0-9a-f]\{64\}  //p'
| 1 a\\b\nc
= 0

-m: all are recorded, but not run
$ stage4-runonce -m -s /s/marked /d/a
! stage4-runonce: info: marked as done: /d/a/10-a
! stage4-runonce: info: marked as done: /d/a/20-b
! stage4-runonce: info: marked as done: /d/a/9-c
= 0
$ stage4-runonce -s /s/marked /d/a
= 0
$ stage4-runonce -m -s /s/marked-odd /d/odd
! stage4-runonce: warning: others than root can write it, not run: /d/odd/1-runs
! stage4-runonce: warning: not executable, not run: /d/odd/2-text
! stage4-runonce: warning: not executable, not run: /d/odd/3-dir
! stage4-runonce: warning: others than root can write it, not run: /d/odd/4-group
! stage4-runonce: warning: can't be read, not run: /d/odd/5-unreadable
! stage4-runonce: warning: not executable, not run: /d/odd/6-nowhere
! stage4-runonce: warning: others than root can write it, not run: /d/odd/8-link
! stage4-runonce: info: marked as done: /d/odd/9-garbage
= 1

an edited one runs again; the older version does not, nor the newer one after that
$ cp /d/other/1 /tmp/old ; once other
| /d/other/1
! stage4-runonce: info: done and recorded: /d/other/1
= 0
$ echo 'echo new' >>/d/other/1 ; once other
| /d/other/1
| new
! stage4-runonce: info: done and recorded: /d/other/1
= 0
an update is nothing to be said of
$ once other
= 0
$ once other -n
| leave /d/other/1: done already
| recorded 1: with another content
= 0
$ cp /d/other/1 /tmp/new ; cp /tmp/old /d/other/1 ; once other
! stage4-runonce: info: all is done, but something else was recorded later: 1
= 0
$ once other -n
| leave /d/other/1: done already
| recorded 1: with another content, and later than all that are here
= 0
$ cp /tmp/new /d/other/1 ; once other -v 2
! stage4-runonce: info: recorded 1: with another content
! stage4-runonce: info: done already: /d/other/1
= 0
$ mv /d/other/1 /d/other/2 ; once other -n
| run /d/other/2: not run yet
| recorded 1: not here, and later than all that are here
| recorded 1: not here, and later than all that are here
= 1

what changes meanwhile
$ once changes
| /d/changes/1
! stage4-runonce: info: done and recorded: /d/changes/1
| /d/changes/3
| edited
! stage4-runonce: info: done and recorded: /d/changes/3
| /d/changes/4
! stage4-runonce: info: done and recorded: /d/changes/4
| /d/changes/5
! stage4-runonce: warning: changed while it ran, not recorded: /d/changes/5
! stage4-runonce: warning: stopping, the rest is not run
= 1

records that are torn, or were begun only
$ once torn 2>/dev/null ; ls /s/torn | wc -l
| /d/torn/1
| /d/torn/2
| 2
= 0
$ file=$(grep -l ' 2$' /s/torn/*) ; head -c 40 $file >/tmp/torn ; cp /tmp/torn $file ; cp /tmp/torn $file.new ; echo x >/s/torn/README ; once torn -n
| leave /d/torn/1: done already
| run /d/torn/2: not run yet
= 1
$ once torn ; ls /s/torn | grep -vc README
! stage4-runonce: warning: torn records, which count as none, are removed: 1
| /d/torn/2
! stage4-runonce: info: done and recorded: /d/torn/2
| 2
= 0
$ file=$(grep -l ' 2$' /s/torn/*) ; : >$file ; once torn -v 0 ; cat $file | wc -l
| /d/torn/2
| 1
= 0
$ file=$(grep -l ' 2$' /s/torn/*) ; mkdir $file.new ; once torn
= 0
$ rm /s/torn/*[!w] 2>/dev/null ; once torn
! stage4-runonce: fatal: unable to write to the state directory /s/torn: Is a directory
= 111

the state directory
$ stage4-runonce -s /s/open /d/a
! stage4-runonce: fatal: others than root can write it, not used: /s/open
= 111
$ stage4-runonce -s /s/closed /d/a
! stage4-runonce: fatal: unable to read the state directory /s/closed: Permission denied
= 111
$ stage4-runonce -s /s/file /d/a echo next
! stage4-runonce: fatal: unable to read the state directory /s/file: Not a directory
| next
= 0
$ stage4-runonce -s /proc/state /d/a
! stage4-runonce: fatal: unable to make or lock the state directory /proc/state: No such file or directory
= 111
one that is read-only matters only if there is something to be run
$ stage4-runonce -s /s/readonly /d/readonly/1 ; chmod 555 /s/readonly ; once readonly ; echo $? ; rm /d/readonly/2 ; once readonly
| /d/readonly/1
! stage4-runonce: info: done and recorded: /d/readonly/1
! stage4-runonce: fatal: unable to write to the state directory /s/readonly: Permission denied
| 111
= 0

the directory
$ stage4-runonce -s /s/x /d/closed
! stage4-runonce: fatal: unable to list /d/closed: Permission denied
= 111

two of them: the second one waits, and finds it done
$ once slow >/tmp/first 2>&1 & until test -e /tmp/slow-runs ; do usleep 10000 ; done ; once slow -t 300 ; echo $? ; once slow 2>/tmp/second & until grep -qs waiting /tmp/second ; do usleep 10000 ; done ; touch /tmp/go ; wait $! ; echo $? ; sed 's/, [0-9].*//' /tmp/second | sort -u ; wait ; grep -v 'waiting for /d' /tmp/first
! stage4-runonce: fatal: another stage4-runonce is still at work in /s/slow
| 111
| 0
| stage4-runonce: info: waiting for another stage4-runonce in /s/slow
| /d/slow/1
| stage4-runonce: info: done and recorded: /d/slow/1
= 0
END

done_testing
