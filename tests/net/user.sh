#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway as another user: it starts, reads what only root may open, reloads, and leaves
# root's folders alone.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
id nobody >/dev/null 2>&1 || skip_all "there is no user nobody here"
own=$(mktemp -d /run/weir/user.XXXXXX) && chmod 755 "$own"
cat >"$own/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 20mbit
    classes:
      - {name: one, match: udp port 5000}
      - {name: rest, default: true}
EOP
chmod 644 "$own/p.yaml"
# a folder that is not there yet: whose is it?
sock=/run/weir/new/weir.sock
ok "it starts as nobody" weir_start "$own/p.yaml" --user nobody
is "it is nobody" "$(awk '/^Uid/ { print $2, $3, $4 }' /proc/$weir_pid/status)" "$(id -u nobody) $(id -u nobody) $(id -u nobody)"
is "with CAP_NET_ADMIN alone" "$(awk '/^Cap(Eff|Prm)/ { print $2 }' /proc/$weir_pid/status | sort -u)" 0000000000001000
is "the folder of its socket is root's" "$(stat -c %u:%a /run/weir/new)" 0:755
is "its socket is root's and its group's" "$(stat -c %U:%G:%a "$sock")" "root:$(id -gn nobody):660"
status 0 "status" status --socket "$sock"
ok "packets pass" in_i ping -c 1 -W 5 10.77.2.2
ok "and are counted" until_ok 30 sh -c "'$WEIR' stats --json --socket $sock | grep -q '\"received\": [1-9]'"

# What the kernel drops is known: the proc file is read by one who may not open it
ok "the kernel's own file is root's" sh -c '[ "$(ip netns exec '"$ns-r"' stat -c %a /proc/net/netfilter/nfnetlink_queue)" = 440 ]'
ok "it keeps that file open" sh -c "ls -l /proc/$weir_pid/fd | grep -q nfnetlink_queue"

sed 's/20mbit/10mbit/' "$own/p.yaml" >"$own/q.yaml" && cat "$own/q.yaml" >"$own/p.yaml"
status 0 "a reload" reload --socket "$sock"
is "is in force" "$(stats "link('up')['rate_bps']")" 10000000
# a new link needs a queue number, which the same file tells
printf '  - name: down\n    interface: lan\n    rate: 20mbit\n    classes: [{name: all, default: true}]\n' >>"$own/p.yaml"
status 0 "a reload that adds a link" reload --socket "$sock"
is "is in force as well" "$(stats "link('down')['rate_bps']")" 20000000
ok "it ends" weir_stop
ok "and starts again, whatever it left" weir_start "$own/p.yaml" --user nobody
ok "and ends" weir_stop

# ---- State of root's below a folder of another's
mkdir -p /run/weir/tc
chown nobody /run/weir
in_r "$WEIR" tc apply "$own/p.yaml" >"$tmp/out" 2>"$tmp/err"
is "weir tc below a folder of nobody's: exit 2" $? 2
like "... says whose it is and what helps" "$tmp/err" '/run/weir: it belongs to user .*chown root'
chown root /run/weir
chmod 777 /run/weir/tc
in_r "$WEIR" tc apply "$own/p.yaml" >"$tmp/out" 2>"$tmp/err"
is "in one that others may write in: exit 2" $? 2
like "... the same" "$tmp/err" '/run/weir/tc: others may write there.*chmod 755'
finish
