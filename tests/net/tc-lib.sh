# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of weir tc share: . lib.sh first.
wtc() { in_r "$WEIR" tc "$@" >"$tmp/out" 2>"$tmp/err"; }

# tc_or_skip POLICY: applies it, and skips the whole script where the kernel cannot
tc_or_skip() {
	wtc apply "$1" && return
	grep -qE 'this kernel has no|network namespace' "$tmp/err" && skip_all "$(tail -n 1 "$tmp/err")"
	head -n 20 "$tmp/err"
}

# All that tc tells of a device of the router, but what it counts
snapshot() { # DEVICE
	local p
	{
		in_r tc -j qdisc show dev "$1"
		in_r tc class show dev "$1"
		in_r tc -j filter show dev "$1"
		in_r tc -j filter show dev "$1" ingress
		for p in $(in_r tc class show dev "$1" | awk '{ print $3 }'); do
			in_r tc -j filter show dev "$1" parent "$p"
		done
	} | sed -E 's/"(refcnt|direct_packets_stat)":[0-9]+//g'
}
