#!/bin/bash
# File systems on storage stacks come down: some of them. All: tools/matrix.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/faults.sh"
. "$(dirname "$0")/matrix.sh"

some='ext4:lvm-on-luks xfs:md-on-integrity btrfs:thin ext4:loop-on-luks xfs:overlay vfat:luks-on-lvm-on-md'

matrix_ready
# shellcheck disable=SC2086 # a list of words
at_once 2 matrix_boot $some
for name in $some ; do matrix_judge "$name" ; done
done_testing
