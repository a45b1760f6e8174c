# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets, pcap and pcapng files for tests, byte by byte, after the RFCs and the drafts."""
import ipaddress
import struct


def checksum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip4(src, dst, proto, payload, ttl=64, ident=1, total=None, tos=0):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    n = 20 + len(payload) if total is None else total
    h = struct.pack("!BBHHHBBH4s4s", 0x45, tos, n, ident, 0, ttl, proto, 0, a, b)
    return h[:10] + struct.pack("!H", checksum(h)) + h[12:] + payload


def ip6(src, dst, proto, payload, length=None):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    n = len(payload) if length is None else length
    return struct.pack("!IHBB", 6 << 28, n, proto, 64) + a + b + payload


def udp(sport, dport, n):
    return struct.pack("!HHHH", sport, dport, 8 + n, 0) + b"\0" * n


def tcp(sport, dport, n, seq=1, flags=0x10, options=b""):
    words = (20 + len(options)) // 4
    return struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, 1, words << 4, flags,
                       65535, 0, 0) + options + b"\0" * n


def ether(ip):
    kind = 0x0800 if ip[0] >> 4 == 4 else 0x86DD
    return bytes.fromhex("020000000002020000000001") + struct.pack("!H", kind) + ip


def cooked(ip, kind):
    """kind: 0 for what came in, 4 for what goes out"""
    return struct.pack("!HHH8sH", kind, 1, 6, b"\2\0\0\0\0\1\0\0", 0x0800) + ip


def cooked2(ip, kind, ifindex):
    return struct.pack("!HHIHBB8s", 0x0800, 0, ifindex, 1, kind, 6, b"\2\0\0\0\0\1\0\0") + ip


def pcap(path, packets, link=1):
    """packets: (ns since the epoch, bytes)"""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
        for t, d in packets:
            f.write(struct.pack("<IIII", t // 10**9, t % 10**9, len(d), len(d)) + d)


def option(code, value, e="<"):
    return struct.pack(e + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind, body, e="<"):
    body += b"\0" * (-len(body) % 4)
    n = len(body) + 12
    return struct.pack(e + "II", kind, n) + body + struct.pack(e + "I", n)


def section(e="<"):
    return block(0x0A0D0D0A, struct.pack(e + "IHHq", 0x1A2B3C4D, 1, 0, -1), e)


def interface(link=1, snaplen=262144, resolution=9, name=None, e="<"):
    o = option(2, name.encode(), e) if name else b""
    o += option(9, bytes([resolution]), e) + struct.pack(e + "HH", 0, 0)
    return block(1, struct.pack(e + "HHI", link, 0, snaplen) + o, e)


def packet(number, ticks, data, flags=None, e="<"):
    o = option(2, struct.pack(e + "I", flags), e) if flags is not None else b""
    body = struct.pack(e + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, body + data + b"\0" * (-len(data) % 4) + o, e)
