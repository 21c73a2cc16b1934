#!/bin/sh
# check-style.sh
# How the sources are written. Exit code 0 if all is well.

export LC_ALL=C
cd "$(dirname "$0")/.." || exit 111

# shellcheck disable=SC2016  # awk's own $0
# our own files: neither fixtures nor what was built
found=$(find configure Makefile README INSTALL NEWS .ci package tools src tests doc examples -type f \
  ! -path '*/seeds/*' ! -path 'src/tests/data/*' ! -name '*.o' ! -name config.h ! -name check-style.sh |
  sort | tr '\n' '\0' | xargs -0 awk '
  function bad(what) { print FILENAME ":" FNR ": " what }
  FNR == 1 {
    c = FILENAME ~ /\.[ch]$/
    comment = 0
    if (c && FILENAME ~ /^src\// && $0 != "/* ISC license. */") bad("the first line is not /* ISC license. */")
  }
  /\t/ && FILENAME !~ /^(Makefile$|package\/)/ { bad("a tab") }
  FILENAME !~ /^tests\/cli\// && /[ \t\r]$/ { bad("blanks at the end") }
  FILENAME ~ /^src\/(libstage4|stage4|multicall|include-local)\// && length > 120 && !/^#define USAGE / { bad("longer than 120 columns: " length) }
  /(DESIGN|KERNEL|STYLE|GOAL)(\.md| *§| [0-9])/ { bad("refers to what is not in this tree") }
  c {    # without literals and comments
    gsub(/\\./, "") ; gsub(/"[^"]*"/, "s") ; gsub(/\047[^\047]*\047/, "c")
    if (comment && !sub(/^.*\*\//, "")) next
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "") ; sub(/\/\/.*/, "")
    comment = sub(/\/\*.*/, "")
    gsub(/\(;|;;/, "")
    if (/[^ ];/) bad("no space before the semicolon")
  }')
test -z "$found" || { echo "$found" >&2 ; exit 1 ; }
