#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Captures as they come: compressed or not, from a pipe, pcapng, several, broken.
. "$(dirname "$0")/lib.sh"
home=$captures/home.pcap.gz
zcat $home >"$tmp/home.pcap"
status 0 "gzip" replay policies/home.yaml $home --trace "$tmp/want"

same() { # NAME ARGUMENTS...: the replay of these gives the same trace
	local name=$1
	shift
	status 0 "$name" replay policies/home.yaml "$@" --trace "$tmp/trace"
	ok "$name: the same trace" cmp "$tmp/trace" "$tmp/want"
}
same "uncompressed" "$tmp/home.pcap"
"$WEIR" replay policies/home.yaml - --trace "$tmp/trace" <"$tmp/home.pcap" >/dev/null 2>"$tmp/err"
is "standard input" $? 0
ok "the same trace" cmp "$tmp/trace" "$tmp/want"
"$WEIR" replay policies/home.yaml - --trace "$tmp/trace" <$home >/dev/null 2>"$tmp/err"
is "standard input, compressed" $? 0
ok "the same trace" cmp "$tmp/trace" "$tmp/want"
cat $home | "$WEIR" replay policies/home.yaml - --trace "$tmp/trace" >/dev/null 2>"$tmp/err"
is "a pipe, compressed" $? 0
ok "the same trace" cmp "$tmp/trace" "$tmp/want"

# Two captures are one, in time order, whichever is named first
python3 - "$tmp" <<'END'
import struct, sys
d = open(sys.argv[1] + "/home.pcap", "rb").read()
parts = [d[:24], d[:24], d[:24]]
at, n, last = 24, 0, None
while at < len(d):
    s, u, cap, _ = struct.unpack_from("<IIII", d, at)
    if (s, u) != last:          # packets of one instant stay together
        n += 1
    last = s, u
    parts[n % 3] += d[at:at + 16 + cap]
    at += 16 + cap
for i, p in enumerate(parts):
    open("%s/part%d.pcap" % (sys.argv[1], i), "wb").write(p)
END
same "three captures" "$tmp/part0.pcap" "$tmp/part1.pcap" "$tmp/part2.pcap"
same "in another order" "$tmp/part2.pcap" "$tmp/part0.pcap" "$tmp/part1.pcap"

status 0 "pcapng, two interfaces, nanoseconds" replay policies/office.yaml $captures/office.pcapng.gz
like "finds its departments" "$tmp/out" 'engineering'
status 0 "nanosecond pcap" replay policies/isp.yaml $captures/isp.pcap.gz --trace "$tmp/trace"
ok "keeps the nanoseconds" test "$(awk -F'\t' 'NR > 1 && $2 !~ /000$/' "$tmp/trace" | wc -l)" -gt 1000

# Cut off in the middle: as far as it goes, a warning, exit 0
size=$(stat -c %s "$tmp/home.pcap")
for cut in $((size - 1)) $((size / 2)) 1000 60; do
	head -c "$cut" "$tmp/home.pcap" >"$tmp/cut.pcap"
	status 0 "cut off after $cut bytes" replay policies/home.yaml "$tmp/cut.pcap" --trace "$tmp/trace"
	like "a warning" "$tmp/err" 'cut\.pcap'
	is "a line for each whole packet" "$(($(lines "$tmp/trace") - 1))" \
		"$(tcpdump -nr "$tmp/cut.pcap" 2>/dev/null | wc -l)"
	ok "as in the whole" cmp -s <(cut -f1-4 "$tmp/trace") <(head -n "$(lines "$tmp/trace")" "$tmp/want" | cut -f1-4)
done
head -c 200000 $home >"$tmp/cut.pcap.gz"
status 0 "cut off in the middle of the compressed file" replay policies/home.yaml "$tmp/cut.pcap.gz" \
	--trace "$tmp/trace"
like "a warning" "$tmp/err" 'cut\.pcap\.gz'
ok "some packets" test "$(lines "$tmp/trace")" -gt 1000

# Nothing that can be read at all: one clear line, exit 2
garbage() {
	status 2 "$1" replay policies/home.yaml "$2"
	is "$1: one line" "$(lines "$tmp/err")" 1
	like "$1: with its name" "$tmp/err" "$(basename "$2")"
	ok "$1: no result" empty "$tmp/out"
}
: >"$tmp/empty"
garbage "an empty file" "$tmp/empty"
garbage "a text" LICENSE
gzip -9n <LICENSE >"$tmp/text.gz"
garbage "a compressed text" "$tmp/text.gz"
head -c 4 "$tmp/home.pcap" >"$tmp/four"
garbage "four bytes" "$tmp/four"
head -c 10 $home >"$tmp/ten.gz"
garbage "ten bytes of a compressed file" "$tmp/ten.gz"
garbage "a folder" "$tmp"
head -c 24 "$tmp/home.pcap" >"$tmp/none.pcap"
status 0 "a capture without packets" replay policies/home.yaml "$tmp/none.pcap" --trace "$tmp/trace"
is "a trace without lines" "$(lines "$tmp/trace")" 1

# Time stamps that run backwards are handled and reported
python3 - "$tmp" <<'END'
import struct, sys
d = bytearray(open(sys.argv[1] + "/home.pcap", "rb").read())
at, n = 24, 0
while at < len(d):
    n += 1
    s, u, cap, _ = struct.unpack_from("<IIII", d, at)
    if n % 100 == 0:
        struct.pack_into("<I", d, at, s - 5)
    at += 16 + cap
open(sys.argv[1] + "/back.pcap", "wb").write(d)
END
status 0 "time that runs backwards" replay policies/home.yaml "$tmp/back.pcap" --trace "$tmp/trace"
like "is reported" <(cat "$tmp/out" "$tmp/err") 'backward'
ok "and does not in the trace" awk -F'\t' 'NR > 1 {
	if (length($2) < length(last) || (length($2) == length(last) && $2 "" < last "")) exit 1; last = $2 }' \
	"$tmp/trace"
finish
