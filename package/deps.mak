# Written by tools/gen-deps.sh: changes made here will be lost.

src/libstage4/apart.o: src/libstage4/apart.c src/include-local/stage4.h
src/libstage4/ask.o: src/libstage4/ask.c src/include-local/stage4.h
src/libstage4/await.o: src/libstage4/await.c src/include-local/stage4.h
src/libstage4/blockdev.o: src/libstage4/blockdev.c src/include-local/stage4.h
src/libstage4/blocks.o: src/libstage4/blocks.c src/include-local/stage4.h
src/libstage4/bring.o: src/libstage4/bring.c src/include-local/stage4.h
src/libstage4/budget.o: src/libstage4/budget.c src/include-local/stage4.h
src/libstage4/busy.o: src/libstage4/busy.c src/include-local/stage4.h
src/libstage4/busyfind.o: src/libstage4/busyfind.c src/include-local/stage4.h
src/libstage4/busyprocs.o: src/libstage4/busyprocs.c src/include-local/stage4.h
src/libstage4/cgroups.o: src/libstage4/cgroups.c src/include-local/stage4.h
src/libstage4/chain.o: src/libstage4/chain.c src/include-local/stage4.h
src/libstage4/child.o: src/libstage4/child.c src/include-local/stage4.h
src/libstage4/detach.o: src/libstage4/detach.c src/include-local/stage4.h
src/libstage4/detachpass.o: src/libstage4/detachpass.c src/include-local/stage4.h
src/libstage4/detachpaths.o: src/libstage4/detachpaths.c src/include-local/stage4.h
src/libstage4/detachplan.o: src/libstage4/detachplan.c src/include-local/stage4.h
src/libstage4/dm.o: src/libstage4/dm.c src/include-local/stage4.h
src/libstage4/elf.o: src/libstage4/elf.c src/include-local/stage4.h
src/libstage4/elsewhere.o: src/libstage4/elsewhere.c src/include-local/stage4.h
src/libstage4/emergency.o: src/libstage4/emergency.c src/include-local/stage4.h
src/libstage4/fdkind.o: src/libstage4/fdkind.c src/include-local/statx.h src/include-local/stage4.h
src/libstage4/fields.o: src/libstage4/fields.c src/include-local/stage4.h
src/libstage4/finish.o: src/libstage4/finish.c src/include-local/stage4.h
src/libstage4/fit.o: src/libstage4/fit.c src/include-local/stage4.h
src/libstage4/flow.o: src/libstage4/flow.c src/include-local/stage4.h
src/libstage4/force.o: src/libstage4/force.c src/include-local/stage4.h
src/libstage4/freeze.o: src/libstage4/freeze.c src/include-local/stage4.h
src/libstage4/fstype.o: src/libstage4/fstype.c src/include-local/stage4.h
src/libstage4/guard.o: src/libstage4/guard.c src/include-local/stage4.h
src/libstage4/hands.o: src/libstage4/hands.c src/include-local/stage4.h
src/libstage4/hold.o: src/libstage4/hold.c src/include-local/stage4.h
src/libstage4/holders.o: src/libstage4/holders.c src/include-local/stage4.h
src/libstage4/hook.o: src/libstage4/hook.c src/include-local/stage4.h
src/libstage4/hookfiles.o: src/libstage4/hookfiles.c src/include-local/stage4.h
src/libstage4/keep.o: src/libstage4/keep.c src/include-local/stage4.h
src/libstage4/kill.o: src/libstage4/kill.c src/include-local/stage4.h
src/libstage4/ladder.o: src/libstage4/ladder.c src/include-local/stage4.h
src/libstage4/leftovers.o: src/libstage4/leftovers.c src/include-local/stage4.h
src/libstage4/letgo.o: src/libstage4/letgo.c src/include-local/stage4.h
src/libstage4/lock.o: src/libstage4/lock.c src/include-local/stage4.h
src/libstage4/loops.o: src/libstage4/loops.c src/include-local/stage4.h
src/libstage4/manifest.o: src/libstage4/manifest.c src/include-local/stage4.h
src/libstage4/memlimit.o: src/libstage4/memlimit.c src/include-local/stage4.h
src/libstage4/mountid.o: src/libstage4/mountid.c src/include-local/statx.h src/include-local/stage4.h
src/libstage4/mountinfo.o: src/libstage4/mountinfo.c src/include-local/stage4.h
src/libstage4/mountplan.o: src/libstage4/mountplan.c src/include-local/stage4.h
src/libstage4/mounttree.o: src/libstage4/mounttree.c src/include-local/stage4.h
src/libstage4/multipath.o: src/libstage4/multipath.c src/include-local/stage4.h
src/libstage4/names.o: src/libstage4/names.c src/include-local/stage4.h
src/libstage4/newfs.o: src/libstage4/newfs.c src/include-local/stage4.h
src/libstage4/node.o: src/libstage4/node.c src/include-local/stage4.h
src/libstage4/omit.o: src/libstage4/omit.c src/include-local/stage4.h
src/libstage4/once.o: src/libstage4/once.c src/include-local/stage4.h
src/libstage4/oncelook.o: src/libstage4/oncelook.c src/include-local/stage4.h
src/libstage4/oncerun.o: src/libstage4/oncerun.c src/include-local/stage4.h
src/libstage4/oncesay.o: src/libstage4/oncesay.c src/include-local/stage4.h
src/libstage4/order.o: src/libstage4/order.c src/include-local/stage4.h
src/libstage4/overlay.o: src/libstage4/overlay.c src/include-local/stage4.h
src/libstage4/paths.o: src/libstage4/paths.c src/include-local/stage4.h
src/libstage4/pathwalk.o: src/libstage4/pathwalk.c src/include-local/stage4.h
src/libstage4/pending.o: src/libstage4/pending.c src/include-local/stage4.h
src/libstage4/proc.o: src/libstage4/proc.c src/include-local/stage4.h
src/libstage4/process.o: src/libstage4/process.c src/include-local/stage4.h
src/libstage4/pstore.o: src/libstage4/pstore.c src/include-local/stage4.h
src/libstage4/ramfill.o: src/libstage4/ramfill.c src/include-local/stage4.h
src/libstage4/ramfs.o: src/libstage4/ramfs.c src/include-local/stage4.h
src/libstage4/reboot.o: src/libstage4/reboot.c src/include-local/stage4.h
src/libstage4/report.o: src/libstage4/report.c src/include-local/stage4.h
src/libstage4/rootfs.o: src/libstage4/rootfs.c src/include-local/stage4.h
src/libstage4/scan.o: src/libstage4/scan.c src/include-local/stage4.h
src/libstage4/searchpath.o: src/libstage4/searchpath.c src/include-local/stage4.h
src/libstage4/spare.o: src/libstage4/spare.c src/include-local/stage4.h
src/libstage4/stamps.o: src/libstage4/stamps.c src/include-local/stage4.h
src/libstage4/stampsload.o: src/libstage4/stampsload.c src/include-local/stage4.h
src/libstage4/stampslock.o: src/libstage4/stampslock.c src/include-local/stage4.h
src/libstage4/step.o: src/libstage4/step.c src/include-local/stage4.h
src/libstage4/storage.o: src/libstage4/storage.c src/include-local/stage4.h
src/libstage4/strangers.o: src/libstage4/strangers.c src/include-local/stage4.h
src/libstage4/stuck.o: src/libstage4/stuck.c src/include-local/stage4.h
src/libstage4/sums.o: src/libstage4/sums.c src/include-local/stage4.h
src/libstage4/sumsload.o: src/libstage4/sumsload.c src/include-local/stage4.h
src/libstage4/superblock.o: src/libstage4/superblock.c src/include-local/stage4.h
src/libstage4/superblocks.o: src/libstage4/superblocks.c src/include-local/stage4.h
src/libstage4/swapdev.o: src/libstage4/swapdev.c src/include-local/stage4.h
src/libstage4/swapkind.o: src/libstage4/swapkind.c src/include-local/stage4.h
src/libstage4/swaps.o: src/libstage4/swaps.c src/include-local/stage4.h
src/libstage4/sysfs.o: src/libstage4/sysfs.c src/include-local/stage4.h
src/libstage4/thaw.o: src/libstage4/thaw.c src/include-local/stage4.h
src/libstage4/time.o: src/libstage4/time.c src/include-local/stage4.h
src/libstage4/unmount.o: src/libstage4/unmount.c src/include-local/stage4.h
src/libstage4/unmountleft.o: src/libstage4/unmountleft.c src/include-local/stage4.h
src/libstage4/unmountpass.o: src/libstage4/unmountpass.c src/include-local/stage4.h
src/libstage4/unmountreadonly.o: src/libstage4/unmountreadonly.c src/include-local/stage4.h
src/libstage4/unseen.o: src/libstage4/unseen.c src/include-local/stage4.h
src/libstage4/untangle.o: src/libstage4/untangle.c src/include-local/stage4.h
src/libstage4/uppers.o: src/libstage4/uppers.c src/include-local/stage4.h
src/libstage4/victims.o: src/libstage4/victims.c src/include-local/stage4.h
src/libstage4/walk.o: src/libstage4/walk.c src/include-local/stage4.h src/include-local/programs.h
src/libstage4/watchdog.o: src/libstage4/watchdog.c src/include-local/stage4.h
src/libstage4/worker.o: src/libstage4/worker.c src/include-local/stage4.h
src/multicall/stage4.o: src/multicall/stage4.c src/include-local/stage4.h src/include-local/programs.h
src/stage4/stage4-begin.o src/stage4/stage4-begin.mc.o: src/stage4/stage4-begin.c src/include-local/stage4.h
src/stage4/stage4-busy.o src/stage4/stage4-busy.mc.o: src/stage4/stage4-busy.c src/include-local/stage4.h
src/stage4/stage4-detach.o src/stage4/stage4-detach.mc.o: src/stage4/stage4-detach.c src/include-local/stage4.h
src/stage4/stage4-freeze.o src/stage4/stage4-freeze.mc.o: src/stage4/stage4-freeze.c src/include-local/stage4.h
src/stage4/stage4-hold.o src/stage4/stage4-hold.mc.o: src/stage4/stage4-hold.c src/include-local/stage4.h
src/stage4/stage4-hook.o src/stage4/stage4-hook.mc.o: src/stage4/stage4-hook.c src/include-local/stage4.h
src/stage4/stage4-hookdir.o src/stage4/stage4-hookdir.mc.o: src/stage4/stage4-hookdir.c src/include-local/stage4.h
src/stage4/stage4-hpr.o src/stage4/stage4-hpr.mc.o: src/stage4/stage4-hpr.c src/include-local/stage4.h
src/stage4/stage4-nuke.o src/stage4/stage4-nuke.mc.o: src/stage4/stage4-nuke.c src/include-local/stage4.h
src/stage4/stage4-pivot.o src/stage4/stage4-pivot.mc.o: src/stage4/stage4-pivot.c src/include-local/stage4.h
src/stage4/stage4-ramfs.o src/stage4/stage4-ramfs.mc.o: src/stage4/stage4-ramfs.c src/include-local/stage4.h src/include-local/programs.h
src/stage4/stage4-runonce.o src/stage4/stage4-runonce.mc.o: src/stage4/stage4-runonce.c src/include-local/stage4.h
src/stage4/stage4-settle.o src/stage4/stage4-settle.mc.o: src/stage4/stage4-settle.c src/include-local/stage4.h
src/stage4/stage4-swapoff.o src/stage4/stage4-swapoff.mc.o: src/stage4/stage4-swapoff.c src/include-local/stage4.h
src/stage4/stage4-takeover.o src/stage4/stage4-takeover.mc.o: src/stage4/stage4-takeover.c src/include-local/stage4.h
src/stage4/stage4-umountall.o src/stage4/stage4-umountall.mc.o: src/stage4/stage4-umountall.c src/include-local/stage4.h
src/stage4/stage4-watchdog.o src/stage4/stage4-watchdog.mc.o: src/stage4/stage4-watchdog.c src/include-local/stage4.h
src/tests/test-ask.o: src/tests/test-ask.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-blocks.o: src/tests/test-blocks.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-budget.o: src/tests/test-budget.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-busy.o: src/tests/test-busy.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-chain.o: src/tests/test-chain.c src/include-local/stage4.h src/tests/tap.h src/include-local/programs.h
src/tests/test-child.o: src/tests/test-child.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-elf.o: src/tests/test-elf.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-elsewhere.o: src/tests/test-elsewhere.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-fdkind.o: src/tests/test-fdkind.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-flow.o: src/tests/test-flow.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-fstype.o: src/tests/test-fstype.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-hook.o: src/tests/test-hook.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-ladder.o: src/tests/test-ladder.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-letgo.o: src/tests/test-letgo.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-line.o: src/tests/test-line.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-manifest.o: src/tests/test-manifest.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-mountinfo.o: src/tests/test-mountinfo.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-mountplan.o: src/tests/test-mountplan.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-pathwalk.o: src/tests/test-pathwalk.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-process.o: src/tests/test-process.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-pstore.o: src/tests/test-pstore.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-runonce.o: src/tests/test-runonce.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-storage.o: src/tests/test-storage.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-swaps.o: src/tests/test-swaps.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-time.o: src/tests/test-time.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-victims.o: src/tests/test-victims.c src/include-local/stage4.h src/tests/tap.h
src/tests/test-worker.o: src/tests/test-worker.c src/include-local/stage4.h src/tests/tap.h

libstage4.a.xyzzy: src/libstage4/apart.o src/libstage4/ask.o src/libstage4/await.o src/libstage4/blockdev.o src/libstage4/blocks.o src/libstage4/bring.o src/libstage4/budget.o src/libstage4/busy.o src/libstage4/busyfind.o src/libstage4/busyprocs.o src/libstage4/cgroups.o src/libstage4/chain.o src/libstage4/child.o src/libstage4/detach.o src/libstage4/detachpass.o src/libstage4/detachpaths.o src/libstage4/detachplan.o src/libstage4/dm.o src/libstage4/elf.o src/libstage4/elsewhere.o src/libstage4/emergency.o src/libstage4/fdkind.o src/libstage4/fields.o src/libstage4/finish.o src/libstage4/fit.o src/libstage4/flow.o src/libstage4/force.o src/libstage4/freeze.o src/libstage4/fstype.o src/libstage4/guard.o src/libstage4/hands.o src/libstage4/hold.o src/libstage4/holders.o src/libstage4/hook.o src/libstage4/hookfiles.o src/libstage4/keep.o src/libstage4/kill.o src/libstage4/ladder.o src/libstage4/leftovers.o src/libstage4/letgo.o src/libstage4/lock.o src/libstage4/loops.o src/libstage4/manifest.o src/libstage4/memlimit.o src/libstage4/mountid.o src/libstage4/mountinfo.o src/libstage4/mountplan.o src/libstage4/mounttree.o src/libstage4/multipath.o src/libstage4/names.o src/libstage4/newfs.o src/libstage4/node.o src/libstage4/omit.o src/libstage4/once.o src/libstage4/oncelook.o src/libstage4/oncerun.o src/libstage4/oncesay.o src/libstage4/order.o src/libstage4/overlay.o src/libstage4/paths.o src/libstage4/pathwalk.o src/libstage4/pending.o src/libstage4/proc.o src/libstage4/process.o src/libstage4/pstore.o src/libstage4/ramfill.o src/libstage4/ramfs.o src/libstage4/reboot.o src/libstage4/report.o src/libstage4/rootfs.o src/libstage4/scan.o src/libstage4/searchpath.o src/libstage4/spare.o src/libstage4/stamps.o src/libstage4/stampsload.o src/libstage4/stampslock.o src/libstage4/step.o src/libstage4/storage.o src/libstage4/strangers.o src/libstage4/stuck.o src/libstage4/sums.o src/libstage4/sumsload.o src/libstage4/superblock.o src/libstage4/superblocks.o src/libstage4/swapdev.o src/libstage4/swapkind.o src/libstage4/swaps.o src/libstage4/sysfs.o src/libstage4/thaw.o src/libstage4/time.o src/libstage4/unmount.o src/libstage4/unmountleft.o src/libstage4/unmountpass.o src/libstage4/unmountreadonly.o src/libstage4/unseen.o src/libstage4/untangle.o src/libstage4/uppers.o src/libstage4/victims.o src/libstage4/walk.o src/libstage4/watchdog.o src/libstage4/worker.o
INTERNAL_LIBS := libstage4.a.xyzzy

stage4: src/multicall/stage4.o ${MULTICALL_OBJS} libstage4.a.xyzzy -ls6 -lexecline -lskarnet
stage4: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-begin: src/stage4/stage4-begin.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-begin: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-busy: src/stage4/stage4-busy.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-busy: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-detach: src/stage4/stage4-detach.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-detach: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-freeze: src/stage4/stage4-freeze.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-freeze: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-hold: src/stage4/stage4-hold.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-hold: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-hook: src/stage4/stage4-hook.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-hook: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-hookdir: src/stage4/stage4-hookdir.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-hookdir: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-hpr: src/stage4/stage4-hpr.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-hpr: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-nuke: src/stage4/stage4-nuke.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-nuke: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-pivot: src/stage4/stage4-pivot.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-pivot: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-ramfs: src/stage4/stage4-ramfs.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-ramfs: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-runonce: src/stage4/stage4-runonce.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-runonce: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-settle: src/stage4/stage4-settle.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-settle: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-swapoff: src/stage4/stage4-swapoff.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-swapoff: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-takeover: src/stage4/stage4-takeover.o libstage4.a.xyzzy -ls6 -lexecline -lskarnet
stage4-takeover: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-umountall: src/stage4/stage4-umountall.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-umountall: EXTRA_LIBS := ${SYSCLOCK_LIB}
stage4-watchdog: src/stage4/stage4-watchdog.o libstage4.a.xyzzy -lexecline -lskarnet
stage4-watchdog: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-ask: src/tests/test-ask.o libstage4.a.xyzzy -lexecline -lskarnet
test-ask: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-blocks: src/tests/test-blocks.o libstage4.a.xyzzy -lexecline -lskarnet
test-blocks: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-budget: src/tests/test-budget.o libstage4.a.xyzzy -lexecline -lskarnet
test-budget: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-busy: src/tests/test-busy.o libstage4.a.xyzzy -lexecline -lskarnet
test-busy: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-chain: src/tests/test-chain.o libstage4.a.xyzzy -lexecline -lskarnet
test-chain: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-child: src/tests/test-child.o libstage4.a.xyzzy -lexecline -lskarnet
test-child: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-elf: src/tests/test-elf.o libstage4.a.xyzzy -lexecline -lskarnet
test-elf: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-elsewhere: src/tests/test-elsewhere.o libstage4.a.xyzzy -lexecline -lskarnet
test-elsewhere: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-fdkind: src/tests/test-fdkind.o libstage4.a.xyzzy -lexecline -lskarnet
test-fdkind: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-flow: src/tests/test-flow.o libstage4.a.xyzzy -lexecline -lskarnet
test-flow: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-fstype: src/tests/test-fstype.o libstage4.a.xyzzy -lexecline -lskarnet
test-fstype: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-hook: src/tests/test-hook.o libstage4.a.xyzzy -lexecline -lskarnet
test-hook: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-ladder: src/tests/test-ladder.o libstage4.a.xyzzy -lexecline -lskarnet
test-ladder: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-letgo: src/tests/test-letgo.o libstage4.a.xyzzy -lexecline -lskarnet
test-letgo: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-line: src/tests/test-line.o libstage4.a.xyzzy -lexecline -lskarnet
test-line: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-manifest: src/tests/test-manifest.o libstage4.a.xyzzy -lexecline -lskarnet
test-manifest: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-mountinfo: src/tests/test-mountinfo.o libstage4.a.xyzzy -lexecline -lskarnet
test-mountinfo: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-mountplan: src/tests/test-mountplan.o libstage4.a.xyzzy -lexecline -lskarnet
test-mountplan: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-pathwalk: src/tests/test-pathwalk.o libstage4.a.xyzzy -lexecline -lskarnet
test-pathwalk: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-process: src/tests/test-process.o libstage4.a.xyzzy -lexecline -lskarnet
test-process: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-pstore: src/tests/test-pstore.o libstage4.a.xyzzy -lexecline -lskarnet
test-pstore: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-runonce: src/tests/test-runonce.o libstage4.a.xyzzy -lexecline -lskarnet
test-runonce: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-storage: src/tests/test-storage.o libstage4.a.xyzzy -lexecline -lskarnet
test-storage: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-swaps: src/tests/test-swaps.o libstage4.a.xyzzy -lexecline -lskarnet
test-swaps: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-time: src/tests/test-time.o libstage4.a.xyzzy -lexecline -lskarnet
test-time: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-victims: src/tests/test-victims.o libstage4.a.xyzzy -lexecline -lskarnet
test-victims: EXTRA_LIBS := ${SYSCLOCK_LIB}
test-worker: src/tests/test-worker.o libstage4.a.xyzzy -lexecline -lskarnet
test-worker: EXTRA_LIBS := ${SYSCLOCK_LIB}
