# What this package is made of. The programs are the files in src/stage4/deps-exe/, the unit tests
# those in src/tests/deps-exe/, the fuzzers src/fuzz/fuzz-*.c: there is no other list to keep.

PROGRAMS := $(sort $(notdir $(wildcard src/stage4/deps-exe/*)))
TEST_BINS := $(sort $(notdir $(wildcard src/tests/deps-exe/*)))
FUZZ_BINS := $(sort $(patsubst src/fuzz/%.c,%,$(wildcard src/fuzz/fuzz-*.c)))
FUZZ_LIB := $(patsubst %.c,%.fuzz.o,$(wildcard src/libstage4/*.c))

# One binary instead of many: each program's main() under another name, and the links to it.
MULTICALL_OBJS := $(PROGRAMS:%=src/stage4/%.mc.o)

ifeq ($(MULTICALL),)
BIN_TARGETS := $(PROGRAMS)
BIN_SYMLINKS :=
else
BIN_TARGETS := stage4
BIN_SYMLINKS := $(PROGRAMS)
endif
SYMLINK_TARGET := stage4

# Nothing that others could build upon: the library is internal.
LIBEXEC_TARGETS :=
LIB_DEFS :=
