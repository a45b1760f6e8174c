#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir top beside a gateway at work: in a pipe, and on a terminal, which it gives back.
. "$(dirname "$0")/lib.sh"
on_terminal() { python3 tests/net/top_pty.py "$@"; }

status 2 "top without a gateway" top --socket "$sock"
like "... says what to do" "$tmp/err" 'is .weir run. running'
ok "... and draws nothing on a terminal" on_terminal never "$WEIR" top --socket "$sock"

router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 20mbit
    overhead: 0
    classes:
      - {name: steady, match: udp port 5000, min: 4mbit}
      - name: work
        match: udp port 5001
        classes:
          # more comes than may leave: it waits, is dropped, and misses what it is to keep
          - {name: slow, default: true, max: 400kbit, queue: fifo, limit: 20p, max-latency: 1ms}
      - {name: rest, default: true}
EOP
ok "it starts" weir_start "$tmp/p.yaml"
for p in 5000 5001; do
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 250 --size 472 --count 100000000 >/dev/null &
	pids+=($!)
done
top() { "$WEIR" top --socket "$sock" --interval 200ms "$@"; }
# In the background: $p, with its tables in $tmp/top
top_start() {
	rm -f "$tmp/top" # what an earlier one drew
	"$WEIR" top --socket "$sock" --interval 200ms >"$tmp/top" 2>"$tmp/err" &
	p=$!
	pids+=($p)
}

# ---- Not a terminal
# column CLASS TABLE COLUMN, of $tmp/top: 2 is the rate, 4 packets a second
column() { awk -v n="$2" -v c="$1" -v k="$3" '/^weir /{ t++ } t == n { sub(/^!/, ""); if ($1 == c) print $k }' "$tmp/top"; }
tables() { # both tables show what flows; a machine that does something else may take some tries
	top --count 2 >"$tmp/top" 2>"$tmp/err" || return 1
	for n in 1 2; do
		case $(column steady $n 2) in [1-9]*bit) ;; *) return 1 ;; esac
		case $(column steady $n 4) in [1-9]*) ;; *) return 1 ;; esac
	done
	grep -qE '^! +slow .* [0-9.]+ limit; [0-9.]+ over 1\.00ms' "$tmp/top"
}
ok "two tables show what flows" until_ok 60 tables
cat "$tmp/top" | sed 's/^/# /'
is "there are two, with a blank line between" "$(grep -c '^weir ' "$tmp/top") $(grep -c '^$' "$tmp/top")" "2 1"
ok "no escape codes" lacks "$tmp/top" $'\x1b'
ok "nothing on stderr" empty "$tmp/err"
like "the header has the link" "$tmp/top" '^link up: wan up, [0-9.]+.?bit of 20mbit, held .*cpu '
like "what waits is there" "$tmp/top" '^! +slow +[0-9.]+kbit +[0-9.]+% +[0-9.]+ +[1-9][0-9]* '
like "drops have their reason" "$tmp/top" '^! +slow .* [0-9.]+ limit'
like "a max-latency that was missed is told" "$tmp/top" '^! +slow .*; [0-9.]+ over 1\.00ms'
# the interval's own figures, held against the counters: what is sent is about what comes
rate() { top up --count 1 >"$tmp/top" && holds "$(column steady 1 4) > 100 && $(column steady 1 4) < 600"; }
ok "packets a second are about those that are sent" until_ok 60 rate

status 2 "a link that is not there" top nobody --socket "$sock"
like "... is named" "$tmp/err" 'no link "nobody"'
top 2>"$tmp/err" | head -n 3 >"$tmp/top"
is "a reader that goes away: exit 0" "${PIPESTATUS[0]}" 0
ok "... and nothing is said of it" empty "$tmp/err"
top >/dev/full 2>"$tmp/err"
is "a full disk: exit 2" $? 2
top_start
until_ok 30 grep -q drops "$tmp/top"
kill -TERM $p
wait $p
is "SIGTERM: exit 0" $? 0

# ---- A reload between two tables
sed 's/name: steady/name: first/; s/min: 4mbit/weight: 2/' "$tmp/p.yaml" >"$tmp/q.yaml"
cp "$tmp/p.yaml" "$tmp/keep.yaml"
top_start
until_ok 30 grep -q steady "$tmp/top"
cp "$tmp/q.yaml" "$tmp/p.yaml"
"$WEIR" reload --socket "$sock"
until_ok 30 sh -c "[ \$(grep -c '  first ' '$tmp/top') -ge 3 ]"
kill -TERM $p
wait $p
like "a table tells that the policy was reloaded" "$tmp/top" '^weir .*, reloaded,'
is "no figure is negative or enormous" "$(grep -cE -- '###|-[0-9]|gbit' "$tmp/top")" 0

# ---- A terminal
ok "keys; q ends it" on_terminal keys "$WEIR" top --socket "$sock" --interval 100ms
ok "Ctrl-C ends it" on_terminal control-c "$WEIR" top --socket "$sock" --interval 100ms
for sig in term hup quit; do
	ok "SIG${sig^^} ends it" on_terminal $sig "$WEIR" top --socket "$sock" --interval 100ms
done
ok "the terminal is given back even by abort()" on_terminal abort "$WEIR" top --socket "$sock" --interval 100ms
ok "every window is drawn in full and no wider" on_terminal resize "$WEIR" top --socket "$sock" --interval 100ms
ok "Ctrl-Z gives it back, fg takes it again" on_terminal job bash -c \
	"set -m; '$WEIR' top --socket '$sock' --interval 100ms; echo STOPPED; read -r _; fg >/dev/null; echo DONE \$?"
ok "after --count the last table stays" on_terminal counted "$WEIR" top --socket "$sock" --interval 100ms --count 3
ok "a dumb terminal gets plain tables" on_terminal dumb env TERM=dumb "$WEIR" top --socket "$sock" --interval 100ms --count 2

# ---- The gateway stops, ends and comes back
on_terminal silent "$WEIR" top --socket "$sock" --interval 100ms >"$tmp/pty" 2>&1 &
p=$!
until_ok 60 grep -q drawn "$tmp/pty"
kill -STOP "$weir_pid"
wait $p
is "a gateway that is silent does not hold it up" "$? $(cat "$tmp/pty")" "0 drawn"
kill -CONT "$weir_pid"

rm -f "$tmp/pty"
on_terminal gone "$WEIR" top --socket "$sock" --interval 100ms >"$tmp/pty" 2>&1 &
p=$!
until_ok 60 grep -q drawn "$tmp/pty"
weir_stop
until_ok 60 grep -q gone "$tmp/pty"
weir_start "$tmp/keep.yaml"
wait $p
is "it waits for a gateway that has gone, and goes on with the next" "$? $(tail -n 1 "$tmp/pty")" "0 gone"

top_start
until_ok 30 grep -q drops "$tmp/top"
weir_stop
wait $p
is "in a pipe the gateway's end is its own: exit 2" $? 2
like "... and it says so" "$tmp/err" 'no gateway answers|ended in the middle'
finish
