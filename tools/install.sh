#!/bin/sh
# install.sh [ -D ] [ -m mode ] [ -O owner ] source destination
# install.sh [ -D ] -l target link
# Puts a file, or with -l a symlink, in its place by a rename: at no time is there half a file or none.
# -D makes the directory. The destination is a file name, never a directory to put something into.

fail () {
  echo "install.sh: $*" >&2
  exit 100
}

mkdir='' link='' mode=0644 owner=''
while getopts Dlm:O: opt ; do
  case $opt in
    D) mkdir=1 ;;
    l) link=1 ;;
    m) mode=$OPTARG ;;
    O) owner=$OPTARG ;;
    *) fail 'usage: install.sh [ -D ] [ -l | -m mode ] [ -O owner ] source destination' ;;
  esac
done
shift $((OPTIND - 1))
test $# -eq 2 || fail 'source and destination, please'

src=$1 dst=$2
case $dst in
  */*) dir=${dst%/*}/ ;;
  *) dir=./ ;;
esac
test -L "$dst" || test ! -d "$dst" || fail "$dst is a directory"

set -e
umask 022
test -z "$mkdir" || mkdir -p "$dir"
tmp=$dir.${dst##*/}.new.$$
trap 'rm -f "$tmp"' EXIT
trap 'exit 111' HUP INT TERM

if test -n "$link" ; then
  ln -s "$src" "$tmp"
  # mv would move into the directory that an old link points to
  test ! -d "$dst" || rm -f "$dst"
else
  cat < "$src" > "$tmp"
  test -z "$owner" || chown "$owner" "$tmp"
  chmod "$mode" "$tmp"
fi
mv -f "$tmp" "$dst"
