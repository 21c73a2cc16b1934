#!/bin/bash
# What goes wrong, and what becomes of the machine. All of it, and in pairs: tools/faults.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/faults.sh"

faults_ready
for faults in ${FAULTS-missing-pivot} ; do
  fault_boot "$faults" "$work"
  fault_judge "$faults" "$work"
done
done_testing
