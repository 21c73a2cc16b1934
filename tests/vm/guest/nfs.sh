# shellcheck shell=dash
# An NFS server that is this kernel; its client is a network namespace. `ip link set server down` is the end of it.

ln -s nfs /bin/@nfs
ln -s load /bin/@load
ln -s autofs /bin/@autofs
mkdir -p /var/lib/nfs/v4recovery
begin unshare -n @load sleeper
client=$!
in_client () {
  nsenter -t $client -n "$@"
}
ip link set lo up
ip link add server type veth
ip link set veth0 netns $client
ip addr add 10.0.0.1/24 dev server
ip link set server up
in_client ip addr add 10.0.0.2/24 dev veth0
in_client ip link set veth0 up
begin @nfs serve
# nfs_on VERSION DIR
nfs_on () {
  mkdir -p "$2"
  in_client nfs "mount$1" "$2"
}
# stuck_in REGEX PID... : waits until each is
stuck_in () {
  local regex=$1
  shift
  for pid ; do await grep "$regex" "/proc/$pid/stack" ; done
}
