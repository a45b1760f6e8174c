# SPDX-License-Identifier: GPL-2.0-or-later
# weir: `make` builds, `sudo make demo` shows, `sudo make test` tests. `make help` lists all.

BUILD ?= build
CC ?= gcc
OPT ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla -Wimplicit-fallthrough
ifdef WERROR
WARN += -Werror
endif
PKGS = libpcap yaml-0.1 jansson zlib
VERSION := 0.1.0
WEIR_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. $(WARN) $(OPT) $(SAN) $(CFLAGS)
WEIR_LIBS = -lpcap -lyaml -ljansson -lz -lm

SCHED_SRC = $(wildcard sched/*.c)
QOS_SRC = $(wildcard qos/*.c)
GW_SRC = $(filter-out gw/main.c,$(wildcard gw/*.c))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIBS = $(BUILD)/libgw.a $(BUILD)/libqos.a $(BUILD)/libsched.a

all: $(BUILD)/weir

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(WEIR_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsched.a: $(call obj,$(SCHED_SRC))
$(BUILD)/libqos.a: $(call obj,$(QOS_SRC))
$(BUILD)/libgw.a: $(call obj,$(GW_SRC))
$(BUILD)/lib%.a:
	rm -f $@
	ar rcs $@ $^

$(BUILD)/weir: $(BUILD)/gw/main.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ $(WEIR_LIBS) $(LDFLAGS)

# Unit tests and properties: one program a file, tests/unit/test_NAME.c and tests/props/prop_NAME.c
UNIT = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/props/prop_*.c))
unit: $(UNIT)
$(UNIT): $(BUILD)/%: $(BUILD)/%.o $(LIBS)
	$(CC) $(WEIR_CFLAGS) -o $@ $^ -lcmocka $(WEIR_LIBS) $(LDFLAGS)

clean:
	rm -rf build

.PHONY: all unit clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
