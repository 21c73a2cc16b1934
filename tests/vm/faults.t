#!/bin/bash
# What goes wrong, and what becomes of the machine: some of it. All of it, and in pairs: tools/faults.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/faults.sh"

some='kill-watchdog stop-settle hook-ramfs suspend-root nbd-swap nfs
  respawn,memory no-proc,no-dev hook-forks,console'

faults_ready
# shellcheck disable=SC2086 # a list of words
at_once 2 fault_boot $some
for faults in $some ; do fault_judge "$faults" ; done

fault_in kill-watchdog
ok "a chain that is killed: its guard resets the machine" fault_in_time
ok "a chain that is killed: with the argument that was given" console_has "$console" "Restarting system with command 'bootloader'"
fault_in stop-settle
ok "a chain that is stopped: its guard continues it" console_has "$console" 'stage4-hpr: info: reboot after'
done_testing
