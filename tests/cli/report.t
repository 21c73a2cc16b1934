#!/bin/sh
# Reports: one write of one line, which neither blocks nor kills the program.
# shellcheck disable=SC2016
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# thirty lines of warnings: files that aren't executable
mkdir /d /long
i=10
while test $i -lt 40 ; do : >/d/$i ; i=$((i + 1)) ; done
name=$(printf '%0200d' 0)
mkdir "/long/$name" "/long/$name/$name" "/long/$name/$name/$name"
: >"/long/$name/$name/$name/$(printf 'x%.0s' $(seq 200))end"
: >"/long/$name/$name/$name/$(printf '\377%.0s' $(seq 200))end"
: >"/long/$name/$name/$name/$(printf '\033\n%.0s' $(seq 100))end"

run /usr/bin/timeout 60 helper full stage4-hookdir -d /d helper code sh -c 'echo "next $CODE"'
ok "a full pipe: the program goes on" grep -qx 'next 1' /out
took=$(sed -n 's/^full: exit 0, \([0-9]*\) ms, .*/\1/p' /out)
ok "a full pipe: about a second for all lines ($took ms)" between "${took:-99999}" 900 1600

run /usr/bin/timeout 60 helper full stage4-nuke -x
took=$(sed -n 's/^full: exit 100, \([0-9]*\) ms, .*/\1/p' /out)
ok "a full pipe: a tenth of a second for one line ($took ms)" between "${took:-99999}" 90 400

run /usr/bin/timeout 60 helper records stage4-hookdir -d /d
is "each is one write" "$(cat /out)" "$(i=10 ; while test $i -lt 40 ; do
  echo "56 stage4-hookdir: warning: not executable, not run: /d/$i" ; i=$((i + 1)) ; done)"
code 1

run /usr/bin/timeout 60 helper records stage4-hookdir -d "/long/$name/$name/$name"
is "three long ones" "$(wc -l </out)" 3
ok "none is longer than 899 bytes" awk '$1 > 899 { exit 1 }' /out
ok "none has more than one line" not grep -q '<n' /out
ok "the end of a long name can be read" test "$(grep -ac 'end$' /out)" -ge 2
ok "what is left out is marked" test "$(grep -ac '[.][.][.]' /out)" = 3
ok "no control characters" not grep -aq "$(printf '\033')" /out

run /usr/bin/timeout 60 helper records stage4-nuke -s "x$(printf '%01000d' 1)"
ok "a long argument" test "$(cut -d' ' -f1 </out)" -le 899
is "still one line" "$(wc -l </out)" 1
code 100

transcript <<'END'
nowhere to report to
$ stage4-hookdir -d /d echo next 2>&-
| next
= 0
$ stage4-hookdir -d /d echo next 2>/dev/full
| next
= 0
$ stage4-hookdir -d /d echo next 2</dev/null
| next
= 0
$ stage4-nuke -x 2>&-
= 100
$ stage4-nuke -x 2>/dev/full
= 100
$ stage4-hpr -n -A reboot >&-
= 0
$ stage4-hpr -n -A reboot >/dev/full
! stage4-hpr: fatal: unable to write to stdout: No space left on device
= 111
$ stage4-hookdir -d /d helper code sh -c 'echo "next $CODE"' <&- 2>/dev/null
| next 1
= 0
nobody reads any more
$ { usleep 100000 ; stage4-hookdir -d /d sh -c 'echo next >/tmp/next' ; } 2>&1 | true ; usleep 500000 ; cat /tmp/next
| next
= 0
a file is written to
$ stage4-hookdir -d /d/10 echo next 2>/tmp/log ; cat /tmp/log
| next
| stage4-hookdir: warning: not executable, not run: /d/10
= 0
$ stage4-hookdir -d /d echo next 2>>/tmp/log ; echo $(sed 's,.*/d/,,' /tmp/log)
| next
| 10 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
= 0
END

done_testing
