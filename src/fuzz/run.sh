#!/bin/sh
# src/fuzz/run.sh [ seconds [ target... ] ]
# Runs fuzz targets that `make fuzz` has built, each for so many seconds (60). It begins with the unit tests'
# fixtures (src/tests/data/*.NAME) and src/fuzz/seeds/NAME/, and goes on with what it has found before, in
# build/fuzz/NAME. What fails is left there as crash-* or timeout-*. Exits 1 if something did.

cd "$(dirname "$0")/../.." || exit 111
seconds=${1:-60}
test $# -eq 0 || shift
test $# -gt 0 || set -- ./fuzz-*
failed=0
for target ; do
  name=${target##*/}
  name=${name#fuzz-}
  dir=build/fuzz/$name
  mkdir -p "$dir/corpus" || exit 111
  case $name in
    mountinfo | manifest) set -- src/tests/data/*."$name" ;;
    swaps) set -- src/tests/data/*.swaps ;;
    process) set -- src/tests/data/*.stat ;;
    elf) set -- tools/run-test.sh ;;
    *) set -- src/fuzz/seeds/"$name"/* ;;
  esac
  cp "$@" "$dir/corpus/" || exit 111
  test "$name" != elf || head -c 4096 "./fuzz-$name" > "$dir/corpus/program"
  echo "$name: $seconds s"
  "./fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
    -artifact_prefix="$dir/" "$dir/corpus" > "$dir/log" 2>&1 < /dev/null || { failed=1 ; echo "$name: FAILED, see $dir/log" ; }
  grep -E 'does not hold|ERROR|runtime error|number_of_executed_units' "$dir/log"
done
exit "$failed"
