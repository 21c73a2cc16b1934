# shellcheck shell=sh
# To be sourced, with $top being the top of the source tree.
: "${top:?}"

# need_packages PACKAGE... : installs the Debian packages that are missing.
need_packages () {
  for package do
    shift
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
      ii*) ;;
      *) set -- "$@" "$package" ;;
    esac
  done
  test $# -gt 0 || return 0
  if test "$(id -u)" != 0 ; then
    echo "${0##*/}: packages are missing; as root: apt-get install --no-install-recommends $*" >&2
    return 111
  fi
  echo "${0##*/}: installing $*" >&2
  # Package lists are only fetched when there are none, or when they are too old to be of use.
  quiet_apt install -y --no-install-recommends "$@" && return
  quiet_apt update && quiet_apt install -y --no-install-recommends "$@" && return
  cat "$top/build/apt.log" >&2
  echo "${0##*/}: can't install $*" >&2
  return 111
}

quiet_apt () {
  mkdir -p "$top/build"
  DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 "$@" </dev/null >"$top/build/apt.log" 2>&1
}
