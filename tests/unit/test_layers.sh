#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The layering again, from the other side: tests/layers.sh says what the archives may need
# and what no layer may include; here is all that each folder may include, and the proof
# that both checks do find what is forbidden.
#
#   bash tests/unit/test_layers.sh [BUILD]      with BUILD, tests/layers.sh is run on it too
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
CC=${CC:-cc}
tests=$PWD/tests
status=0
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

libc='assert|ctype|errno|float|inttypes|limits|math|stdalign|stdarg|stdbool|stddef|stdint|stdlib|string'
# Formatted text, addresses as numbers, and the two libraries: no clock, no sockets
qos_more='stdio|arpa/inet|netinet/(in|ip|ip6|tcp|udp|icmp6)|endian|yaml|pcap/(pcap|dlt|bpf)'

# includes FOLDER LAYERS HEADERS: every #include of FOLDER's files that is neither from one
# of LAYERS nor one of HEADERS (a regular expression each)
includes() {
	grep -nE '^[[:space:]]*#[[:space:]]*(include|import|include_next)\b' "$1"/*.[ch] /dev/null |
		grep -vE "#include (\"($2)/[a-z0-9_]+\.h\"|<($3)\.h>)[[:space:]]*($|/[*/])"
}

check_includes() { # in the current directory
	includes sched sched "$libc"
	includes qos 'sched|qos' "$libc|$qos_more"
	includes gw 'sched|qos|gw' '[a-z0-9_/-]+'
}

say() { # NAME FAULT: ok when FAULT is empty
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		status=1
	fi
}

# A tree of three files, in order: whatever is found in it later was put there.
clean_tree() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp"/tree/{sched,qos,gw,tests,build/sched,build/qos} || exit 2
	cp "$tests/layers.sh" "$tmp/tree/tests/" || exit 2
	cd "$tmp/tree" || exit 2
	printf '#include <string.h>\n#include "sched/a.h"\nint a(const char *s) { return (int)strlen(s); }\n' \
		>sched/a.c
	printf 'int a(const char *s);\n' >sched/a.h
	printf '#include <stdio.h>\n#include "qos/b.h"\n#include "sched/a.h"\nint b(void) { char t[8]; return snprintf(t, 8, "%%d", a("x")); }\n' \
		>qos/b.c
	printf 'int b(void);\n' >qos/b.h
	printf '#include <time.h>\n#include "gw/c.h"\n#include "qos/b.h"\nlong c(void) { return time(0) + b(); }\n' \
		>gw/c.c
	printf 'long c(void);\n' >gw/c.h
}

# Compiles the tree, and prints what either check says against it.
offences() {
	local layer o

	for layer in sched qos; do
		rm -f build/$layer/*.o "build/lib$layer.a"
		for o in "$layer"/*.c; do
			$CC -w -I. -c -o "build/${o%.c}.o" "$o" || exit 2
		done
		ar rcs "build/lib$layer.a" build/$layer/*.o || exit 2
	done
	if BUILD=build bash tests/layers.sh >said 2>&1; then
		! grep -q '^not ok' said || echo 'layers.sh: says "not ok", but exits with 0'
	else
		grep -q '^not ok' said || echo 'layers.sh: fails, but does not say of what'
	fi
	grep '^#' said
	check_includes
}

# must_find NAME FILE TEXT WANTED: TEXT as a further file of the clean tree is found
must_find() {
	local found

	clean_tree
	printf '%s\n' "$3" >"$2"
	found=$(offences)
	if printf '%s\n' "$found" | grep -q "$4"; then
		say "finds $1" ""
	else
		say "finds $1" "expected $4, found: ${found:-nothing}"
	fi
}

if [ -n "${1:-}" ]; then
	BUILD=$1 bash tests/layers.sh || status=1
fi
say "every folder includes only what it may" "$(check_includes)"

clean_tree
say "finds nothing in a tree in order" "$(offences)"
must_find "sched/ reading a clock" sched/x.c \
	'struct timespec; int clock_gettime(int, struct timespec *); int x(void) { return clock_gettime(0, 0); }' \
	'^# clock_gettime$'
must_find "sched/ printing" sched/x.c 'int puts(const char *); int x(void) { return puts("x"); }' \
	'^# puts$'
must_find "sched/ calling qos/" sched/x.c 'int b(void); int x(void) { return b(); }' '^# b$'
must_find "sched/ including qos/" sched/x.h '#include "qos/b.h"' '^sched/x.h:1:'
must_find "sched/ including <stdio.h>" sched/x.h '#include <stdio.h>' '^sched/x.h:1:'
must_find "sched/ including <sys/time.h>" sched/x.h '#  include <sys/time.h>' '^sched/x.h:1:'
must_find "qos/ opening a socket" qos/x.c \
	'int socket(int, int, int); int x(void) { return socket(1, 2, 3); }' '^# socket$'
must_find "qos/ opening a file" qos/x.c \
	'void *fopen(const char *, const char *); int x(void) { return !fopen("x", "r"); }' \
	'^# fopen'
must_find "qos/ reading the clock" qos/x.c 'long time(long *); int x(void) { return time(0) > 0; }' \
	'^# time$'
must_find "qos/ opening a live capture" qos/x.c \
	'void *pcap_open_live(void); int x(void) { return !pcap_open_live(); }' '^# pcap_open_live$'
must_find "qos/ calling gw/" qos/x.c 'long c(void); int x(void) { return c() > 0; }' '^# c$'
must_find "qos/ including gw/" qos/x.h '#include "gw/c.h"' '^qos/x.h:1:'
must_find "qos/ including gw/ in a roundabout way" qos/x.h '#include "../gw/c.h"' '^qos/x.h:1:'
must_find "qos/ including <sys/socket.h>" qos/x.h '#include <sys/socket.h>' '^qos/x.h:1:'
must_find "gw/ including a test" gw/x.h '#include "tests/unit/x.h"' '^gw/x.h:1:'
exit $status
