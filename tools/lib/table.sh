# shellcheck shell=bash
# For tools that try one machine after the other and print a line for each, or a table (tools/faults, tools/matrix). To be
# sourced after tests/vm/lib.sh by who has
#
#   usage          says how it is called
#   names          what there is, a line each
#   is_known NAME  it is one of these
#   option WORD    what that option of its own stands for, like names; fails: there is no such option
#   ready          makes what all of them need
#   try NAME       boots, prints a line; fails if something is wrong
#   row NAME       what try has found, in html

# table NUMBER ARGUMENT... : what these ask for, with so many machines at once
table () {
  local number=$1 html='' list='' names=() arg more
  shift
  for arg ; do
    case $arg in
      --help | -h) usage ; exit 0 ;;
      --list) list=1 ;;
      --html) html=1 ;;
      -*)
        more=$(option "$arg") || { usage >&2 ; exit 100 ; }
        mapfile -t -O ${#names[@]} names <<<"$more" ;;
      *)
        is_known "$arg" || { echo "tools/${0##*/}: there is no $arg (--list says what there is)" >&2 ; exit 100 ; }
        names+=("$arg") ;;
    esac
  done
  test ${#names[@]} -gt 0 || mapfile -t names < <(names)
  if test -n "$list" ; then
    printf '%s\n' "${names[@]}"
    exit
  fi
  ready >&2
  if test -z "$html" ; then
    at_once "$number" try "${names[@]}"
  else
    at_once "$number" try "${names[@]}" >/dev/null || exit
    for arg in "${names[@]}" ; do row "$arg" ; done
  fi
}
