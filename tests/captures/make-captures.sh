#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the captures in this folder: real programs in network namespaces of their own.
#
#   sudo bash tests/captures/make-captures.sh [home] [office] [isp] [odd]
#
# Three namespaces stand in a row: clients - router - servers. The router's two egress
# queues are plain, long FIFOs at the speed of the line (the usual bufferbloat), so that
# TCP behaves as it does there. Both directions are captured as packets come into the
# router, that is before they wait: what a shaper on that router would be given.
# Nothing leaves the machine. Addresses are those set aside for documentation (RFC 5737,
# RFC 3849), private use and carrier NAT. Packets are cut to 96 bytes: headers, no content.
#
# Needs (Debian): iproute2 ethtool tcpdump tshark nginx-light openssh-server openssh-client
# dnsmasq-base bind9-dnsutils curl iputils-ping netcat-openbsd openssl python3
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
traffic="$here/traffic.py"
tmp=$(mktemp -d /tmp/weir-captures.XXXXXX)
C=weir-clients R=weir-router N=weir-servers
snap=96

for tool in ip ethtool tcpdump dumpcap mergecap reordercap nginx ssh scp ssh-keygen dnsmasq dig \
	curl ping openssl python3; do
	command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] ||
		{ echo "make-captures.sh: $tool is missing" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "make-captures.sh: network namespaces need root" >&2; exit 2; }

teardown() {
	local ns pids
	for ns in $C $R $N; do
		[ -e "/run/netns/$ns" ] || continue
		pids=$(ip netns pids $ns)
		[ -z "$pids" ] || kill $pids 2>/dev/null || true
		pids=$(ip netns pids $ns)
		[ -z "$pids" ] || { sleep 0.5; kill -9 $pids 2>/dev/null || true; }
		ip netns del $ns
	done
}
trap 'teardown; rm -rf "$tmp"' EXIT

in_c() { ip netns exec $C "$@"; }
in_r() { ip netns exec $R "$@"; }
in_n() { ip netns exec $N "$@"; }

# net UP DOWN: the three namespaces and a line of those rates (tc's spelling)
net() {
	teardown
	local ns dev
	for ns in $C $R $N; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
	ip -n $R link add name lan type veth peer name eth0 netns $C
	ip -n $R link add name wan type veth peer name eth0 netns $N
	ip -n $C link set eth0 up
	ip -n $N link set eth0 up
	ip -n $R link set lan up
	ip -n $R link set wan up
	in_c ethtool -K eth0 tso off gso off gro off tx off >/dev/null
	in_n ethtool -K eth0 tso off gso off gro off tx off >/dev/null
	for dev in lan wan; do
		in_r ethtool -K $dev tso off gso off gro off tx off >/dev/null
	done
	in_r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	in_r tc qdisc add dev wan root tbf rate "$1" burst 4000 limit "${3:-200000}"
	in_r tc qdisc add dev lan root tbf rate "$2" burst 8000 limit "${4:-400000}"
	ip -n $R addr add 198.51.100.1/24 dev wan
	ip -n $R addr add 2001:db8:ffff::1/64 dev wan nodad
	local host
	for host in 10 20 30 40 50 53; do
		ip -n $N addr add 198.51.100.$host/24 dev eth0
		ip -n $N addr add 2001:db8:ffff::$host/64 dev eth0 nodad
	done
	ip -n $N route add default via 198.51.100.1
	ip -n $N -6 route add default via 2001:db8:ffff::1
}

# client_net GATEWAY/LEN [GATEWAY6/LEN]: the router's address on the clients' side
client_net() {
	ip -n $R addr add "$1" dev lan
	[ $# -lt 2 ] || ip -n $R addr add "$2" dev lan nodad
}

client() { ip -n $C addr add "$1" dev eth0 ${2:-}; }

gateways() {
	ip -n $C route add default via "$1"
	[ $# -lt 2 ] || ip -n $C -6 route add default via "$2"
}

servers() {
	mkdir -p "$tmp/www" "$tmp/log" /run/sshd
	head -c 60000 /dev/zero >"$tmp/www/small"
	head -c 250000 /dev/zero >"$tmp/www/medium"
	head -c 1200000 /dev/zero >"$tmp/www/segment"
	[ -e "$tmp/key.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -days 2 -subj /CN=weir.example -keyout "$tmp/key.pem" -out "$tmp/cert.pem" \
		2>/dev/null
	cat >"$tmp/nginx.conf" <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid $tmp/nginx.pid;
		error_log $tmp/log/nginx;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $tmp/log; proxy_temp_path $tmp/log;
			fastcgi_temp_path $tmp/log; uwsgi_temp_path $tmp/log; scgi_temp_path $tmp/log;
			server {
				listen 80; listen [::]:80;
				listen 443 ssl; listen [::]:443 ssl;
				ssl_certificate $tmp/cert.pem; ssl_certificate_key $tmp/key.pem;
				root $tmp/www;
			}
		}
	END
	in_n nginx -c "$tmp/nginx.conf" &
	[ -e "$tmp/host" ] || ssh-keygen -q -t ed25519 -N '' -f "$tmp/host"
	[ -e "$tmp/user" ] || ssh-keygen -q -t ed25519 -N '' -f "$tmp/user"
	cp "$tmp/user.pub" "$tmp/authorized"
	in_n /usr/sbin/sshd -D -e -f /dev/null -o HostKey="$tmp/host" -o UsePAM=no \
		-o AuthorizedKeysFile="$tmp/authorized" -o StrictModes=no \
		-o PermitRootLogin=yes -o PidFile="$tmp/sshd.pid" \
		-o Subsystem="sftp internal-sftp" 2>"$tmp/log/sshd" &
	in_n dnsmasq -k -C /dev/null --no-resolv --no-hosts --pid-file= --user=root \
		--address=/example/198.51.100.10 --address=/example/2001:db8:ffff::10 &
	in_n python3 "$traffic" echo 5004,5006,10000,10002,27015,6881,3478 &
	in_n python3 "$traffic" quic-serve 443 &
	in_n python3 "$traffic" sink 8080 &
	sleep 1.5
}

ssh_opts="-i $tmp/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

# typing SRC DST SECONDS: an interactive session, five lines a second
typing() {
	for i in $(seq $(($3 * 5))); do
		echo "echo line $i"
		sleep 0.2
	done | in_c ssh $ssh_opts -tt -b "$1" "root@$2" /bin/sh >/dev/null 2>&1 || true
}

web() { in_c curl -ksg -o /dev/null --max-time "${3:-20}" --interface "$1" "$2" || true; }

# page SRC HOST: a page with its parts, six at a time, every two seconds
page() {
	in_c dig +short +time=1 +tries=1 -b "$1" "@$2" www.example A >/dev/null || true
	in_c dig +short +time=1 +tries=1 -b "$1" "@$2" www.example AAAA >/dev/null || true
	local u="https://$3"
	in_c curl -ksgZ --parallel-max 6 --max-time 15 --interface "$1" \
		-o /dev/null "$u/small" -o /dev/null "$u/small" -o /dev/null "$u/small" \
		-o /dev/null "$u/small" -o /dev/null "$u/small" -o /dev/null "$u/small" 2>/dev/null || true
}

capture_start() {
	in_r tcpdump -i lan -Q in -s $snap -B 8192 $1 -w "$tmp/up.pcap" 2>/dev/null &
	in_r tcpdump -i wan -Q in -s $snap -B 8192 $1 -w "$tmp/down.pcap" 2>/dev/null &
	sleep 1
}

capture_stop() {
	local pids
	pids=$(pgrep -x tcpdump | while read -r p; do
		ip netns pids $R | grep -x "$p" || true
	done)
	kill -INT $pids
	sleep 1
	mergecap -F "$1" -w "$tmp/merged" "$tmp/up.pcap" "$tmp/down.pcap"
	reordercap "$tmp/merged" "$tmp/all" >/dev/null
	gzip -9n <"$tmp/all" >"$here/$2"
	echo "$2: $(capinfos -Tcr "$tmp/all" | awk '{print $2}') packets, $(stat -c %s "$here/$2") bytes"
}

# A home with 5 mbit/s up, 20 down: a call, a game, work over ssh, web, TV, a photo backup
home() {
	net 5mbit 20mbit 250000 400000
	client_net 192.168.1.1/24 2001:db8:1::1/64
	local h
	for h in 10 20 30 40 50; do
		client 192.168.1.$h/24
		client 2001:db8:1::$h/64 nodad
	done
	gateways 192.168.1.1 2001:db8:1::1
	servers
	capture_start ""
	in_c python3 "$traffic" call 192.168.1.20 198.51.100.20 10000 15 0xb8 &
	in_c python3 "$traffic" game 192.168.1.30 198.51.100.30 27015 15 30 &
	typing 192.168.1.10 198.51.100.40 14 &
	in_c ping -q -i 0.5 -c 28 -I 192.168.1.10 198.51.100.10 >/dev/null &
	in_c ping -q -i 1 -c 12 -s 4000 -I 2001:db8:1::10 2001:db8:ffff::10 >/dev/null &
	in_c ping -q -i 2 -c 6 -s 4000 -I 192.168.1.10 198.51.100.10 >/dev/null &
	sleep 2
	# a photo backup: Debian's scp marks it "throughput" (DSCP 2), ssh "lowdelay" (4)
	head -c 2500000 /dev/zero >"$tmp/photos"
	in_c scp -q $ssh_opts -o BindAddress=192.168.1.40 "$tmp/photos" \
		root@198.51.100.50:/dev/null 2>/dev/null &
	# a video for a friend
	head -c 1500000 /dev/zero >"$tmp/clip"
	in_c curl -s -o /dev/null --max-time 12 --interface 192.168.1.20 -T "$tmp/clip" \
		http://198.51.100.50:8080/clip &
	sleep 1
	for i in 1 2 3; do
		page 192.168.1.10 198.51.100.53 198.51.100.10 &
		web 192.168.1.50 http://198.51.100.10/segment &
		page 2001:db8:1::10 2001:db8:ffff::53 "[2001:db8:ffff::10]" &
		sleep 2.5
	done
	in_c python3 "$traffic" quic-get 2001:db8:1::50 2001:db8:ffff::50 443 1000000 8 &
	in_c python3 "$traffic" call 2001:db8:1::20 2001:db8:ffff::20 10002 3 0xb8 &
	sleep 5
	capture_stop pcap home.pcap.gz
}

# An office with 40 mbit/s both ways: phones, engineering, sales, finance, guests
office() {
	net 40mbit 40mbit 400000 400000
	client_net 10.1.0.1/16
	client_net 10.2.0.1/16
	client_net 10.3.0.1/16
	client_net 10.9.0.1/16
	client_net 10.100.0.1/16 2001:db8:2::1/64
	local h
	for h in 10.1.0.11 10.1.7.12 10.2.0.21 10.2.3.22 10.3.0.31 10.9.4.91 10.9.4.92 \
		10.100.0.1{1,2,3,4}; do
		[ "$h" = 10.100.0.11 ] && h=10.100.0.15
		client $h/16
	done
	client 2001:db8:2::11/64 nodad
	gateways 10.1.0.1 2001:db8:2::1
	servers
	in_r dumpcap -q -s $snap -B 8 -i lan -f inbound -i wan -f inbound -w "$tmp/office.pcapng" \
		2>/dev/null &
	local dumpcap=$!
	sleep 1
	for h in 12 13 14 15; do
		in_c python3 "$traffic" call 10.100.0.$h 198.51.100.20 10000 10 0xb8 &
	done
	in_c python3 "$traffic" video 10.2.0.21 198.51.100.30 3478 9 0x88 &
	typing 10.1.0.11 198.51.100.40 9 &
	sleep 1
	in_c scp -q $ssh_opts -o BindAddress=10.1.7.12 root@198.51.100.40:"$tmp/www/segment" \
		/dev/null 2>/dev/null &
	head -c 1500000 /dev/zero >"$tmp/build"
	in_c curl -s -o /dev/null --max-time 8 --interface 10.1.7.12 -T "$tmp/build" \
		http://198.51.100.50:8080/build &
	for i in 1 2 3; do
		page 10.2.3.22 198.51.100.53 198.51.100.10 &
		web 10.3.0.31 https://198.51.100.10/small &
		page 2001:db8:2::11 2001:db8:ffff::53 "[2001:db8:ffff::10]" &
		web 10.9.4.91 https://198.51.100.10/segment &
		sleep 2
	done
	in_c python3 "$traffic" quic-get 10.9.4.92 198.51.100.50 443 1000000 10 &
	sleep 4
	local pids
	pids=$(ip netns pids $R)
	kill -INT $pids
	wait $dumpcap || true
	reordercap "$tmp/office.pcapng" "$tmp/office-sorted.pcapng" >/dev/null
	gzip -9n <"$tmp/office-sorted.pcapng" >"$here/office.pcapng.gz"
	echo "office.pcapng.gz: $(capinfos -Tcr "$tmp/office-sorted.pcapng" | awk '{print $2}')" \
		"packets, $(stat -c %s "$here/office.pcapng.gz") bytes"
}

# A sector of a wireless provider, 60 mbit/s: 36 subscribers on three plans
isp() {
	net 30mbit 60mbit 500000 800000
	client_net 100.64.0.1/16
	client_net 100.65.0.1/16
	client_net 100.66.0.1/16 2001:db8:3::1/64
	local p h
	for h in $(seq 10 25); do client 100.64.$h.$h/16; done
	for h in $(seq 10 21); do client 100.65.$h.$h/16; done
	for h in $(seq 10 17); do client 100.66.$h.$h/16; done
	client 2001:db8:3::66/64 nodad
	gateways 100.64.0.1 2001:db8:3::1
	servers
	capture_start "--time-stamp-precision=nano"
	# one subscriber with very many flows
	in_c python3 "$traffic" swarm 100.64.10.10 198.51.100.50 6881 9 200 &
	for h in 11 12 13; do
		in_c python3 "$traffic" call 100.64.$h.$h 198.51.100.20 10000 9 &
	done
	in_c python3 "$traffic" call 100.66.10.10 198.51.100.20 10000 9 0xb8 &
	in_c python3 "$traffic" game 100.65.10.10 198.51.100.30 27015 9 30 &
	sleep 1
	for h in 14 15 16 17 18 19 20 21 22 23 24 25; do
		web 100.64.$h.$h https://198.51.100.10/medium 8 &
		sleep 0.2
	done
	for h in 11 12 13 14 15 16 17 18 19 20 21; do
		page 100.65.$h.$h 198.51.100.53 198.51.100.10 &
		sleep 0.1
	done
	for h in 11 12 13 14; do
		web 100.66.$h.$h http://198.51.100.10/segment 8 &
	done
	head -c 600000 /dev/zero >"$tmp/clip"
	for h in 15 16 17; do
		in_c curl -s -o /dev/null --max-time 6 --interface 100.66.$h.$h -T "$tmp/clip" \
			http://198.51.100.50:8080/clip &
	done
	web 2001:db8:3::66 "https://[2001:db8:ffff::10]/medium" 6 &
	sleep 6
	capture_stop nsecpcap isp.pcap.gz
}

# Encapsulations and oddities, built packet by packet: the same bytes every time
odd() {
	python3 "$here/make-odd.py" | gzip -9n >"$here/odd.pcap.gz"
	echo "odd.pcap.gz: $(stat -c %s "$here/odd.pcap.gz") bytes"
}

[ $# -gt 0 ] || set -- home office isp odd
for what in "$@"; do
	case $what in
	home | office | isp | odd) $what ;;
	*) echo "usage: make-captures.sh [home] [office] [isp] [odd]" >&2; exit 2 ;;
	esac
done
