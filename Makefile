# SPDX-License-Identifier: GPL-2.0-or-later
# weir: `make` builds, `sudo make demo` shows, `sudo make test` tests. `make help` lists all.

BUILD ?= build
ifeq ($(origin CC),default)
CC = gcc
endif
OPT ?= -O2 -g
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla -Wimplicit-fallthrough
ifdef WERROR
WARN += -Werror
endif
VERSION := 0.1.0
WEIR_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. -isystem /usr/include/libnl3 $(WARN) $(OPT) $(SAN) $(CFLAGS)
WEIR_LIBS = -lpcap -lyaml -ljansson -lz -lm -lnetfilter_queue -lnftnl -lmnl -lmicrohttpd -lnl-3 -lnl-route-3 -lpthread

SCHED_SRC = $(wildcard sched/*.c)
QOS_SRC = $(wildcard qos/*.c)
GW_SRC = $(filter-out gw/main.c,$(wildcard gw/*.c))
SOURCES = $(wildcard sched/*.[ch] qos/*.[ch] gw/*.[ch] bench/*.[ch] bench/*/*.[ch] tests/*/*.[ch])
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIBS = $(BUILD)/libgw.a $(BUILD)/libqos.a $(BUILD)/libsched.a

all: $(BUILD)/weir

# What a build needs and is not there is said once, with what installs it, before the first
# compiler fails: HEADERS is one header of each library.
HEADERS = pcap.h yaml.h jansson.h zlib.h libmnl/libmnl.h libnftnl/rule.h \
	libnetfilter_queue/libnetfilter_queue.h microhttpd.h netlink/netlink.h netlink/route/tc.h
$(BUILD)/.needs: tests/deps.sh
	@mkdir -p $(@D)
	@command -v $(firstword $(CC)) >/dev/null || { echo "make: there is no compiler ($(CC)) here." \
		"Install what weir needs: sudo bash tests/deps.sh build" >&2; exit 1; }
	@for h in $(HEADERS); do echo "#include <$$h>" | $(CC) -I. -isystem /usr/include/libnl3 $(CFLAGS) \
		-include sys/types.h -include stdint.h -include stdarg.h -E -x c - -o /dev/null 2>/dev/null || \
		{ echo "make: <$$h> is not here." \
		"Install what weir needs: sudo bash tests/deps.sh build" >&2; exit 1; }; done
	@touch $@

$(BUILD)/%.o: %.c | $(BUILD)/.needs
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsched.a: $(call obj,$(SCHED_SRC))
$(BUILD)/libqos.a: $(call obj,$(QOS_SRC))
$(BUILD)/libgw.a: $(call obj,$(GW_SRC))
$(BUILD)/lib%.a:
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

$(BUILD)/weir: $(BUILD)/gw/main.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

# Unit tests and properties: one program a file, tests/unit/test_NAME.c and tests/props/prop_NAME.c
UNIT = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/props/prop_*.c))
unit: $(UNIT)
$(UNIT): $(BUILD)/%: $(BUILD)/%.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ -lcmocka $(WEIR_LIBS) $(LDFLAGS)

# What the tests in network namespaces, tests/net/NAME.sh, need: traffic and the like
NETTOOLS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/net/*.c))
net: $(NETTOOLS)
$(NETTOOLS): $(BUILD)/%: $(BUILD)/%.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

# Measurements: one program a file, bench/NAME.c
BENCH = $(patsubst %.c,$(BUILD)/%,$(wildcard bench/*.c))
$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

ACCEPT = $(BUILD)/bench/net/nfq_accept
$(ACCEPT): $(ACCEPT).o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

# Fuzz targets: one program a file, tests/fuzz/fuzz_NAME.c, seeds in tests/fuzz/seeds/NAME
FUZZ = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZ): $(BUILD)/%: $(BUILD)/%.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

help:
	@echo 'make             build $(BUILD)/weir'
	@echo 'make deps        install the Debian packages that are missing (root; else nothing to do)'
	@echo 'make demo        deps, build, and shape a line of this machine: before and after (root)'
	@echo 'make test        deps, build, and all tests; ends with "N passed, N failed"'
	@echo 'make check-unit | check-props | check-layers | check-e2e | check-policies | check-net   some of them'
	@echo 'make test-kernel deps, build, and tests on a stock Debian kernel in QEMU (downloads both)'
	@echo 'make bench       measure: name, parameter, value, unit, tab-separated'
	@echo 'make sanitize    all tests again under ASan and UBSan, some under valgrind and TSan'
	@echo 'make fuzz        fuzz each target for FUZZ_SECONDS (60) seconds; needs clang'
	@echo 'make analyse     tidy, cppcheck and format-check'
	@echo 'make install     program, man pages, policies; PREFIX=/usr/local, DESTDIR='
	@echo 'make uninstall   and away again'
	@echo 'make captures    make the captures of the tests anew (root)'
	@echo 'make clean       remove build/'
	@echo 'Variables: BUILD=dir  OPT="-O2 -g"  SAN=-fsanitize=...  WERROR=1  CFLAGS=  LDFLAGS='
	@echo 'TEST_JOBS=N: so many tests side by side (as many as there are processors); 1: one after the other'

deps:
	@bash tests/deps.sh test

deps-build deps-demo:
	@bash tests/deps.sh $(@:deps-%=%)

# as many compilers as there are processors, unless make was told how many
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

demo: deps-demo
	@echo 'demo: building weir (half a minute on two processors)'
	@$(MAKE) --no-print-directory -s $(JOBS) all net
	@BUILD=$(BUILD) WEIR=$(BUILD)/weir bash tests/demo/demo.sh

test: deps
	@$(MAKE) --no-print-directory -s $(JOBS) all unit net || { echo '0 passed, 1 failed'; exit 1; }
	@BUILD=$(BUILD) bash tests/run.sh layers unit props e2e policies net

# Apart from `test`: it downloads a kernel, which takes a network
test-kernel: deps
	@$(MAKE) --no-print-directory -s all unit net || { echo '0 passed, 1 failed'; exit 1; }
	@BUILD=$(BUILD) bash tests/kernel/fetch.sh
	@BUILD=$(BUILD) bash tests/run.sh kernel

check-unit check-props: deps
	@$(MAKE) --no-print-directory -s $(JOBS) unit
	@BUILD=$(BUILD) bash tests/run.sh $(@:check-%=%)
check-net: deps
	@$(MAKE) --no-print-directory -s $(JOBS) all net
	@BUILD=$(BUILD) bash tests/run.sh net
check-e2e check-policies check-layers: deps
	@$(MAKE) --no-print-directory -s $(JOBS) all
	@BUILD=$(BUILD) bash tests/run.sh $(@:check-%=%)

bench:
	@$(MAKE) --no-print-directory -s all bench-programs >&2
	@set -e; for b in $(BENCH); do WEIR=$(BUILD)/weir $$b; done
	@BUILD=$(BUILD) bash bench/net/gateway.sh
	@BUILD=$(BUILD) bash bench/net/backends.sh
	@BUILD=$(BUILD) bash bench/net/tc.sh
bench-programs: $(BENCH) $(ACCEPT) net

SANITIZERS = address,undefined
sanitize:
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/san OPT='-O1 -g -fno-omit-frame-pointer' \
		SAN='-fsanitize=$(SANITIZERS) -fno-sanitize-recover=undefined' all unit net
	@BUILD=$(BUILD)/san KILLS=5 RELOADS=40 bash tests/run.sh unit props e2e policies net-short
	@$(MAKE) --no-print-directory -s all
	@BUILD=$(BUILD) bash tests/valgrind.sh
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/tsan OPT='-O1 -g' SAN=-fsanitize=thread tsan-programs
	@BUILD=$(BUILD)/tsan bash tests/tsan.sh
# those with threads: what tests/tsan.sh runs
tsan-programs: all net $(BUILD)/tests/unit/test_replay $(BUILD)/tests/unit/test_ahead

fuzz:
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/fuzz CC=clang OPT='-O1 -g' WARN=-Wall WERROR= \
		SAN=-fsanitize=fuzzer-no-link,$(SANITIZERS) fuzz-programs
	@BUILD=$(BUILD)/fuzz bash tests/fuzz.sh $(FUZZ_SECONDS)
fuzz-programs: $(FUZZ)

analyse: tidy cppcheck format-check

TIDY = $(patsubst %,tidy/%,$(wildcard sched/*.c qos/*.c gw/*.c))
tidy: $(TIDY)
$(TIDY): tidy/%:
	@out=$$(clang-tidy --quiet --warnings-as-errors='*' $* -- $(WEIR_CFLAGS) 2>&1) || \
		{ printf '%s\n' "$$out" | grep -v 'warnings generated'; echo "clang-tidy: $*"; exit 1; }

cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/cppcheck.txt --error-exitcode=1 -D_GNU_SOURCE -I. \
		sched qos gw

format-check:
	@clang-format --dry-run --Werror $(SOURCES)

captures:
	bash tests/captures/make-captures.sh

share = $(DESTDIR)$(PREFIX)/share
install: all
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	@for m in man/*.[1-8]; do \
		install -v -D -m 644 $$m $(share)/man/man$${m##*.}/$${m##*/} || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/bin/weir|$(PREFIX)/bin/weir|' debian/weir.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	install -d $(share)/doc/weir/examples
	install -m 644 $(filter-out %.test.yaml,$(wildcard policies/*.yaml)) $(share)/doc/weir/examples
	install -m 644 README.md LICENSE $(share)/doc/weir

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/weir $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	for m in man/*.[1-8]; do rm -f $(share)/man/man$${m##*.}/$${m##*/}; done
	rm -rf $(share)/doc/weir

clean:
	rm -rf build

.PHONY: all unit net check-net clean help deps deps-build deps-demo demo test test-kernel check-unit check-props check-e2e \
	check-policies check-layers bench bench-programs sanitize tsan-programs fuzz fuzz-programs analyse tidy \
	$(TIDY) cppcheck format-check captures install uninstall
.SECONDARY:
-include $(shell find $(BUILD) -path $(BUILD)/kernel -prune -o -name '*.d' -print 2>/dev/null)
