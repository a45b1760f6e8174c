#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks what a replay wrote, knowing nothing of weir but its documented interfaces.

  check_trace.py TRACE CAPTURE [--out OUT.pcap] [--json OUT.json] [--rate LINK=BIT/S:BURST]...

The trace is complete and well-formed; arrivals are those of the capture; nothing departs
before it came; packets of one class and flow keep their order; over every interval a link
carries at most rate * t + max(burst, one packet) bytes; OUT.pcap has exactly the packets
that were sent, byte for byte but for ToS and checksum, in order of departure; the
counters of the JSON are those of the trace. Captures: pcap, Ethernet, time never backwards.
"""
import argparse
import gzip
import json
import struct
import sys
from collections import Counter, defaultdict

COLUMNS = ["packet", "arrival_ns", "link", "class", "length", "verdict", "departure_ns", "reason"]
REASONS = {"limit", "aqm", "deadline", "memory", "removed", "vanished"}


def pcap(path):
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack_from("<I", data)[0]]
    at, out = 24, []
    while at + 16 <= len(data):
        s, u, cap, wire = struct.unpack_from("<IIII", data, at)
        out.append((s * 10**9 + u * unit, data[at + 16:at + 16 + cap], wire))
        at += 16 + cap
    return out


def flow(frame):
    """Addresses, protocol and ports; fragments by address alone. None: not plain IP."""
    kind, ip = frame[12:14], frame[14:]
    if kind == b"\x08\x00":
        l4 = (ip[0] & 15) * 4
        if ip[6] & 0x3F or ip[7] or ip[9] not in (6, 17):
            return ip[12:20] + ip[9:10]
        return ip[12:20] + ip[9:10] + ip[l4:l4 + 4]
    if kind == b"\x86\xdd":
        return ip[8:40] + ip[6:7] + (ip[40:44] if ip[6] in (6, 17) else b"")
    return None


def masked(frame):
    """The frame without what a shaper may rewrite: ToS or traffic class, IPv4 checksum."""
    b = bytearray(frame)
    if b[12:14] == b"\x08\x00":
        b[15] = b[24] = b[25] = 0
    elif b[12:14] == b"\x86\xdd":
        b[14] &= 0xF0
        b[15] &= 0x0F
    return bytes(b)


def need(condition, *what):
    if not condition:
        sys.exit("check_trace: " + " ".join(str(w) for w in what))


def read_trace(path):
    lines = open(path).read().split("\n")
    need(lines[-1] == "", "the last line has no end")
    need(lines[0].split("\t") == COLUMNS, "header:", lines[0])
    rows = [line.split("\t") for line in lines[1:-1]]
    for i, r in enumerate(rows, 1):
        need(len(r) == len(COLUMNS), "line", i, "has", len(r), "columns")
        need(r[0] == str(i), "packet", r[0], "where", i, "is due")
    return rows


def check_rows(rows, packets):
    need(len(rows) == len(packets), len(rows), "lines for", len(packets), "packets")
    last = {}
    for r, (when, frame, wire) in zip(rows, packets):
        n, arrival, link, cls, length, verdict, departure, reason = r
        need(int(arrival) == when, "packet", n, "arrival", arrival, "is", when, "in the capture")
        need(verdict in ("sent", "dropped", "passed"), "packet", n, "verdict", verdict)
        if verdict == "passed":
            need(link == "-" and cls == "-", "packet", n, "passed, but on", link, cls)
            continue
        need(link != "-" and cls != "-" and int(length) > 0, "packet", n, "without a place:", r)
        need(int(length) >= 20, "packet", n, "charged", length)
        if verdict == "dropped":
            need(reason in REASONS, "packet", n, "dropped for", reason)
            continue
        need(reason in ("-", "marked"), "packet", n, "sent, with reason", reason)
        need(int(departure) >= when, "packet", n, "left before it came")
        key = (link, cls, flow(frame))
        need(int(departure) >= last.get(key, 0), "packet", n, "overtook an earlier one of its flow")
        last[key] = int(departure)


def check_rate(rows, link, bits, burst):
    """A bucket of max(burst, one packet) bytes that fills at the rate never runs dry."""
    sent = sorted((int(r[6]), int(r[4])) for r in rows if r[2] == link and r[5] == "sent")
    need(sent, "nothing was sent on", link)
    depth = max([burst] + [length for _, length in sent]) * 8 * 10**9
    level, at = depth, sent[0][0]
    for when, length in sent:
        level = min(depth, level + (when - at) * bits) - length * 8 * 10**9
        at = when
        # a clock of whole nanoseconds rounds once
        need(level >= -bits, "link", link, "ran", -level / 8e9, "bytes ahead at", when)


def check_out(rows, packets, path):
    """Departures in order; among those of one instant any order that keeps their flows'."""
    out = pcap(path)
    sent = Counter((int(r[6]), masked(p[1]), p[2]) for r, p in zip(rows, packets) if r[5] == "sent")
    passed = sum(r[5] == "passed" for r in rows)
    need(all(a[0] <= b[0] for a, b in zip(out, out[1:])), "times run backwards in", path)
    got = Counter((when, masked(frame), wire) for when, frame, wire in out)
    missing, extra = sent - got, got - sent
    need(not missing, sum(missing.values()), "sent packets are not in", path)
    need(sum(extra.values()) in (0, passed), sum(extra.values()), "packets too many in", path)


def check_json(rows, path):
    doc = json.load(open(path))
    counts = defaultdict(Counter)
    for r in rows:
        counts[r[2], r[3]][r[5]] += 1
    seen = set()

    def number(v):
        return v.get("packets", 0) if isinstance(v, dict) else v

    def dropped(v):
        if isinstance(v, dict) and "packets" not in v:
            return sum(number(x) for x in v.values())
        return number(v)

    def classes(link, node):
        for c in node.get("classes", []):
            name = c.get("path", c.get("class", c.get("name")))
            if (link, name) in counts and not c.get("classes"):
                seen.add((link, name))
                want = counts[link, name]
                need(number(c["sent"]) == want["sent"], link, name, "sent", c["sent"], want)
                need(dropped(c["dropped"]) == want["dropped"], link, name, "dropped", c["dropped"], want)
            classes(link, c)

    for link in doc["links"]:
        classes(link.get("link", link.get("name")), link)
    want = {k for k in counts if k[0] != "-"}
    need(seen == want, "classes in the trace but not in the JSON:", want - seen)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("trace")
    p.add_argument("capture")
    p.add_argument("--out")
    p.add_argument("--json")
    p.add_argument("--rate", action="append", default=[])
    a = p.parse_args()
    rows, packets = read_trace(a.trace), pcap(a.capture)
    check_rows(rows, packets)
    for spec in a.rate:
        link, numbers = spec.split("=")
        bits, burst = numbers.split(":")
        check_rate(rows, link, int(bits), int(burst))
    if a.out:
        check_out(rows, packets, a.out)
    if a.json:
        check_json(rows, a.json)


main()
