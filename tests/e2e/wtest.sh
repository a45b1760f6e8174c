#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir test: what it says of tests that hold, that do not, and that cannot run.
. "$(dirname "$0")/lib.sh"

cp policies/home.yaml "$tmp/home.yaml"
capture=$(realpath $captures/home.pcap.gz)
test_file() { # CLASS: a test that says that ssh ends in that class
	cat <<-END
		policy: home.yaml
		tests:
		  - name: ssh has its place
		    capture: $capture
		    expect:
		      - {filter: dst port 22 and src host 192.168.1.10, link: wan-up, class: $1}
	END
}
test_file work/ssh >"$tmp/good.test.yaml"
test_file rest >"$tmp/bad.test.yaml"
test_file work/shs >"$tmp/broken.test.yaml"

status 0 "a test that holds" test "$tmp/good.test.yaml"
status 1 "a test that does not hold" test "$tmp/bad.test.yaml"
like "names the test" "$tmp/out" 'ssh has its place'
like "expected" "$tmp/out" 'rest'
like "found" "$tmp/out" 'work/ssh'
status 2 "a test that cannot run" test "$tmp/broken.test.yaml"
like "says where" "$tmp/err" 'broken\.test\.yaml:6:[0-9]+: '
status 1 "some hold, some do not" test "$tmp/good.test.yaml" "$tmp/bad.test.yaml"
status 2 "some could not run" test "$tmp/good.test.yaml" "$tmp/broken.test.yaml"
printf 'tests: [' >"$tmp/syntax.test.yaml"
status 2 "no YAML" test "$tmp/syntax.test.yaml"

# more traffic than a test may have is told before any of it is made
bound() { # KEYS of the stream
	cat <<-END
		policy: $(realpath policies/plain.yaml)
		tests:
		  - name: much
		    link: $(sed -nE 's/^ *- name: *([^ ]+).*/\1/p' policies/plain.yaml | head -n 1)
		    duration: 86400s
		    traffic:
		      - {name: few, kind: constant, interval: 1s, size: 100b, src: 192.168.1.2, dst: 198.51.100.1, proto: udp, dport: 5}
		      - {name: fast, $1, src: 192.168.1.2, dst: 198.51.100.1, proto: udp, dport: 5}
		    expect:
		      - {stream: fast, packets: "> 0"}
	END
}
for keys in "kind: constant, interval: 1ns, size: 100b" "kind: poisson, rate: 1gbit, size: 1500b" \
	"kind: on-off, rate: 1gbit, size: [64b, 1500b], on: 1s, off: 9s"; do
	bound "$keys" >"$tmp/bound.test.yaml"
	status 2 "too much: $keys" test "$tmp/bound.test.yaml"
	like "says where, how much, and what would be right" "$tmp/err" \
		'bound\.test\.yaml:8:9: stream "fast" has [0-9]+ packets or more, and a test at most 20000000 in all: a longer interval'
done

status 1 "TAP" test --format tap "$tmp/good.test.yaml" "$tmp/bad.test.yaml"
like "a plan" "$tmp/out" '^1\.\.2$'
like "one ok" "$tmp/out" '^ok 1\b'
like "one not" "$tmp/out" '^not ok 2\b'
status 1 "JSON" test --json "$tmp/good.test.yaml" "$tmp/bad.test.yaml"
ok "is valid" python3 -m json.tool "$tmp/out"
status 1 "JUnit" test --format junit "$tmp/good.test.yaml" "$tmp/bad.test.yaml"
ok "is XML, with one failure of two tests" python3 -c '
import sys, xml.etree.ElementTree as e
r = e.parse(sys.argv[1]).getroot()
assert len(list(r.iter("testcase"))) == 2 and len(list(r.iter("failure"))) == 1' "$tmp/out"
finish
