#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares, packet for packet, what a gateway did with what the replay says of the same packets.

  live.py IN.pcap OUT.pcap TRACE.tsv STATS.json REPLAY.json

IN.pcap is what entered the router, OUT.pcap what left it; TRACE.tsv and REPLAY.json are what
the replay made of IN.pcap, STATS.json what the gateway counted. Captures: Ethernet, pcap.
A packet is known on both sides by its addresses, protocol and everything behind its IP header
(the k-th of several that are equal is the k-th of the others); its class by its DSCP.

Prints `KEY: holds`, or `KEY: what does not`, and lines of figures that begin with #.
"""
import json
import struct
import sys
from collections import Counter, defaultdict

DSCP = {46: "voice", 34: "work/a", 26: "work/b", 18: "work/c", 48: "ping", 8: "tcp", 16: "rest"}
FLOW_QUEUEING = {"tcp"}  # CoDel's drops depend on time; order is between flows
MS = 1_000_000


def pcap(path):
    data = open(path, "rb").read()
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack_from("<I", data)[0]]
    at, out = 24, []
    while at + 16 <= len(data):
        s, u, cap, wire = struct.unpack_from("<IIII", data, at)
        assert cap == wire, "a packet was cut"
        out.append((s * 10**9 + u * unit, data[at + 16:at + 16 + cap]))
        at += 16 + cap
    return out


def parts(frame):
    """(identity, flow, DSCP) of an Ethernet frame with an IP packet."""
    ip = frame[14:]
    if frame[12:14] == b"\x08\x00":
        head, length = (ip[0] & 15) * 4, struct.unpack_from(">H", ip, 2)[0]
        addresses, proto, tos = ip[12:20], ip[9], ip[1]
    else:
        head, length = 40, 40 + struct.unpack_from(">H", ip, 4)[0]
        addresses, proto, tos = ip[8:40], ip[6], (ip[0] & 15) << 4 | ip[1] >> 4
    flow = addresses + bytes([proto]) + (ip[head:head + 4] if proto in (6, 17) else b"")
    return addresses + bytes([proto]) + ip[head:length], flow, tos >> 2


def number(packets):
    """{(identity, k): (place, time, flow, DSCP)}"""
    seen, out = Counter(), {}
    for i, (t, frame) in enumerate(packets):
        ident, flow, dscp = parts(frame)
        out[ident, seen[ident]] = (i, t, flow, dscp)
        seen[ident] += 1
    return out


def say(key, bad):
    print(f"{key}: holds" if not bad else f"{key}: {bad}")


def quantile(v, q):
    return sorted(v)[min(len(v) - 1, int(len(v) * q))] if v else 0


def class_counts(path):
    link = json.load(open(path))["links"][0]
    return {c["class"]: c["in"]["packets"] for c in link["classes"]}, link


def main():
    entered, left = number(pcap(sys.argv[1])), number(pcap(sys.argv[2]))
    rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[3])][1:]
    live_counts, link = class_counts(sys.argv[4])
    replay_counts, _ = class_counts(sys.argv[5])
    assert len(rows) == len(entered), (len(rows), len(entered))
    both, lost = [], Counter()  # (place in, flow, class, live departure, replay's, arrival)
    wrong = []
    for key, (i, t, flow, _) in entered.items():
        cls, verdict, departure = rows[i][3], rows[i][5], rows[i][6]
        out = left.pop(key, None)
        if out and DSCP.get(out[3]) != cls:
            wrong.append(f"packet {i + 1}: live {DSCP.get(out[3], out[3])}, replay {cls}")
        if bool(out) != (verdict == "sent"):
            lost[cls, "live" if out else "replay"] += 1
        elif out:
            both.append((i, flow, cls, out[1], int(departure), t, out[0]))
    print(f"# {len(entered)} packets entered, {len(both)} left in both, "
          f"sent only by one: {dict(lost) or 'none'}")
    say("class", wrong[:3] or (left and f"{len(left)} left that never entered") or
        set(DSCP.values()) - {b[2] for b in both})
    # what the router says itself (neighbours, groups) is in the class "rest" and never entered
    say("counts", {c: (live_counts.get(c), n) for c, n in replay_counts.items()
                   if live_counts.get(c) != n and (c != "rest" or live_counts[c] < n)})
    say("sent", {k: n for k, n in lost.items() if k[0] not in FLOW_QUEUEING} or None)
    last, bad = {}, 0
    for i, flow, cls, live, *_ in sorted(both, key=lambda b: b[6]):
        bad += i < last.get(flow, -1)
        last[flow] = i
    say("flows", bad and f"{bad} overtaken")
    order, moved = defaultdict(lambda: ([], [])), {}
    for b in sorted(both, key=lambda b: b[6]):
        order[b[2]][0].append(b[0])
    for b in sorted(both, key=lambda b: (b[4], b[0])):
        order[b[2]][1].append(b[0])
    for cls, (a, b) in order.items():
        n = sum(x != y for x, y in zip(a, b))
        if n and cls not in FLOW_QUEUEING:
            moved[cls] = n
    say("order", moved or None)
    everyone = sorted(both, key=lambda b: b[6])
    place = {b[0]: n for n, b in enumerate(sorted(both, key=lambda b: (b[4], b[0])))}
    shift = [abs(n - place[b[0]]) for n, b in enumerate(everyone)]
    print(f"# places in the whole order: the same for {shift.count(0)} of {len(shift)}, "
          f"p99 {quantile(shift, .99)}, most {max(shift)} away")
    off = [abs(b[3] - b[4]) for b in both]
    waited = [b[4] - b[5] for b in both]
    print(f"# delays of the replay: p50 {quantile(waited, .5) / MS:.1f} ms, "
          f"p99 {quantile(waited, .99) / MS:.1f} ms")
    print(f"# live against replay: p50 {quantile(off, .5) / MS:.3f} ms, "
          f"p99 {quantile(off, .99) / MS:.3f} ms off")
    late = link["health"]["wakeup_late_ns"]["max"]
    print(f"# wake-ups: the latest was {late / MS:.1f} ms late")
    # A machine that stood still for longer than the burst lost the line's time for good;
    # all that waited then left that much later.
    allowed = 5 * MS + max(0, late - 10 * MS) * 2
    say("delay", None if quantile(off, .5) <= allowed and quantile(waited, .5) > 20 * MS
        else f"p50 {quantile(off, .5) / MS:.1f} ms off, of {quantile(waited, .5) / MS:.1f} ms")


main()
