# SPDX-License-Identifier: GPL-2.0-or-later
# A router made of three network namespaces, for tests with real packets:
#
#     inside  e --- lan  router  wan --- e  outside
#     10.77.1.2     .1             .1     10.77.2.2       fd77:1::2 ... fd77:2::2
#
# router_up makes it, weir_start POLICY starts the gateway in the router, in_i, in_r and in_o
# run a command in a namespace. All that was started and made goes when the script ends.
#
# /run/weir and the names of network namespaces are a script's own as well, in a mount namespace:
# what a host's weir keeps is left alone, scripts that run at the same time do not meet, and all
# of it goes with the script's last process, by whatever signal that ends.
no_mounts=
if [ -z "${OWN_MOUNTS:-}" ]; then
	! unshare -m true 2>/dev/null || OWN_MOUNTS=1 exec unshare -m bash "$0" "$@"
else
	unset OWN_MOUNTS
	for d in /run/weir /var/run/netns; do
		mkdir -p "$d" 2>&1 && mount -t tmpfs -o mode=755 weir "$d" 2>&1
	done >/tmp/weir-mount-$$ || no_mounts="no mounts of its own here: $(cat /tmp/weir-mount-$$)"
	rm -f /tmp/weir-mount-$$
fi
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
NETTOOL=$(realpath "${BUILD:-build}/tests/net/nettool")
ns=weir-$$
sock=$tmp/weir.sock
weir_pid=
pids=()

# (whoever sources this may have another already)
declare -F skip_all >/dev/null ||
	skip_all() { echo "1..0 # SKIP $*"; echo "ok 1 # SKIP $*"; finished=1; exit 0; }
[ "$(id -u)" = 0 ] || skip_all "network namespaces need root"
[ -z "$no_mounts" ] || skip_all "$no_mounts"
# also that a program can be run in one: in a bare chroot it cannot ("mount --make-rslave failed")
{ ip netns add "$ns-try" && ip netns exec "$ns-try" true; } >"$tmp/try" 2>&1
try=$?
ip netns del "$ns-try" 2>/dev/null
[ $try = 0 ] || skip_all "no network namespaces here: $(tr '\n' ' ' <"$tmp/try")"

in_i() { ip netns exec "$ns-i" "$@"; }
in_r() { ip netns exec "$ns-r" "$@"; }
# where those who change the router's traffic control wait for each other
tc_lock_path() { echo "/run/weir/tc/$(in_r stat -L -c %i /proc/self/ns/net)-lock"; }
in_o() { ip netns exec "$ns-o" "$@"; }

router_down() {
	local p
	for p in $weir_pid "${pids[@]}"; do kill -9 "$p" 2>/dev/null; done
	wait 2>/dev/null
	for n in i r o b; do ip netns del "$ns-$n" 2>/dev/null; done
}
# A process in the background that a signal ends before it is the program it is to be has this
# trap as well: it must not take everything away.
trap 'end=$?; [ "$BASHPID" = $$ ] || exit "$end"; router_down; rm -rf "$tmp"; [ -n "$finished" ] || { echo "not ok - the script stopped early ($end)"; exit 1; }' EXIT

port() { # NAMESPACE DEVICE ADDRESS4 ADDRESS6
	ip -n "$ns-$1" addr add "$3" dev "$2"
	ip -n "$ns-$1" -6 addr add "$4" dev "$2" nodad
	ip -n "$ns-$1" link set "$2" up
}

router_up() {
	local n
	for n in i r o; do ip netns add "$ns-$n" && ip -n "$ns-$n" link set lo up; done
	ip -n "$ns-r" link add lan type veth peer name e netns "$ns-i"
	ip -n "$ns-r" link add wan type veth peer name e netns "$ns-o"
	port r lan 10.77.1.1/24 fd77:1::1/64
	port i e 10.77.1.2/24 fd77:1::2/64
	port r wan 10.77.2.1/24 fd77:2::1/64
	port o e 10.77.2.2/24 fd77:2::2/64
	ip -n "$ns-i" route add default via 10.77.1.1
	ip -n "$ns-o" route add default via 10.77.2.1
	ip -n "$ns-i" -6 route add default via fd77:1::1
	ip -n "$ns-o" -6 route add default via fd77:2::1
	# What comes to an end is brought to one processor in the order in which it was sent: whoever
	# sends may be on one now and on the other then (weir's thread, the kernel's own timers), and
	# their backlogs are emptied in any order.
	for n in i o; do ip netns exec "$ns-$n" sh -c 'echo 1 >/sys/class/net/e/queues/rx-0/rps_cpus' 2>/dev/null; done
	in_r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	until_ok 10 in_i ping -c 1 -W 1 10.77.2.2 && until_ok 10 in_i ping -6 -c 1 -W 1 fd77:2::2
}

# A pipe that never has anything to read: to wait for a moment without a process for that, which
# bash, in many thousands of them, once waited for for ever.
exec {nothing}<> <(:)

# until_ok SECONDS COMMAND...: as soon as it succeeds. The seconds are what a quiet machine takes at
# the most; a busy one gets many times that, since the limit is there for what never comes.
PATIENCE=${PATIENCE:-20}
until_ok() {
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -le $end ] || return 1
		read -rt 0.05 -u "$nothing"
	done
	return 0
}

weir_answers() { "$WEIR" status --json --socket "$sock" >"$tmp/status" 2>/dev/null; [ -s "$tmp/status" ]; }

# weir_start POLICY [OPTION...]; its log is $tmp/weir.log
weir_start() {
	ip netns exec "$ns-r" "$WEIR" run "$@" --socket "$sock" 2>>"$tmp/weir.log" &
	weir_pid=$!
	until_ok 20 weir_up_or_gone
	weir_up
}
weir_up_or_gone() { weir_up || ! kill -0 "$weir_pid"; }
weir_up() { kill -0 "$weir_pid" && weir_answers; }

# Ends it; its exit status is that of the function.
weir_stop() {
	local p=$weir_pid
	kill -TERM "$p"
	weir_pid=
	wait "$p"
}

# stats EXPRESSION: python over the answer to `weir stats --json`, d; link(name), cls(link, path)
stats() {
	"$WEIR" stats --json --socket "$sock" | python3 -c "
import json, sys
d = json.load(sys.stdin)
def link(n): return next(l for l in d['links'] if l['name'] == n)
def cls(l, c): return next(k for k in link(l)['classes'] if k['class'] == c)
print($1)"
}

# A receiver in a namespace: recv_start i|o NAME PORT [OPTION...]; recv_end NAME waits for it.
declare -A receiver
recv_start() {
	local where=$1 name=$2
	shift 2
	rm -f "$tmp/recv-$name" # what an earlier one of that name said
	ip netns exec "$ns-$where" timeout 1200 "$NETTOOL" recv "$@" >"$tmp/recv-$name" &
	receiver[$name]=$!
	pids+=($!)
	until_ok 20 grep -q ready "$tmp/recv-$name"
}
recv_end() { wait "${receiver[$1]}"; }
# got NAME KEY
got() { awk -v k="$2" '$1 == k { print $2 }' "$tmp/recv-$1"; }
# holds EXPRESSION: arithmetic that may have fractions
holds() { awk "BEGIN { exit !($1) }"; }

# Iperf3 in the background: a server outside, and uploads or downloads of the inside
iperf_server() {
	ip netns exec "$ns-o" iperf3 -s -p "${1:-5201}" >/dev/null 2>&1 &
	pids+=($!)
	until_ok 20 in_o sh -c "ss -Hlnt 'sport = :${1:-5201}' | grep -q ."
}

# The kernel has queues that a rule can send to?
have_queues() {
	printf 'links: [{name: a, interface: wan, rate: 1gbit, classes: [{name: b, default: true}]}]\n' >"$tmp/try.yaml"
	if weir_start "$tmp/try.yaml"; then
		weir_stop
		: >"$tmp/weir.log"
		return 0
	fi
	grep -qE 'no netfilter queues|send packets to a queue|cannot make a table' "$tmp/weir.log" &&
		skip_all "$(cat "$tmp/weir.log")"
	cat "$tmp/weir.log"
	return 1
}
