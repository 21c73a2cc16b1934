#!/bin/sh
# run-test.sh program...
# Runs unit tests, which print TAP; shows what went wrong, and a line for each. Exits 1 if any failed.
# A test has failed if it doesn't exit 0 within a minute, says "not ok", or hasn't done all that its plan says:
# so one that crashes behind its last good line, or prints nothing at all, doesn't pass.

test $# -gt 0 || { echo "run-test.sh: no tests" >&2 ; exit 1 ; }
limit=
! command -v timeout > /dev/null || limit='timeout 60'

failed=0
for prog ; do
  if test ! -x "$prog" ; then
    echo "$prog: FAILED: missing"
    failed=$((failed + 1))
    continue
  fi
  out=$($limit "$prog" 2>&1 < /dev/null)
  status=$?
  verdict=$(printf '%s\n' "$out" | awk -v status="$status" '
    /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 ; planned++ }
    /^ok/ { ok++ }
    /^not ok/ { if (/# TODO/) ok++ ; else bad++ }
    /^Bail out!/ { bailed = 1 }
    END {
      if (bailed) print "bailed out"
      else if (bad) print bad " not ok"
      else if (status != 0) print status == 124 ? "timed out" : "exit " status
      else if (planned != 1) print "no plan"
      else if (plan != ok + 0) print ok + 0 " of " plan " done"
      else print "ok " plan
    }')
  case $verdict in
    'ok '*) echo "$prog: $verdict" ;;
    *)
      printf '%s\n' "$out" | grep -v '^ok'
      echo "$prog: FAILED: $verdict"
      failed=$((failed + 1)) ;;
  esac
done
test "$failed" -eq 0 || { echo "$failed of $# failed" ; exit 1 ; }
