#!/bin/sh
# gen-deps.sh > package/deps.mak
# Writes the dependencies: of objects by the #include lines, of libraries and programs by the deps files.
#
# src/*/deps-lib/name    the internal library libname.a.xyzzy
# src/*/deps-exe/name    the program name, from name.o and what the file lists
# One word a line: foo.o (beside the directory; *.o is every source there), libfoo.a.xyzzy, -lfoo,
# ${FOO_LIB} (system libraries, by sysdeps), ${FOO} (anything that package/targets.mak defines).

set -e
export LC_ALL=C
cd "$(dirname "$0")/.."
package=
# shellcheck disable=SC1091
. ./package/info

printf '# Written by tools/gen-deps.sh: changes made here will be lost.\n\n'

# Headers are listed with those they include themselves. config.h is made by configure: it may not be there yet.
# The programs' objects have a second form, for the multicall binary.
awk -v package="$package" '
  function headers (f,   i, n, list, r) {
    n = split(includes[f], list, " ")
    for (i = 1 ; i <= n ; i++)
      if (!(list[i] in seen)) {
        seen[list[i]]
        r = r " " list[i] headers(list[i])
      }
    return r
  }
  BEGIN {
    for (i = 1 ; i < ARGC ; i++) exists[ARGV[i]]
    exists["src/include/" package "/config.h"]
  }
  /^[ \t]*#[ \t]*include[ \t]*["<]/ {
    split($0, part, /["<>]/)
    dir = FILENAME
    sub(/[^\/]*$/, "", dir)
    n = split(dir part[2] " src/include-local/" part[2] " src/include/" part[2], path, " ")
    for (i = $0 ~ /"/ ? 1 : n ; i <= n ; i++)
      if (path[i] in exists) {
        includes[FILENAME] = includes[FILENAME] " " path[i]
        break
      }
    if (i > n && $0 ~ /"/) print "gen-deps.sh: " FILENAME ": no " part[2] > "/dev/stderr"
  }
  END {
    for (i = 1 ; i < ARGC ; i++) {
      f = ARGV[i]
      if (f !~ /\.c$/ || f ~ /^src\/fuzz\//) continue
      sub(/\.c$/, "", f)
      split("", seen)
      print f ".o" (index(f, "src/" package "/") == 1 ? " " f ".mc.o" : "") ": " f ".c" headers(f ".c")
    }
  }
' src/*/*.[ch]

# words file directory: sets objs, deps (in the order given) and extra
words () {
  objs='' deps='' extra=''
  while read -r word ; do
    case $word in
      '' | '#'*) ;;
      '*.o')
        for c in "$2"/*.c ; do
          test ! -f "$c" || objs="$objs ${c%.c}.o"
        done ;;
      *.o) objs="$objs $2/$word" ;;
      *_LIB\}) extra="$extra $word" ;;
      *) deps="$deps $word" ;;
    esac
  done < "$1"
}

internal=
printf '\n'
for f in src/*/deps-lib/* ; do
  test -f "$f" || continue
  words "$f" "${f%/deps-lib/*}"
  lib=lib${f##*/}.a.xyzzy
  internal="$internal $lib"
  printf '%s:%s\n' "$lib" "$objs"
done
printf 'INTERNAL_LIBS :=%s\n\n' "$internal"

for f in src/*/deps-exe/* ; do
  test -f "$f" || continue
  dir=${f%/deps-exe/*} exe=${f##*/}
  words "$f" "$dir"
  printf '%s: %s/%s.o%s%s\n' "$exe" "$dir" "$exe" "$objs" "$deps"
  test -z "$extra" || printf '%s: EXTRA_LIBS :=%s\n' "$exe" "$extra"
done
