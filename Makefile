# Needs GNU make 3.81 or newer. ./configure writes config.mak; package/targets.mak says what is built,
# package/deps.mak (by tools/gen-deps.sh) from what.

it: all

CC = $(error Please use ./configure first)
AR = ar
STRIP = strip
FUZZ_CC = clang
FUZZ_FLAGS = -g -O1 -fsanitize=address,undefined

-include config.mak
include package/info
include package/targets.mak
include package/deps.mak

CPPFLAGS_ALL = $(CPPFLAGS_AUTO) $(CPPFLAGS)
CFLAGS_ALL = $(CFLAGS_AUTO) $(CFLAGS)
LDFLAGS_ALL = $(LDFLAGS_AUTO) $(LDFLAGS)

BINARIES = $(BIN_TARGETS) $(LIBEXEC_TARGETS)
INSTALLED = $(BIN_TARGETS:%=$(DESTDIR)$(bindir)/%) $(LIBEXEC_TARGETS:%=$(DESTDIR)$(libexecdir)/%)
INSTALLED_SYMLINKS = $(BIN_SYMLINKS:%=$(DESTDIR)$(bindir)/%)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: it all clean distclean tests check check-package fuzz tgz strip uninstall FORCE \
  install install-bin install-libexec install-dynlib install-lib install-include \
  install-pkgconfig install-data install-symlinks update global-links

all: $(BINARIES)


# Compiling. A new config.mak makes everything anew, so that no object is left from other flags.

%.o: %.c $(wildcard config.mak)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

%.mc.o: %.c $(wildcard config.mak)
	$(CC) $(CPPFLAGS_ALL) -Dmain=$(subst -,_,$(notdir $*))_main $(CFLAGS_ALL) -c -o $@ $<

$(INTERNAL_LIBS):
	rm -f $@
	$(AR) rcs $@ $^

$(sort $(PROGRAMS) stage4 $(TEST_BINS)):
	$(CC) $(CFLAGS) $(LDFLAGS_ALL) -o $@ $^ $(EXTRA_LIBS) $(LDLIBS)

# make itself looks for a prerequisite -lx, in the directories of vpath, and comes here when there is none.
-lskarnet -lexecline -ls6:
	$(error unable to find the library $@: is it installed? was ./configure told of it (--with-lib, --with-dynlib)?)


# Testing. No test here needs privileges.

tests: $(TEST_BINS)

check: tests check-package
	./tools/run-test.sh $(TEST_BINS:%=./%)

check-package:
	./tools/check-package.sh

fuzz: $(FUZZ_BINS)

# the library once for all of them, with the same sanitizers
%.fuzz.o: %.c $(wildcard src/include-local/*.h)
	@: $(CC)
	$(FUZZ_CC) $(FUZZ_FLAGS),fuzzer-no-link $(CPPFLAGS_ALL) -std=c99 -c -o $@ $<

$(FUZZ_BINS): %: src/fuzz/%.fuzz.o $(FUZZ_LIB) -ls6 -lexecline -lskarnet
	$(FUZZ_CC) $(FUZZ_FLAGS),fuzzer -o $@ $^ $(SYSCLOCK_LIB)


# Installing. The symlinks come last: they shall not point to nothing.

install: install-bin install-libexec install-dynlib install-lib install-include install-pkgconfig install-data \
  install-symlinks
install-bin: $(BIN_TARGETS:%=$(DESTDIR)$(bindir)/%)
install-libexec: $(LIBEXEC_TARGETS:%=$(DESTDIR)$(libexecdir)/%)
install-symlinks: $(INSTALLED_SYMLINKS)
install-dynlib install-lib install-include install-pkgconfig install-data:

# -m mode (and -O owner) from the line of package/modes whose whole first word is the name
mode = $(or $(shell awk '$$1 == "$(1)" { print "-m", $$2, ($$3 == "" ? "" : "-O " $$3) ; exit }' package/modes),-m 0755)

$(BIN_TARGETS:%=$(DESTDIR)$(bindir)/%): $(DESTDIR)$(bindir)/%: % FORCE
	./tools/install.sh -D $(call mode,$<) $< $@

$(LIBEXEC_TARGETS:%=$(DESTDIR)$(libexecdir)/%): $(DESTDIR)$(libexecdir)/%: % FORCE
	./tools/install.sh -D $(call mode,$<) $< $@

$(INSTALLED_SYMLINKS): install-bin FORCE
	./tools/install.sh -D -l $(SYMLINK_TARGET) $@

uninstall:
	rm -f $(INSTALLED) $(INSTALLED_SYMLINKS)

# slashpackage: /package/admin/stage4 is the version in use, and the programs are in /command
ifneq ($(exthome),)
update:
	./tools/install.sh -D -l $(notdir $(home)) $(DESTDIR)$(exthome)

global-links: $(BIN_TARGETS:%=$(DESTDIR)$(sproot)/command/%) $(BIN_SYMLINKS:%=$(DESTDIR)$(sproot)/command/%)

$(DESTDIR)$(sproot)/command/%: FORCE
	./tools/install.sh -D -l ..$(exthome:$(sproot)%=%)/command/$(notdir $@) $@
else
update global-links:
	@echo "$@: only with ./configure --enable-slashpackage" >&2 ; exit 1
endif


# Cleaning, packing.

strip: $(BINARIES)
	$(STRIP) -R .note -R .comment $(BINARIES)

clean:
	rm -f $(wildcard src/*/*.o) $(INTERNAL_LIBS) $(PROGRAMS) stage4 $(TEST_BINS) $(FUZZ_BINS)

distclean: clean
	rm -rf .configure-*
	rm -f config.mak src/include/$(package)/config.h $(package)-*.tar.gz
	rmdir src/include/$(package) src/include 2>/dev/null || :

# The same tree gives the same tarball, whoever packs it and when.
tgz: distclean
	tar -cf - --exclude=./.git --exclude=./build --exclude='*.tar.gz' --sort=name --owner=0 --group=0 --numeric-owner \
	  --mtime=@$${SOURCE_DATE_EPOCH:-0} --mode=go=rX,u+rw --transform='s,^\.,$(package)-$(version),' . \
	  | gzip -9n > $(package)-$(version).tar.gz
