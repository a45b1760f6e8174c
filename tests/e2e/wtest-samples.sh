#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir test on the samples in tests/wtest: the exit status that a file's name promises, and
# word for word what is printed. `UPDATE=1 bash tests/e2e/wtest-samples.sh` writes what is
# printed now to tests/wtest/expected: read the difference before you commit it.
. "$(dirname "$0")/lib.sh"
cd tests/wtest || exit 2

# same NAME: the output of the last run is that of expected/NAME
same() {
	{ cat "$tmp/out"; [ ! -s "$tmp/err" ] || { echo '--- stderr'; cat "$tmp/err"; }; } >"$tmp/both"
	[ -z "${UPDATE:-}" ] || { mkdir -p expected; cp "$tmp/both" "expected/$1"; }
	ok "$1 is as expected" diff "expected/$1" "$tmp/both"
}

for file in *.test.yaml; do
	name=${file%.test.yaml}
	case $name in
	pass-*) want=0 ;;
	fail-*) want=1 ;;
	*) want=2 ;;
	esac
	status $want "$name" test "$file"
	same "$name.txt"
	[ $want = 1 ] && like "$name: none of its tests holds" "$tmp/out" ': 0 ok, [1-9][0-9]* failed$'
	[ $want = 1 ] && is "$name: one expectation of each does not hold" \
		"$(grep -c ': expected .*, found ' "$tmp/out")" "$(grep -c '^  FAILED' "$tmp/out")"
done

for format in tap junit json; do
	for name in fail-names error-run error-invalid pass-links; do
		"$WEIR" test --format $format $name.test.yaml >"$tmp/out" 2>/dev/null
		: >"$tmp/err"
		same "$name.$format"
		[ $format = junit ] && ok "$name.junit is XML" \
			python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$tmp/out"
		[ $format = json ] && ok "$name.json is JSON" python3 -m json.tool "$tmp/out"
	done
done

# one run after another gives the same bytes, wherever and whenever it is
"$WEIR" test -v pass-*.test.yaml fail-*.test.yaml >"$tmp/a" 2>&1
TZ=Asia/Kathmandu LC_ALL=de_DE.UTF-8 "$WEIR" test -v pass-*.test.yaml fail-*.test.yaml >"$tmp/b" 2>&1
ok "the same bytes in another time zone and locale" cmp "$tmp/a" "$tmp/b"

# the replay's figures, each an exact expectation, hold in a test: one engine, two drivers
for pair in link.yaml:home.pcap.gz pass-links.yaml:home.pcap.gz link.yaml:office.pcapng.gz \
	../../policies/home.yaml:home.pcap.gz ../../policies/isp.yaml:isp.pcap.gz; do
	policy=$(realpath "${pair%:*}") capture=$(realpath "../captures/${pair#*:}")
	status 0 "replay of $pair" replay --json "$policy" "$capture"
	ok "as a test" python3 from-replay.py "$policy" "$capture" "$tmp/out" "$tmp/replay.test.yaml"
	status 0 "it holds" test "$tmp/replay.test.yaml"
done

# the ways to name a test file
status 0 "by its policy" test pass-links.yaml
mkdir "$tmp/dir" "$tmp/none" && cp link.yaml pass-shares.test.yaml "$tmp/dir"
cp pass-links.test.yaml "$tmp/dir/a.test.yaml" && cp pass-links.yaml "$tmp/dir/a.yaml"
status 0 "by its directory" test "$tmp/dir"
is "in the order of their names" "$(grep -o '[a-z-]*\.test\.yaml$' "$tmp/out" | xargs)" \
	"a.test.yaml pass-shares.test.yaml"
status 2 "a directory without tests" test "$tmp/none"
status 2 "a file that is not there" test "$tmp/none/x.test.yaml"
status 2 "nothing" test
status 2 "a format that is none" test --format xml pass-links.test.yaml
status 1 "--junit=FILE beside the text" test --junit="$tmp/j.xml" fail-names.test.yaml
like "the text" "$tmp/out" '^  FAILED'
like "the file" "$tmp/j.xml" '<testsuites tests="1" failures="1" errors="0">'
status 2 "--junit=FILE that cannot be written" test --junit="$tmp/none/no/j.xml" pass-links.test.yaml
finish
