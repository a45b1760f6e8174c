#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that no small Debian package sends: calls, games, QUIC-like bulk, many small flows.

Used by make-captures.sh inside network namespaces of its own. Standard library only.

  traffic.py echo PORT[,PORT...]                       answers every datagram (IPv4 and IPv6)
  traffic.py sink PORT                                 takes HTTP uploads and forgets them
  traffic.py call SRC DST PORT SECONDS [TOS]           RTP: 172 bytes, 50 a second, both ways
  traffic.py video SRC DST PORT SECONDS [TOS]          RTP: 25 frames a second of 2-6 packets
  traffic.py game SRC DST PORT SECONDS RATE            small datagrams, RATE a second, both ways
  traffic.py swarm SRC DST PORT SECONDS FLOWS          FLOWS flows of few, irregular datagrams
  traffic.py quic-serve PORT                           sends what a quic-get asks for
  traffic.py quic-get SRC DST PORT BYTES MBIT          a download over UDP at a rate
"""
import http.server
import os
import random
import select
import socket
import struct
import sys
import time


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def client(src, dst, port, tos=0, sport=0):
    s = socket.socket(family(dst), socket.SOCK_DGRAM)
    if tos and ":" in dst:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    elif tos:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    s.bind((src, sport))
    s.connect((dst, port))
    s.setblocking(False)
    return s


def drain(s):
    try:
        while True:
            s.recv(4096)
    except OSError:
        pass


def send(s, data):
    try:
        s.send(data)
    except OSError:  # a full queue or a peer not yet there: datagrams may be lost
        pass


def rtp(seq, ts, ssrc, size, kind=0):
    return struct.pack("!BBHII", 0x80, kind, seq & 0xFFFF, ts & 0xFFFFFFFF, ssrc) + b"\xd5" * size


def pace(seconds, interval):
    """Yields 0, 1, 2, ... on a grid, as a sound card's clock would."""
    start = time.monotonic()
    n = 0
    while n * interval < seconds:
        wait = start + n * interval - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield n
        n += 1


def echo(ports):
    socks = []
    for port in ports.split(","):
        for fam, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = socket.socket(fam, socket.SOCK_DGRAM)
            if fam == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            else:
                s.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: answer from where it was sent
                s.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
            s.bind((any_addr, int(port)))
            socks.append(s)
    while True:
        for s in select.select(socks, [], [])[0]:
            data, cmsg, _, peer = s.recvmsg(4096, 256)
            out = []
            for level, kind, value in cmsg:
                if level == socket.IPPROTO_IP and kind == 8:
                    out.append((level, kind, struct.pack("=I", 0) + value[4:8] + bytes(4)))
                elif level == socket.IPPROTO_IP and kind == 1:
                    out.append((level, kind, struct.pack("=i", value[0])))
                else:
                    out.append((level, kind, value))
            try:
                s.sendmsg([data], out, 0, peer)
            except OSError:
                pass


def sink(port):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self):
            left = int(self.headers.get("Content-Length", 0))
            if self.headers.get("Expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            while left > 0:
                got = self.rfile.read(min(left, 65536))
                if not got:
                    break
                left -= len(got)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6

    Server(("::", int(port)), Handler).serve_forever()


def call(src, dst, port, seconds, tos="0"):
    s = client(src, dst, int(port), int(tos, 0))
    ssrc = random.getrandbits(32)
    for n in pace(float(seconds), 0.020):
        send(s, rtp(n, n * 160, ssrc, 160))
        drain(s)


def video(src, dst, port, seconds, tos="0"):
    s = client(src, dst, int(port), int(tos, 0))
    ssrc = random.getrandbits(32)
    seq = 0
    for n in pace(float(seconds), 0.040):
        for _ in range(6 if n % 25 == 0 else random.randint(2, 3)):
            send(s, rtp(seq, n * 3600, ssrc, 1100, 96))
            seq += 1
        drain(s)


def game(src, dst, port, seconds, rate):
    s = client(src, dst, int(port))
    for n in pace(float(seconds), 1 / float(rate)):
        send(s, struct.pack("!I", n) + b"\x07" * random.randint(36, 96))
        drain(s)


def swarm(src, dst, port, seconds, flows):
    socks = [client(src, dst, int(port)) for _ in range(int(flows))]
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        s = random.choice(socks)
        send(s, b"\x42" * random.choice((30, 120, 1200)))
        drain(s)
        time.sleep(random.expovariate(150))


def quic_serve(port):
    socks = []
    for fam, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        s = socket.socket(fam, socket.SOCK_DGRAM)
        if fam == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind((any_addr, int(port)))
        socks.append(s)
    while True:
        for s in select.select(socks, [], [])[0]:
            ask, peer = s.recvfrom(2048)
            size, mbit = struct.unpack("!QI", ask[:12])
            if len(ask) < 1200 or os.fork():
                continue
            n = size // 1252 + 1
            for _ in pace(n * 1252 * 8 / (mbit * 1e6), 4 * 1252 * 8 / (mbit * 1e6)):
                for _ in range(4):
                    s.sendto(b"\x40" + bytes(1251), peer)
            os._exit(0)


def quic_get(src, dst, port, size, mbit):
    s = client(src, dst, int(port))
    s.send(struct.pack("!QI", int(size), int(mbit)) + bytes(1188))
    s.setblocking(True)
    s.settimeout(1.0)
    n = 0
    try:
        while True:
            s.recv(2048)
            n += 1
            if n % 8 == 0:
                s.send(b"\x40" + bytes(34))  # acknowledgements
    except socket.timeout:
        pass


def main():
    jobs = {
        "echo": echo, "sink": sink, "call": call, "video": video, "game": game,
        "swarm": swarm, "quic-serve": quic_serve, "quic-get": quic_get,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in jobs:
        sys.exit(__doc__)
    random.seed(" ".join(sys.argv[1:]))
    jobs[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
