#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 10,000 subscribers in two directions: what is idle takes next to no memory, and `weir check`
# says what all of it may take.
. "$(dirname "$0")/lib.sh"
python3 - >"$tmp/p.yaml" <<'END'
print("links:")
for name, way in ("down", "dst"), ("up", "src"):
    print("  - name: %s\n    rate: 10gbit\n    capture: %s net 10.0.0.0/16\n    classes:" % (name, way))
    for i in range(10000):
        print("      - {name: s%d, match: %s host 10.0.%d.%d, min: 100kbit, max: %dmbit}" %
              (i, way, i >> 8, i & 255, 20 + 10 * (i % 4)))
    print("      - {name: rest, default: true}")
END
# a packet to and from each subscriber, then ten flows to each of a hundred
PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1 python3 - "$tmp/c.pcap" <<'END'
import sys
from pcapng import *
S = 1700000000 * 10**9
def packet(at, i, port, up=False):
    a, b = "198.51.100.1", "10.0.%d.%d" % (i >> 8, i & 255)
    return (S + at, ether(ip4(*((b, a) if up else (a, b)), 17, udp(443, port, 1200))))
pcap(sys.argv[1], [packet(i * 10**5, i // 2, 5000, i % 2) for i in range(20000)] +
     [packet(3 * 10**9 + i * 10**3, i % 100, 6000 + i // 100 % 10) for i in range(20000)])
END
most() { # MB COMMAND...: whether it is done with so much
	python3 - "$@" <<'END'
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print("%d MB" % used)
sys.exit(code or used > int(sys.argv[1]))
END
}
status 0 "it is valid" check "$tmp/p.yaml"
like "its memory is told" "$tmp/out" '; 20002 classes; at most [0-9.]*mb of memory$'
status 0 "every packet goes through" replay "$tmp/p.yaml" "$tmp/c.pcap" --trace "$tmp/trace"
is "each is in the trace" "$(($(lines "$tmp/trace") - 1))" 40000
unlike "none is lost for want of memory" "$tmp/trace" '	memory$'
# what sanitizers take beside is not of interest
if ! grep -q __asan_init "$WEIR"; then
	ok "100 MB are enough to check it" most 100 "$WEIR" check "$tmp/p.yaml"
	ok "150 MB to run it, when each class has sent" most 150 "$WEIR" replay "$tmp/p.yaml" "$tmp/c.pcap"
fi
finish
