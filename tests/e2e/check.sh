#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir check: every error with its place, and a printed policy that means the same.
. "$(dirname "$0")/lib.sh"

for policy in policies/*.yaml; do
	case $policy in *.test.yaml) continue ;; esac
	name=$(basename "$policy")
	status 0 "$name is valid" check "$policy"
	ok "$name: without a warning" empty "$tmp/err"
	status 0 "$name: printed" check --print "$policy"
	cp "$tmp/out" "$tmp/printed.yaml"
	status 0 "$name: the print is valid" check "$tmp/printed.yaml"
	status 0 "$name: printed again" check --print "$tmp/printed.yaml"
	ok "$name: is the same" cmp "$tmp/out" "$tmp/printed.yaml"
	ok "$name: default values are filled in" grep -qE '^ +linklayer: ethernet$' "$tmp/printed.yaml"
done

# The print means the same: the same packets have the same fate
status 0 "the print of home.yaml" check --print policies/home.yaml
cp "$tmp/out" "$tmp/printed.yaml"
status 0 "a replay" replay policies/home.yaml $captures/home.pcap.gz --trace "$tmp/a"
status 0 "the print's replay" replay "$tmp/printed.yaml" $captures/home.pcap.gz --trace "$tmp/b"
ok "give the same trace" cmp "$tmp/a" "$tmp/b"

status 0 "several files" check policies/home.yaml policies/office.yaml policies/isp.yaml
cat >"$tmp/bad.yaml" <<'END'
links:
  - name: up
    rate: 5
    clases:
      - name: x
    classes:
      - name: a
        match: udp prot 53
        min: 10mbit
        max: 1mbit
      - name: a
        max: 200bananas
      - name: b
        dscp: [ef, xx]
        schedular: drr
END
status 1 "a file with many errors" check "$tmp/bad.yaml"
ok "nothing on stdout" empty "$tmp/out"
like "a rate without a unit" "$tmp/err" 'bad\.yaml:3:11: .*no unit'
like "a mistyped key, with a suggestion" "$tmp/err" 'bad\.yaml:4:5: .*"clases".*did you mean "classes"'
like "a filter that is none" "$tmp/err" 'bad\.yaml:8:16: '
like "an unknown unit" "$tmp/err" 'bad\.yaml:12:14: '
like "an unknown DSCP" "$tmp/err" 'bad\.yaml:14:20: .*xx'
like "a mistyped key in a class" "$tmp/err" 'bad\.yaml:15:9: .*"schedular".*did you mean "scheduler"'
status 1 "a wrong file among right ones" check policies/home.yaml "$tmp/bad.yaml" policies/isp.yaml

# wrong NAME PLACE PATTERN, policy on standard input
wrong() {
	cat >"$tmp/wrong.yaml"
	status 1 "$1" check "$tmp/wrong.yaml"
	like "$1: at $2" "$tmp/err" "wrong\\.yaml:$2: "
	like "$1: says so" "$tmp/err" "$3"
}
wrong "no default" '[0-9]+:[0-9]+' 'default' <<'END'
links:
  - name: l
    rate: 10mbit
    classes:
      - {name: a, match: tcp}
      - {name: b, match: udp}
END
wrong "two defaults" '6:[0-9]+' 'default' <<'END'
links:
  - name: l
    rate: 10mbit
    classes:
      - {name: a, default: true}
      - {name: b, default: true}
END
wrong "min above the link" '[0-9]+:[0-9]+' 'min' <<'END'
links:
  - name: l
    rate: 10mbit
    classes:
      - {name: a, match: tcp, min: 6mbit}
      - {name: b, default: true, min: 6mbit}
END
wrong "min above max" '5:[0-9]+' 'min' <<'END'
links:
  - name: l
    rate: 10mbit
    classes:
      - {name: a, match: tcp, min: 6mbit, max: 5mbit}
      - {name: b, default: true}
END
wrong "a class that can never match" '6:[0-9]+' 'never' <<'END'
links:
  - name: l
    rate: 10mbit
    classes:
      - {name: a, match: tcp}
      - {name: b, match: tcp port 22}
      - {name: c, default: true}
END
wrong "a duplicate key" '4:5' 'rate' <<'END'
links:
  - name: l
    rate: 10mbit
    rate: 20mbit
    classes:
      - {name: c, default: true}
END
wrong "no YAML at all" '[0-9]+:[0-9]+' '.' <<'END'
links: [
END
wrong "an alias" '[0-9]+:[0-9]+' 'alias|anchor' <<'END'
links: &a
  - *a
END
wrong "an empty file" '[0-9]+:[0-9]+' 'links' </dev/null
wrong "nine levels" '[0-9]+:[0-9]+' '8' <<END
links:
  - name: l
    rate: 10mbit
    classes: $(for i in 1 2 3 4 5 6 7 8; do printf '[{name: c, default: true, classes: '; done)[{name: c, default: true}]$(for i in 1 2 3 4 5 6 7 8; do printf '}]'; done)
END
wrong "a NUL byte" '[0-9]+:[0-9]+' '.' < <(printf 'links:\0\n')
wrong "garbage" '[0-9]+:[0-9]+' '.' < <(head -c 3000 $captures/home.pcap.gz)
status 1 "from standard input" check - <<<'links: []'
finish
