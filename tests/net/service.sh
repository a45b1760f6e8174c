#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway with no more than the unit file leaves it (confine.py does what systemd would), and
# with what each drop-in of its comments adds.
. "$(dirname "$0")/lib.sh"
systemd-analyze --version >/dev/null 2>&1 || skip_all "no systemd-analyze here: it knows what the unit's groups of system calls are"
router_up
have_queues || { ok "weir starts" false; finish; }
unit=debian/weir.service sock=/run/weir/weir.sock
confined() { python3 tests/net/confine.py "$@"; }
confined "$unit" true || skip_all "a process cannot be confined here ($?)"
etc=$(mktemp -d /run/weir/etc.XXXXXX) && chmod 755 "$etc"

# A drop-in of the comments, by what it has
dropin() { # WORD FILE
	awk -v word="$1" '/^#   \[/ { text = "" } /^#   / { text = text substr($0, 5) "\n" }
		!/^#   / { if (text ~ word) printf "%s", text; text = "" }' "$unit" >"$2"
	grep -q . "$2"
}
dropin CAP_SYS_ADMIN "$tmp/kernel.conf" && dropin 'user weir' "$tmp/user.conf" && dropin core-dumps "$tmp/core.conf"
ok "the drop-ins are there" test $? = 0

policy() { # BACKEND [RATE]
	cat >"$etc/policy.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: ${2:-20mbit}
	    classes:
	      - {name: work, match: udp port 5000}
	      - {name: rest, default: true}
	EOP
	chmod 644 "$etc/policy.yaml"
}
# The last line of a key in the unit and its drop-ins, as it would be run here
line() { # KEY UNIT[,DROP-IN...]
	cat ${2//,/ } | sed -n "s/^$1=//p" | tail -n 1 |
		sed "s|/usr/bin/weir|$WEIR|; s|/etc/weir|$etc|; s|--user weir|--user nobody|"
}
service_start() { # UNIT[,DROP-IN...]
	ip netns exec "$ns-r" python3 tests/net/confine.py "$1" $(line ExecStart "$1") 2>>"$tmp/weir.log" &
	weir_pid=$!
	until_ok 20 weir_up_or_gone
	weir_up
}
service_reload() { # UNIT[,DROP-IN...]
	in_r python3 tests/net/confine.py "$1" $(line ExecReload "$1")
}
of_status() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$weir_pid/status"; }
lives() { # NAME UNIT[,DROP-IN...] BACKEND
	policy "$3"
	ok "$1: the policy is checked first" confined "$2" $(line ExecStartPre "$2")
	ok "$1: it starts" service_start "$2"
	is "$1: with CAP_NET_ADMIN alone" "$(of_status CapPrm) $(of_status CapEff)" "0000000000001000 0000000000001000"
	is "$1: and a filter of system calls" "$(of_status Seccomp) $(of_status NoNewPrivs)" "2 1"
	ok "$1: packets pass" in_i ping -c 1 -W 5 10.77.2.2
	ok "$1: and are counted" until_ok 30 sh -c "[ \$('$WEIR' stats --json --socket $sock | grep -c '\"packets\": [1-9]') -gt 0 ]"
	policy "$3" 10mbit
	ok "$1: it is reloaded" service_reload "$2"
	is "$1: ... and that is in force" "$(stats "link('up')['rate_bps']")" 10000000
	is "$1: nothing is wrong" "$("$WEIR" status --json --socket $sock | python3 -c 'import json, sys; print([f["what"] for f in json.load(sys.stdin)["findings"] if f["severity"] == "warning" and "real-time" not in f["what"]])')" "[]"
}
ends() {
	ok "$1: it ends" weir_stop
	ok "$1: and leaves nothing" sh -c "! ip netns exec $ns-r nft list tables 2>/dev/null | grep -q weir"
}

lives "the unit" "$unit" queue
is "it leaves no core dump" "$(awk '/core file/ { print $5, $6 }' /proc/$weir_pid/limits)" "0 0"
ok "it can write nowhere else" sh -c "! nsenter -m -t $weir_pid touch /var/tmp/weir-was-here"
if [ "$(awk '/realtime priority/ { print $4 }' /proc/$weir_pid/limits)" != 0 ]; then
	is "its thread goes first" "$(stats 'link("up")["health"]["realtime"]')" True
fi
echo 'links: [}' >"$etc/policy.yaml"
ok "a bad policy fails the reload" sh -c "! ip netns exec $ns-r python3 tests/net/confine.py $unit $(line ExecReload $unit) 2>$tmp/err"
like "... which says where" "$tmp/err" 'policy.yaml:1:'
ends "the unit"

# What the comments say takes a drop-in does not work without it
policy kernel
in_r timeout 60 python3 tests/net/confine.py "$unit" $(line ExecStart "$unit") 2>"$tmp/err"
ok "backend kernel is refused by the unit alone" test $? -ne 0
like "... which says what it takes" "$tmp/err" 'CAP_SYS_ADMIN'
if in_r "$WEIR" tc apply "$etc/policy.yaml" >/dev/null 2>&1 && in_r "$WEIR" tc remove "$etc/policy.yaml" >/dev/null 2>&1; then
	for backend in kernel mark; do
		lives "$backend" "$unit,$tmp/kernel.conf" $backend
		ends "$backend"
	done
else
	echo "# backend kernel is not tried: $("$WEIR" tc apply "$etc/policy.yaml" 2>&1 | tail -n 1)"
fi
if id nobody >/dev/null 2>&1; then
	chmod 755 /run/weir "$etc"
	lives "as another user" "$unit,$tmp/user.conf" queue
	is "as another user: it is that one" "$(of_status Uid)" "$(id -u nobody)"
	is "as another user: nobody looks into it" "$(stat -c %u /proc/$weir_pid/environ)" 0
	ends "as another user"
	ok "as another user: it starts again, whatever it left" service_start "$unit,$tmp/user.conf"
	ends "as another user"
fi
sed -i 's/infinity/1000000/' "$tmp/core.conf"
policy queue
if service_start "$unit,$tmp/core.conf"; then
	is "with --core-dumps the limit is left" "$(awk '/core file/ { print $5, $6 }' /proc/$weir_pid/limits)" "1000000 1000000"
	ends "core dumps"
else
	ok "with --core-dumps it starts" false
fi
finish
