/* ISC license. */

 /*
  * The programs of the toolkit, once for all who need the list: define S4_PROGRAM(name),
  * then include this file. Without include guard, so that it can be done more than once.
  * `make check` fails when it differs from src/stage4/deps-exe/.
  */

S4_PROGRAM(begin)
S4_PROGRAM(nuke)
S4_PROGRAM(watchdog)
S4_PROGRAM(pivot)
S4_PROGRAM(umountall)
S4_PROGRAM(swapoff)
S4_PROGRAM(detach)
S4_PROGRAM(settle)
S4_PROGRAM(hook)
S4_PROGRAM(hookdir)
S4_PROGRAM(runonce)
S4_PROGRAM(freeze)
S4_PROGRAM(hpr)
S4_PROGRAM(ramfs)
S4_PROGRAM(takeover)
S4_PROGRAM(busy)
S4_PROGRAM(hold)

#undef S4_PROGRAM
