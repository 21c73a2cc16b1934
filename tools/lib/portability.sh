# shellcheck shell=bash
# Other compilers and libraries than this machine's: those of a newer Debian, and musl. To be sourced by tools/check, with
# $top being the top of the source tree. Everything is below $top/build/portability; CHECK_SUITE is the newer Debian
# (testing). Its root is made anew after a week.

portability=${top:?}/build/portability
newest=$portability/${CHECK_SUITE:-testing}
musl=$portability/musl

portability_ready () {
  local status
  need_packages mmdebstrap musl-tools linux-libc-dev libexecline-dev libs6-dev busybox-static execline s6 &&
    mkdir -p "$portability" || return
  mirror >/dev/null
  musl_libraries &
  newest_root
  status=$?
  wait $! && test $status = 0 && rm -rf "$newest$musl" && mkdir -p "$newest$musl" && cp -R "$musl/." "$newest$musl"
}

# its address, and this machine's suite
mirror () {
  apt-cache show skalibs-dev >/dev/null 2>&1 || quiet_apt update
  # shellcheck disable=SC2016  # these are apt's
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1
}

newest_root () {
  local uri line options=()
  test -z "$(find "$newest/.made" -mtime -7 2>/dev/null)" || return 0
  rm -rf --one-file-system "$newest" "$newest.new"
  read -r uri _ <<<"$(mirror)"
  # a mirror that this machine may use although it is old may be used for the other suite too
  while read -r line ; do options+=( "--aptopt=$line" ) ; done < <(apt-config dump | grep '^Acquire::Check-')
  mmdebstrap --quiet --variant=essential --dpkgopt='path-exclude=/usr/share/'{doc,man,locale,info}'/*' "${options[@]}" \
    --include=gcc,clang,make,libc6-dev,musl-tools,skalibs-dev,libexecline-dev,libs6-dev \
    "${newest##*/}" "$newest.new" "deb $uri ${newest##*/} main" </dev/null >"$portability/root.log" 2>&1 ||
    { cat "$portability/root.log" >&2 ; return 111 ; }
  touch "$newest.new/.made"
  mv "$newest.new" "$newest"
}

# skalibs for musl, from Debian's source. The headers and archives of execline and s6 are Debian's own: all that is used
# of them is el_semicolon() and s6_svc_writectl(), and these don't mind for which libc they were compiled.
musl_libraries () {
  local uri codename new=$musl.new lib triplet
  test ! -e "$musl" || return 0
  read -r uri codename <<<"$(mirror)"
  rm -rf "$new"
  mkdir -p "$new"/{apt,src,include,lib,kernel}
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $codename main" >"$new/apt/sources.list"
  { private_apt "$new/apt" update &&
      ( cd "$new/src" && private_apt "$new/apt" source --download-only skalibs ) &&
      tar -xf "$new"/src/skalibs_*.orig.tar.* -C "$new/src" --strip-components=1 &&
      ( cd "$new/src" && CC=musl-gcc ./configure --prefix="$musl" --disable-shared && make -j"$(nproc)" &&
        make install DESTDIR="$new/dest" ) ; } >"$musl-skalibs.log" 2>&1 ||
    { tail -n 40 "$musl-skalibs.log" >&2 ; return 111 ; }
  cp -R "$new/dest$musl/." "$new/"
  triplet=$(gcc -print-multiarch)
  for lib in execline s6 ; do
    cp -R "/usr/include/$triplet/$lib" "$new/include/" && cp "$(gcc -print-file-name="lib$lib.a")" "$new/lib/" || return
  done
  # the kernel's headers, and none of glibc's that lie beside them
  ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$triplet/asm" "$new/kernel/"
  rm -rf "$new"/{apt,src,dest}
  mv "$new" "$musl"
}

# private_apt DIR COMMAND... : with nothing but DIR/sources.list, and without a trace on this machine
private_apt () {
  local dir=$1
  shift
  mkdir -p "$dir"/{lists,cache/archives}/partial
  apt-get -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$dir/lists" \
    -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root "$@" </dev/null
}

portability_tests () {
  echo musl newest-{gcc,clang,musl}
}

# portability NAME : builds; clang with the shared libraries, the others static, so that their tests run outside of the root
portability () {
  local enter=() dir=$portability/build/$1 log=$portability/$1.log file in=$portability/build/$1
  local options=(CC=gcc --enable-static-libc --enable-multicall)
  case $1 in newest-*) enter=(chroot "$newest") in=/build/$1 dir=$newest/build/$1 ;; esac
  case $1 in
    *-clang) options=(CC=clang --disable-allstatic) ;;
    *musl)
      options[0]=CC=musl-gcc
      options+=("CPPFLAGS=-idirafter $musl/kernel" "--with-sysdeps=$musl/lib/skalibs/sysdeps" "--with-include=$musl/include"
        "--with-lib=$musl/lib" "--with-lib=$musl/lib/skalibs") ;;
  esac
  rm -rf "$dir"
  mkdir -p "$dir"
  tar -C build/default -cf - -T build/default/.files | tar -xf - -C "$dir"
  ok "configure and make, all and tests" built
  sed -n 's/^configure: /# /p' "$log"
  ok "without a warning" not grep -A 3 'warning: ' "$log"
  case $1 in *-clang) return ;; esac
  for file in $(tests_of unit) ; do ok "unit/$file" unit "$dir" "$file" ; done
  case $1 in newest-*) for file in $(tests_of cli) ; do ok "cli/$file" cli "$dir" "$file" ; done ;; esac
}

# shellcheck disable=SC2154  # these are portability's
built () {
  # shellcheck disable=SC2016  # they are for that shell
  "${enter[@]}" sh -c 'cd "$0" && ./configure "$@" && make -j"$(nproc)" all tests' "$in" "${options[@]}" >"$log" 2>&1 ||
    { tail -n 40 "$log" ; return 1 ; }
}

cli () {
  local said
  said=$(STAGE4_BIN=$1 PERL_TEST_HARNESS_DUMP_TAP='' prove -v --exec sh "tests/cli/$2.t" 2>&1) && return
  grep -A 8 -E '^not ok|^Bail out' <<<"$said"
  tail -n 4 <<<"$said"
  return 1
}
