#!/bin/bash
# File systems on storage stacks come down: some of them. All: tools/matrix.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/matrix.sh"

some='xfs:md-on-integrity ext4:loop-on-luks ext4:overlay-below-itself vfat:luks-on-lvm-on-md'

matrix_ready
# shellcheck disable=SC2086 # a list of words
at_once 2 matrix_boot $some
for name in $some ; do matrix_judge "$name" ; done

# each WORD : matrix_WORD says nothing of any of them
each () {
  local name dir console
  for name in $some ; do
    matrix_in "$name"
    test -z "$("matrix_$1")" || { echo "$name" ; return 1 ; }
  done
}
ok "all of these: nothing is left" each left
ok "all of these: nothing is dirty" each dirty
matrix_in ext4:loop-on-luks
ok "a root in a file on what is mounted below it: nothing is left" test -z "$(matrix_left)"
matrix_in ext4:overlay-below-itself
ok "an overlay with its layers mounted below it: nothing is left" test -z "$(matrix_left)"
done_testing
