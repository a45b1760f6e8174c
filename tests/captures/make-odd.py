#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Encapsulations and oddities, packet by packet, with what weir must say of each.

  make-odd.py             writes the capture (pcap, Ethernet) to standard output
  make-odd.py --expect    writes a line per packet: number, class, charged bytes, what it is

The classes are those of tests/e2e/odd.yaml; the class is "-" where a frame carries no IP.
Charged bytes are the length of the IP packet (the policy's overhead is 0), "-" where
a lying packet leaves that open. Nothing is random: the same bytes every time.
"""
import ipaddress
import struct
import sys

MAC = bytes.fromhex("02005e000002" "02005e000001")
V4, V6 = 0x0800, 0x86DD
frames = []


def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip4(proto, payload, src="192.168.1.10", dst="198.51.100.10", frag=0, ident=1, tos=0,
        options=b"", length=None, ihl=None, ttl=64):
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | (words if ihl is None else ihl), tos, total, ident,
                       frag, ttl, proto, 0, ipaddress.ip_address(src).packed,
                       ipaddress.ip_address(dst).packed) + options
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + payload


def ip6(nxt, payload, src="2001:db8:1::10", dst="2001:db8:ffff::10", tc=0, length=None):
    return struct.pack("!IHBB16s16s", 6 << 28 | tc << 20, len(payload) if length is None else length,
                       nxt, 64, ipaddress.ip_address(src).packed,
                       ipaddress.ip_address(dst).packed) + payload


def udp(dport, size=40, sport=40000, length=None):
    return struct.pack("!HHHH", sport, dport, 8 + size if length is None else length, 0) + bytes(size)


def tcp(dport, size=0, sport=40000, offset=5):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 1, offset << 4, 0x18, 500, 0, 0) + bytes(size)


def vlan(vid, inner_type, inner, tpid_of_outer=None):
    return struct.pack("!HH", vid, inner_type) + inner


def pppoe(proto, inner):
    return struct.pack("!BBHHH", 0x11, 0, 0x1234, len(inner) + 2, proto) + inner


def mpls(labels, inner):
    out = b""
    for i, label in enumerate(labels):
        out += struct.pack("!I", label << 12 | (0x100 if i == len(labels) - 1 else 0) | 64)
    return out + inner


def add(what, cls, ethertype, body, charged=None, cut=None, pad=True):
    frame = MAC + struct.pack("!H", ethertype) + body
    if pad and len(frame) < 60:
        frame += bytes(60 - len(frame))
    frames.append((what, cls, charged, frame, len(frame) if cut is None else cut))


def v4(what, cls, packet, **kw):
    add(what, cls, V4, packet, charged=kw.pop("charged", len(packet)), **kw)


def v6(what, cls, packet, **kw):
    add(what, cls, V6, packet, charged=kw.pop("charged", len(packet)), **kw)


def build():
    sip4, sip6 = ip4(17, udp(5060)), ip6(17, udp(5060))
    ssh4, ssh6 = ip4(6, tcp(22, 30)), ip6(6, tcp(22, 30))
    # plain
    v4("UDP to 5060", "sip", sip4)
    v6("UDP to 5060, IPv6", "sip", sip6)
    v4("TCP to 22", "ssh", ssh4)
    v6("TCP to 22, IPv6", "ssh", ssh6)
    v4("TCP to 22, 40 bytes in a padded frame", "ssh", ip4(6, tcp(22)))
    v4("DSCP ef", "voice", ip4(17, udp(9999), tos=0xB8))
    v6("DSCP ef, IPv6", "voice", ip6(17, udp(9999), tc=0xB8))
    v4("ECT(0) is no DSCP", "rest", ip4(17, udp(9999), tos=0x02))
    # tags, sessions and labels in front of IP
    n = len(sip4), len(sip6), len(ssh4), len(ssh6)
    add("VLAN", "sip", 0x8100, vlan(5, V4, sip4), n[0])
    add("VLAN with priority bits, IPv6", "ssh", 0x8100, vlan(0xA005, V6, ssh6), n[3])
    add("QinQ 88a8", "sip", 0x88A8, vlan(100, 0x8100, vlan(5, V4, sip4)), n[0])
    add("QinQ 9100", "ssh", 0x9100, vlan(100, 0x8100, vlan(5, V4, ssh4)), n[2])
    add("two tags 8100", "sip", 0x8100, vlan(100, 0x8100, vlan(5, V6, sip6)), n[1])
    add("PPPoE", "sip", 0x8864, pppoe(0x0021, sip4), n[0])
    add("PPPoE, IPv6", "ssh", 0x8864, pppoe(0x0057, ssh6), n[3])
    add("PPPoE in a VLAN", "ssh", 0x8100, vlan(7, 0x8864, pppoe(0x0021, ssh4)), n[2])
    add("PPPoE with LCP", "-", 0x8864, pppoe(0xC021, bytes(20)))
    add("PPPoE discovery", "-", 0x8863, struct.pack("!BBHH", 0x11, 0x09, 0, 0))
    add("MPLS, one label", "sip", 0x8847, mpls([1000], sip4), n[0])
    add("MPLS, three labels, IPv6", "ssh", 0x8847, mpls([1000, 2000, 3000], ssh6), n[3])
    add("MPLS in a VLAN", "sip", 0x8100, vlan(9, 0x8847, mpls([16], sip4)), n[0])
    # not IP
    add("ARP", "-", 0x0806, struct.pack("!HHBBH", 1, V4, 6, 4, 1) + bytes(20))
    add("LLDP", "-", 0x88CC, bytes(46))
    add("spanning tree (802.3, LLC)", "-", 38, bytes.fromhex("424203") + bytes(43))
    add("IPv4 in 802.3 with SNAP", "sip", 8 + len(sip4), bytes.fromhex("aaaa030000000800") + sip4, n[0])
    # fragments: later ones follow their first
    whole = udp(5060, 3000)
    f = [ip4(17, whole[:1480], frag=0x2000, ident=77),
         ip4(17, whole[1480:2960], frag=0x2000 | 185, ident=77),
         ip4(17, whole[2960:], frag=370, ident=77)]
    v4("first fragment", "sip", f[0])
    v4("middle fragment", "sip", f[1])
    v4("last fragment", "sip", f[2])
    v4("later fragment of an unseen packet", "rest", ip4(17, bytes(64), frag=100, ident=78))
    whole = tcp(22, 2000)

    def frag6(off, more, ident, data, nxt):
        return ip6(44, struct.pack("!BBHI", nxt, 0, off << 3 | more, ident) + data)

    # a filter for a port is tcpdump's: it does not look behind extension headers
    v6("first fragment, IPv6", "rest", frag6(0, 1, 99, whole[:1232], 6))
    v6("last fragment, IPv6", "rest", frag6(154, 0, 99, whole[1232:], 6))
    v6("first fragment of ICMPv6", "icmp", frag6(0, 1, 101, bytes.fromhex("8000000000000000") + bytes(1224), 58))
    v6("last fragment of ICMPv6", "icmp", frag6(154, 0, 101, bytes(600), 58))
    v6("atomic fragment, IPv6", "rest", frag6(0, 0, 100, udp(5060), 17))
    # extension headers and options
    opts = bytes.fromhex("010400000000")
    hop = lambda nxt: struct.pack("!BB", nxt, 0) + opts
    v6("hop-by-hop options", "rest", ip6(0, hop(17) + udp(5060)))
    v6("hop-by-hop, routing, destination options", "rest",
       ip6(0, hop(43) + struct.pack("!BBBBI", 60, 2, 4, 0, 0) + bytes(16) + hop(6) + tcp(22)))
    v6("authentication header", "rest", ip6(51, struct.pack("!BBHII", 17, 4, 0, 1, 1) + bytes(12) + udp(5060)))
    v4("IPv4 options", "ssh", ip4(6, tcp(22, 5), options=bytes.fromhex("94040000")))
    v4("IPv4 with 40 bytes of options", "sip", ip4(17, udp(5060), options=b"\x01" * 40))
    # other protocols, tunnels by their outer header
    v4("ICMP", "icmp", ip4(1, bytes.fromhex("0800f7ff00000000") + bytes(24)))
    v6("ICMPv6", "icmp", ip6(58, bytes.fromhex("8000000000000000") + bytes(24)))
    v4("SCTP to 5060 is not UDP", "rest", ip4(132, struct.pack("!HHII", 40000, 5060, 1, 0) + bytes(16)))
    v4("ESP", "rest", ip4(50, struct.pack("!II", 1, 1) + bytes(60)))
    v4("GRE with SIP inside", "tunnel", ip4(47, struct.pack("!HH", 0, V4) + sip4))
    v4("IPv6 in IPv4 with ssh inside", "tunnel", ip4(41, ssh6))
    v4("IPv4 in IPv4 with SIP inside", "tunnel", ip4(4, sip4))
    # cut by the capture: classified by what is there, charged by its true length
    v4("UDP to 5060, captured to the ports", "sip", ip4(17, udp(5060, 1000)), cut=14 + 20 + 4)
    v6("TCP to 22, captured to 64 bytes", "ssh", ip6(6, tcp(22, 1000)), cut=64)
    v4("no ports captured", "rest", ip4(17, udp(5060, 1000)), cut=14 + 20)
    # lies
    v4("total length beyond the frame", "sip", ip4(17, udp(5060), length=1500), charged=None)
    v4("total length below the header", None, ip4(17, udp(5060), length=10), charged=None)
    v4("header length 4", None, ip4(17, udp(5060), ihl=1), charged=None)
    v4("header length beyond the packet", None, ip4(17, udp(5060), ihl=15, length=30), charged=None)
    v6("payload length beyond the frame", "sip", ip6(17, udp(5060), length=9000), charged=None)
    v4("UDP length beyond the packet", "sip", ip4(17, udp(5060, length=2000)))
    add("version 5", "-", V4, b"\x55" + bytes(45))
    v6("chain of headers that points beyond the end", None, ip6(0, b"\x3c\xff" + opts), charged=None)
    add("an Ethernet header and nothing else", "-", V4, b"", pad=False)
    add("a VLAN tag and nothing else", "-", 0x8100, b"", pad=False)
    # no line has it in one: datagrams of 1472 bytes, each with its headers
    v4("the largest IPv4 packet", "sip", ip4(17, udp(5060, 65507)), cut=128,
       charged=65507 + -(-65507 // 1472) * 28)


def main():
    build()
    if sys.argv[1:] == ["--expect"]:
        for i, (what, cls, charged, _, _) in enumerate(frames, 1):
            print(i, "?" if cls is None else cls, "-" if charged is None else charged, what, sep="\t")
        return
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    for i, (_, _, _, frame, cut) in enumerate(frames):
        t = 1700000000 * 1000000 + i * 100000
        out.write(struct.pack("<IIII", t // 1000000, t % 1000000, min(cut, len(frame)), len(frame)))
        out.write(frame[:cut])


main()
