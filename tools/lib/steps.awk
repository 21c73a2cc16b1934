# The console of a shutdown, with milliseconds in front of each line, as a table: the programs in their
# order, how long each was at work, and the last thing it said. A program says last what it has done, so
# its time is the time from the last line of the one before to its own last line. Some run several times
# in a row: their last lines are known.

function row () {
  if (name == "") return
  printf "%8.3f s  %-18s  %s\n", (until - from) / 1000, name, said
  from = until
}

{ time = $1 ; line = substr($0, 8) }

line ~ /=== request$/ { request = from = time }

line ~ /^(stage4-[a-z]+|mark): / && request {
  program = line
  sub(/:.*/, "", program)
  if (program != name || finished) row()
  name = program
  finished = line ~ /: (unmounted [0-9]+, left|switched off [0-9]+ of|mounts [0-9]+ ->) /
  until = time
  said = line
  sub(/^[^:]*: (info: )?/, "", said)
}

line ~ /reboot: / && request {
  row()
  printf "%8.3f s  %-18s\n", (time - from) / 1000, "the kernel's reset"
  printf "%8.3f s  from the request to the reset\n", (time - request) / 1000
  exit
}
