#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The layering: gw/ -> qos/ -> sched/, and nothing points the other way.
#
# What an archive needs from outside (its undefined symbols, less those that it or a
# layer below defines) must be on its list. So sched/ cannot come to read a clock or do
# I/O, and qos/ cannot come to open a socket, without someone changing this file.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
status=0

# Memory, strings, arithmetic, and what the compiler itself calls
pure='mem(cpy|set|move|cmp|chr|mem|ccpy)|rawmemchr
str(n?cmp|n?len|n?cpy|r?chr|n?dup|n?casecmp|c?spn|pbrk|str|tok_r|sep|n?cat|lcpy|chrnul)|stp?cpy
strto(l|ul|ll|ull|d|umax|imax)|__isoc(23|99)_strto[a-z]+|__ctype_(b|tolower|toupper)_loc
malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|qsort(_r)?|bsearch|abort
__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__errno_location
__u?(div|mod|divmod)ti[34]|__mul[a-z0-9]*|__popcount[a-z0-9]*'
# qos/ reads policies from a stream and prints them: formatted text to memory or to a
# stream that it is given, but no opening of files
text='(v?s?n?|v?f|v?a?s)printf|__isoc(23|99)_[vs]?scanf|f(put[cs]|write|read|error|eof|flush|getc)
putc|getc|open_memstream|fclose|inet_(ntop|pton)|strerror(_r)?'
qos_libs='yaml_[a-z_]+
pcap_(open_dead|compile|freecode|close|geterr|strerror)|bpf_(filter|validate)'

needs() { # LAYER: undefined symbols of it that neither it nor ARCHIVE... defines
	local lib=$1
	shift
	comm -23 <(nm -u "$BUILD/$lib" | awk 'NF == 2 && $1 == "U" {print $2}' | sort -u) \
		<(nm --defined-only "$BUILD/$lib" "$@" | awk 'NF == 3 {print $3}' | sort -u)
}

allowed() { printf '^(%s)$' "$(printf '%s\n' "$@" | paste -sd'|')"; }

verdict() { # NAME OFFENCES
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		status=1
	fi
}

for lib in libsched.a libqos.a; do
	if [ -z "$(nm --defined-only "$BUILD/$lib" 2>/dev/null | grep ' T ')" ]; then
		echo "not ok - $BUILD/$lib defines nothing"
		exit 1
	fi
done

verdict "sched/ needs only memory and strings" \
	"$(needs libsched.a | grep -vE "$(allowed "$pure")")"
verdict "qos/ needs only sched/, text, libyaml and libpcap's filters" \
	"$(needs libqos.a "$BUILD/libsched.a" | grep -vE "$(allowed "$pure" "$text" "$qos_libs")")"
verdict "sched/ includes nothing from above it" \
	"$(grep -nE '#include "(qos|gw)/' sched/*.[ch])"
verdict "qos/ includes nothing from above it" "$(grep -nE '#include "gw/' qos/*.[ch])"
verdict "sched/ includes no header of I/O or time" \
	"$(grep -nE '#include <(stdio|time|unistd|fcntl|signal|pthread|poll|sys/|netinet/|net/|linux/|pcap|yaml)' \
		sched/*.[ch])"
verdict "qos/ includes no header of clocks, sockets or netlink" \
	"$(grep -nE '#include <(time|unistd|fcntl|signal|pthread|poll|sys/(socket|time|ioctl|epoll)|linux/netlink|jansson)' \
		qos/*.[ch])"
exit $status
