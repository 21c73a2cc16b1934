#!/bin/sh
# check-package.sh
# What is written twice must say the same: the list of the programs, deps.mak and the sources, configure and its --help.

export LC_ALL=C
cd "$(dirname "$0")/.." || exit 111
rc=0
wrong () {
  echo "check-package.sh: $*" >&2
  rc=1
}

# shellcheck disable=SC2012  # the names are ours
programs=$(ls src/stage4/deps-exe | sort)
test "$programs" = "$(sed -n 's/^S4_PROGRAM(\(.*\))$/stage4-\1/p' src/include-local/programs.h | sort)" ||
  wrong 'src/include-local/programs.h and src/stage4/deps-exe/ differ'
test "$programs" = "$(awk '$1 != "stage4" { print $1 }' package/modes | sort)" ||
  wrong 'package/modes and src/stage4/deps-exe/ differ'

./tools/gen-deps.sh | cmp -s - package/deps.mak ||
  wrong 'package/deps.mak is not what ./tools/gen-deps.sh > package/deps.mak makes'

# every option that --help names must have its own arm: the last one, for foreign options, would swallow it
for opt in $(./configure --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p') ; do
  grep -Eq -- "^ *([^)]*[ |])?$opt(=\\*)?( *\\||\\))" configure || wrong "configure has no arm for $opt"
done
exit "$rc"
