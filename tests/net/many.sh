#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A gateway of thousands of classes: what shows them shows what there is to be seen, and others
# are answered meanwhile.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
CLASSES=${CLASSES:-5000}
python3 - "$CLASSES" >"$tmp/p.yaml" <<'EOP'
import sys
print("links:")
for name, interface in (("up", "wan"), ("down", "lan")):
    print(f"  - name: {name}\n    interface: {interface}\n    rate: 50mbit\n    classes:")
    for k in range(int(sys.argv[1])):
        print(f"      - {{name: s{k}, match: udp port {5000 + k}, max: 20mbit}}")
    print("      - {name: rest, default: true}")
EOP
ok "it starts" weir_start "$tmp/p.yaml" --metrics 127.0.0.1:9590
for p in 5003 5004; do
	recv_start o $p $p --count 200 --idle 3000
	in_i "$NETTOOL" send 10.77.2.2 $p --pps 500 --size 500 --count $((p == 5003 ? 200 : 100)) >/dev/null
	recv_end $p
done

# ---- stats
shown() { grep -cE '^ +(s[0-9]+|rest|link-control) ' "$tmp/out"; }
status 0 "stats" stats --socket "$sock"
ok "... shows few of them" test "$(shown)" -lt 20
like "... among these what there is to be seen" "$tmp/out" '^ +s3 +200 +200 '
like "... and says how many are not shown" "$tmp/out" '^  \.\.\. and [0-9]+ more classes, to which no packet came \(--all'
status 0 "stats --all" stats --all --socket "$sock"
ok "... shows all" test "$(shown)" -ge $((2 * CLASSES + 2))
status 0 "stats --sort" stats up --sort sent --limit 2 --socket "$sock"
is "... the largest first" "$(awk '/^ +s[0-9]/ { print $1, $3 }' "$tmp/out" | tr '\n' ' ')" "s3 200 s4 100 "
status 0 "stats of a class" stats up/s4 --socket "$sock"
is "... shows that" "$(awk '/^ +(s[0-9]+|rest|link-control) / { print $1, $2 }' "$tmp/out")" "s4 100"
status 0 "stats of a pattern" stats 'up/s400*' 'down/s1' --socket "$sock"
is "... shows what it takes" "$(shown)" 12
status 2 "stats of no class" stats up/none --socket "$sock"
like "... says so" "$tmp/err" 'no class "up/none"'
status 2 "no such order" stats --sort drop --socket "$sock"
like "... says which there are" "$tmp/err" 'did you mean drops'
is "stats --json has all" "$(stats 'sum(len(l["classes"]) for l in d["links"]) >= 2 * '"$CLASSES")" True
is "stats --json of a class has that" "$("$WEIR" stats up/s3 --json --socket "$sock" | python3 -c '
import json, sys
print([(l["name"], [c["class"] for c in l["classes"]]) for l in json.load(sys.stdin)["links"]])')" "[('up', ['s3'])]"

# ---- metrics, by a reader of the format
in_r python3 - "$sock" "$CLASSES" >"$tmp/out" <<'EOP'
import json, re, socket, sys, threading, time, urllib.request

LABELS = r'(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,|(?=})))*'
SAMPLE = re.compile(r"([a-z_]+)(?:\{(" + LABELS + r")\})? ([0-9.]+)$")


def read(text):
    """Every series with its value; families once and in one piece."""
    series, types, family = {}, {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            family, kind = line[7:].split(" ")
            assert family not in types, line
            types[family] = kind
            continue
        m = SAMPLE.match(line)
        assert m, line
        base = re.sub("_(bucket|sum|count)$", "", m[1]) if types[family] == "histogram" else m[1]
        assert base == family, line
        key = (m[1], m[2] or "")
        assert key not in series, line
        series[key] = float(m[3])
    assert text.endswith("\n")
    return series


waits, end = [], threading.Event()


def ping():
    while not end.is_set():
        before = time.monotonic()
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        s.sendall(b'{"weir-control": 1, "do": "ping"}\n')
        assert b"true" in s.recv(100)
        s.close()
        waits.append(time.monotonic() - before)


asker = threading.Thread(target=ping)
asker.start()
answer = urllib.request.urlopen("http://127.0.0.1:9590/metrics")
text, pings = b"", len(waits)
while True:
    piece = answer.read(1 << 16)
    if not piece:
        break
    text += piece
pings = len(waits) - pings
end.set()
asker.join()
series, n = read(text.decode()), int(sys.argv[2])
a, b = 'link="up",class="s3"', 'link="up",class="s5"'
print("sent", series["weir_class_sent_packets_total", a], series["weir_class_sent_packets_total", b])
print("delays", series["weir_class_delay_seconds_count", a],
      ("weir_class_delay_seconds_count", b) in series)
print("idle", sum(1 for k in series if k[1].startswith(b)))
print("few", len(series) < 2 * n * 7 + 500)
print("answered", pings > 2)
print(f"# {len(series)} series, {len(text)} bytes; {pings} others answered meanwhile, "
      f"after {1000 * max(waits):.0f} ms at most")
EOP
grep '^#' "$tmp/out"
like "the metrics have what was counted" "$tmp/out" '^sent 200.0 0.0'
like "... and delays of those that sent" "$tmp/out" '^delays 200.0 False'
like "... of a class that did nothing as much as says so" "$tmp/out" '^idle 6$'
like "... so they are few" "$tmp/out" '^few True'
like "others are answered while they are read" "$tmp/out" '^answered True'
# ---- a reload leaves nothing behind; what sanitizers keep is not of interest
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$weir_pid/status"; }
settled() { [ "$(resident)" -lt $((2 * before)) ]; }
before=$(resident)
for k in 1 2 3 4 5 6; do
	sed -i "s/, max: [0-9]*mbit/, max: 2${k}mbit/" "$tmp/p.yaml"
	status 0 "reload $k" reload --socket "$sock"
done
if ! grep -q __asan_init "$WEIR"; then
	ok "the memory of policies that are no more is given back" until_ok 3 settled
	echo "# $before kB before, $(resident) kB now"
fi
ok "it ends" weir_stop
finish
