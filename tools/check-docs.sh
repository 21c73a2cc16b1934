#!/bin/sh
# check-docs.sh : what the documentation says of the programs must be what their sources say. Exit code 0 if so.
#
# Looks at the tree it lies in, or at the one whose path is its argument. Needs nothing but awk, sed, grep, sort.

export LC_ALL=C
if test $# -gt 0 ; then cd "$1" ; else cd "$(dirname "$0")/.." ; fi || exit 111
tmp=$(mktemp -d) || exit 111
trap 'rm -rf "$tmp"' EXIT
rc=0
wrong () {
  echo "check-docs.sh: $*" >&2
  rc=1
}

# --- pieces of pages ---

# section PAGE TITLE : what is between this <h2> and the next one
section () {
  awk -v title="$2" '
    /<h2/ { inside = 0 }
    /<h2/ { t = $0 ; gsub(/<[^>]*>/, "", t) ; gsub(/^ *| *$/, "", t) ; if (t == title) { inside = 1 ; next } }
    /<\/body>/ { inside = 0 }
    inside' "$1"
}

# text : HTML to plain text; blanks are squeezed, a line break is a blank
text () {
  tr '\n' ' ' | sed 's/<[^>]*>//g ; s/&nbsp;/ /g ; s/&lt;/</g ; s/&gt;/>/g ; s/&quot;/"/g ; s/&minus;/-/g ; s/&amp;/\&/g
    s/[[:blank:]][[:blank:]]*/ /g ; s/^ // ; s/ $//'
}

# preformatted : what is in the first <pre>
preformatted () {
  awk '/<\/pre>/ { exit } inside ; /<pre>/ { inside = 1 }'
}

# --- pieces of sources ---

# usage_of FILE : its USAGE string, also if it is written as several
usage_of () {
  awk '
    /^#define USAGE / { inside = 1 }
    inside {
      line = $0
      while (match(line, /"[^"]*"/)) {
        usage = usage substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
      }
      if ($0 !~ /\\$/) exit
    }
    END { print usage }' "$1"
}

# options : from a USAGE string the options with their arguments, "-t timeout", one a line
options () {
  tr -s ' ' '\n' | awk '
    option != "" { print /^[a-z]/ ? option " " $0 : option ; option = "" }
    /^-[A-Za-z]$/ { option = $0 }
    END { if (option != "") print option }' | sort -u
}

# listed_options PAGE : the same from the items of its Options, "<li> <tt>-t&nbsp;<em>timeout</em></tt>: ..."
listed_options () {
  section "$1" Options |
    sed -n 's,^ *<li> *<tt>\(-[A-Za-z]\)\(&nbsp;<em>\([^<]*\)</em>\)*</tt>:.*,\1 \3,p' | sed 's/ $//' | sort -u
}

# --- one page and its source ---

# same WHAT FOUND WANTED
same () {
  test "$2" = "$3" && return
  wrong "$1 differs from the source:"
  printf '  page:   %s\n  source: %s\n' "$(echo "$2" | tr '\n' ' ')" "$(echo "$3" | tr '\n' ' ')" >&2
}

# program PAGE USAGE
program () {
  if test ! -f "$1" ; then
    wrong "$1 is missing"
    return
  fi
  test -n "$2" || wrong "no USAGE string found for $1"
  same "$1: Interface" "$(section "$1" Interface | preformatted | text)" "$2"
  same "$1: Options" "$(listed_options "$1")" "$(echo "$2" | options)"
  for title in Interface Options 'Exit codes' Notes ; do
    test -n "$(section "$1" "$title")" || wrong "$1: no section $title"
  done
  grep -q "href=\"${1#doc/}\"" doc/index.html || wrong "$1 is not linked from doc/index.html"
}

programs=$(sed -n 's/^S4_PROGRAM(\(.*\))$/stage4-\1/p' src/include-local/programs.h)
test -n "$programs" || wrong 'no programs found in src/include-local/programs.h'
for name in $programs ; do
  program "doc/$name.html" "$(usage_of "src/stage4/$name.c")"
done

# the multicall binary's ends in the list of the programs
program doc/stage4.html "$(sed -n 's/^static char const usage\[\] = "\(.*\), where .*/\1/p' src/multicall/stage4.c)"

for page in doc/stage4-*.html ; do
  name=${page#doc/} ; name=${name%.html}
  echo "$programs" | grep -qx -- "$name" || wrong "$page is about no program"
done

# --- README, NEWS ---

for name in stage4 $programs ; do
  grep -q "^ *$name  *[0-9]" README || wrong "the table of README has no $name"
done
sed -n 's/^ *\(stage4[-a-z]*\)  *[0-9][0-9.]*  .*/\1/p' README | while read -r name ; do
  test "$name" = stage4 || echo "$programs" | grep -qx -- "$name" || echo "$name"
done >"$tmp/unknown"
test ! -s "$tmp/unknown" || wrong "the table of README has what is no program: $(cat "$tmp/unknown")"

version=$(sed -n 's/^version=//p' package/info)
grep -qx "In $version" NEWS || wrong "NEWS says nothing of $version"
grep -q "<h2> In $version </h2>" doc/upgrade.html || wrong "doc/upgrade.html says nothing of $version"

# --- messages ---

# What is in <samp> is a message: each piece between its variable parts (<em>) must stand in a source.
# S4_MOUNT(m) stands for several pieces.
cat src/stage4/*.c src/libstage4/*.c src/multicall/*.c |
  sed 's/S4_MOUNT(m)/m->dir, " (", m->type, " on ", m->source, ")"/g ; s/", "//g' >"$tmp/sources"
for page in doc/*.html ; do
  tr '\n' ' ' <"$page" | sed 's,<samp>,\
<samp>,g' | sed -n 's,^<samp>\(.*\)</samp>.*,\1,p' | sed 's,<em>[^<]*</em>,\
,g' | while read -r piece || test -n "$piece" ; do
    piece=$(printf '%s\n' "$piece" | text)
    test -z "$piece" || grep -qF -- "$piece" "$tmp/sources" || printf '%s\n' "$piece"
  done >"$tmp/pieces"
  while read -r piece ; do wrong "$page quotes a message that no source has: $piece" ; done <"$tmp/pieces"
done

# --- HTML ---

# Every element closed, in order, and where it may be; entities for &; attributes in quotes; nothing loaded from
# elsewhere. Prints what is wrong, then "id NAME" and "link TARGET" for all of them.
cat >"$tmp/html.awk" <<'AWK'
function bad(what) { print "bad " what }
function closes(name) {
  if (depth && stack[depth] == name) depth--
  else bad("</" name "> closes " (depth ? "<" stack[depth] ">" : "nothing") near())
}
function near() { return ", line " line }
function parent_is(re) { return (depth ? stack[depth] : "nothing") ~ ("^(" re ")$") }
function opens(name) {
  count[name]++
  if (name ~ /^(p|ul|ol|dl|pre|table|h[1-6]|div|hr)$/ && !parent_is("body|li|dd|td|th|div"))
    bad("<" name "> in <" stack[depth] ">" near())
  if (name == "li" && !parent_is("ul|ol")) bad("<li> not in a list" near())
  if (name == "tr" && !parent_is("table")) bad("<tr> not in a table" near())
  if (name ~ /^t[dh]$/ && !parent_is("tr")) bad("<" name "> not in a row" near())
  if (name !~ known) bad("unknown element <" name ">" near())
  if (name !~ /^(meta|br|hr)$/) stack[++depth] = name
}
function attributes(s,    key, value) {
  while (match(s, /^[ \t\n]*[a-z-]+="[^"]*"/)) {
    key = substr(s, 1, RLENGTH)
    s = substr(s, RLENGTH + 1)
    value = key
    sub(/^[ \t\n]*[a-z-]+="/, "", value)
    sub(/"$/, "", value)
    sub(/^[ \t\n]*/, "", key)
    sub(/=.*/, "", key)
    if (key == "id") { if (ids[value]++) bad("id " value " twice") ; print "id " value }
    if (key == "href") print "link " value
    if (key ~ /^(src|style|background|on.*)$/) bad("attribute " key near())
  }
  if (s ~ /[^ \t\n]/) bad("attributes: " s near())
}
function characters(s) {
  if (s ~ />/) bad("a bare >" near())
  gsub(/&(lt|gt|amp|quot|nbsp|minus|ldquo|rdquo|ndash|mdash|rarr);/, "", s)
  if (s ~ /&/) bad("a bare & or an unknown entity" near())
  if (parent_is("body|ul|ol|table|tr|html|head") && s ~ /[^ \t\n]/) bad("text in <" stack[depth] ">" near())
}
BEGIN {
  known = "^(html|head|meta|title|body|p|a|h[1-6]|ul|ol|li|pre|tt|em|samp|strong|table|tr|td|th|br|hr)$"
  RS = "<"
  line = 1
}
NR == 1 { if ($0 != "") bad("something before <!DOCTYPE") ; next }
NR == 2 {
  if ($0 !~ /^!DOCTYPE html PUBLIC "-\/\/W3C\/\/DTD HTML 4\.01\/\/EN"[^>]*>[ \t\n]*$/) bad("not the usual <!DOCTYPE")
  line += gsub(/\n/, "")
  next
}
{
  end = index($0, ">")
  if (!end) { bad("a bare <" near()) ; next }
  tag = substr($0, 1, end - 1)
  rest = substr($0, end + 1)
  name = tag
  sub(/[ \t\n].*/, "", name)
  if (name ~ /^\//) closes(substr(name, 2))
  else { opens(name) ; attributes(substr(tag, length(name) + 1)) }
  line += gsub(/\n/, "\n", tag)
  characters(rest)
  line += gsub(/\n/, "\n", rest)
}
END {
  if (depth) bad("<" stack[depth] "> is never closed")
  if (count["h1"] != 1 || count["title"] != 1 || count["body"] != 1) bad("not one of title, body and h1 each")
}
AWK

for page in doc/*.html ; do
  awk -f "$tmp/html.awk" "$page" >"$tmp/${page#doc/}"
  sed -n 's/^bad //p' "$tmp/${page#doc/}" >"$tmp/bad"
  while read -r what ; do wrong "$page: $what" ; done <"$tmp/bad"
  awk -v page="$page" 'length > 120 { print page ": line " FNR " is longer than 120 columns" }' "$page" >"$tmp/long"
  while read -r what ; do wrong "$what" ; done <"$tmp/long"
done

# --- links: a file of doc/, or of the tree, with the id if there is one ---

for page in doc/*.html ; do
  sed -n 's/^link //p' "$tmp/${page#doc/}" | while read -r target ; do
    case $target in
      https://*) continue ;;
      '#'*) file=${page#doc/} ;;
      *) file=${target%%#*} ;;
    esac
    if test ! -e "doc/$file" ; then echo "$target"
    else
      case $target in
        *'#'*) grep -qxF "id ${target#*#}" "$tmp/$file" || echo "$target" ;;
      esac
    fi
  done >"$tmp/broken"
  while read -r target ; do wrong "$page: broken link $target" ; done <"$tmp/broken"
done

# --- doc/cases.html: each test is there, with these words in the title of something that it checks ---

# cases : "KIND/NAME WORDS", one a line; every <em> must belong to one
cases () {
  tr '\n' ' ' <doc/cases.html | sed 's,\(<tt>\([a-z]*/[a-z0-9-]*\)</tt> \)*<em>\([^<]*\)</em>,\
case \2 \3\
,g' | sed -n 's/&amp;/\&/g ; s/^case //p'
}

# titles FILE : of a test: a string behind ok and the like, or the strings behind guest_says and said; in C, those of
# ok() or the first one of an entry in a table. One a line
titles () {
  awk -v c="${1%.c}" '
    function strings(s, all) {
      while (match(s, /"([^"\\]|\\.)*"/)) {
        print substr(s, RSTART + 1, RLENGTH - 2)
        s = substr(s, RSTART + RLENGTH)
        if (!all) return
      }
    }
    c != FILENAME {
      if (/(^|[^a-z_])(ok|is_number|is_string) ?\(/) inside = 1
      if (inside) strings($0, 1)
      else if (/^ *([A-Z]+\(|\{) *(\.name = )?"/) strings($0, 0)
      if (/;$/) inside = 0
      next
    }
    { line = line $0 }
    sub(/\\$/, "", line) { next }
    {
      if (line ~ /^[^"]*(guest_says|said) "/) strings(line, 1)
      else if (match(line, /(^|[ ;])(ok|check|is|told|box|both) "/)) strings(substr(line, RSTART), 0)
      line = ""
    }' "$1"
}

file_of () {
  case $1 in
    unit/*) echo "src/tests/${1#unit/}.c" ;;
    *) echo "tests/$1.t" ;;
  esac
}

cases >"$tmp/cases"
grep -q . "$tmp/cases" || wrong "doc/cases.html: no cases"
while read -r test words ; do
  file=$(file_of "$test")
  if test ! -e "$file" ; then wrong "doc/cases.html: there is no $file, of \"$words\""
  else titles "$file" | grep -qF -- "$words" || wrong "doc/cases.html: $file checks nothing with \"$words\""
  fi
done <"$tmp/cases"

# --- tests/mutants: what a mutant must fail is there, too ---

for patch in tests/mutants/*.patch ; do
  test=$(sed -n 's/^Test: //p' "$patch")
  words=$(sed -n 's/^Fails: //p' "$patch")
  file=$(file_of "$test")
  titles "$file" | grep -qF -- "$words" || wrong "$patch: $file checks nothing with \"$words\""
done

exit "$rc"
