# shellcheck shell=dash
# What a boot finds that may be behind an upgrade, for tests/vm/sysupgrade.t. To be sourced.
exec 2>&1
echo "=== this is $(cat /etc/version)"
echo "=== the hostname is that of $(sed "s/^the user's$/the user/" /etc/hostname)"
if test "$(cat /etc/ssh/key)" = "the user's" ; then echo "=== the key is there" ; fi
if test -e /etc/leftover ; then echo "=== leftovers: some" ; else echo "=== leftovers: none" ; fi
echo "=== above: $(stat -c %a /root) $(ls /root/.ssh) $(readlink /etc/dangling)"
echo "=== recorded: $(sysupgrade -l)"
