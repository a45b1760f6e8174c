#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is written never destroys what is read, by whatever name it is called.
. "$(dirname "$0")/lib.sh"
cp $captures/home.pcap.gz "$tmp/in.gz"
cp policies/home.yaml "$tmp/p.yaml"
ln -s in.gz "$tmp/symbolic"
ln "$tmp/in.gz" "$tmp/hard"
ln -s p.yaml "$tmp/policy-link"

# refused NAME INPUT ARGUMENTS...: exit 2, one line that says so, and the input as it was
refused() {
	local name=$1 input=$2 before
	shift 2
	before=$(sha256sum <"$input")
	status 2 "$name" "$@"
	like "$name: says why" "$tmp/err" 'the output must be another file'
	is "$name: one line" "$(lines "$tmp/err")" 1
	is "$name: the input is as it was" "$(sha256sum <"$input")" "$before"
}
for out in in.gz symbolic hard ./in.gz; do
	refused "-o $out" "$tmp/in.gz" replay "$tmp/p.yaml" "$tmp/in.gz" -o "$tmp/$out"
	refused "--trace $out" "$tmp/in.gz" replay "$tmp/p.yaml" "$tmp/in.gz" --trace "$tmp/$out"
done
refused "the second of two captures" "$tmp/in.gz" \
	replay "$tmp/p.yaml" $captures/home.pcap.gz "$tmp/in.gz" -o "$tmp/in.gz"
for out in p.yaml policy-link; do
	refused "-o $out" "$tmp/p.yaml" replay "$tmp/p.yaml" "$tmp/in.gz" -o "$tmp/$out"
	refused "--trace $out" "$tmp/p.yaml" replay "$tmp/p.yaml" "$tmp/in.gz" --trace "$tmp/$out"
done
status 2 "both outputs in one file" replay "$tmp/p.yaml" "$tmp/in.gz" -o "$tmp/both" --trace "$tmp/both"
like "says why" "$tmp/err" 'the output must be another file'
before=$(sha256sum <"$tmp/in.gz")
"$WEIR" replay "$tmp/p.yaml" - -o "$tmp/hard" <"$tmp/in.gz" >/dev/null 2>"$tmp/err"
is "standard input, written by another name: exit" $? 2
"$WEIR" replay "$tmp/p.yaml" "$tmp/in.gz" --trace - >>"$tmp/in.gz" 2>"$tmp/err"
is "standard output appends to the capture: exit" $? 2
is "the capture is as it was" "$(sha256sum <"$tmp/in.gz")" "$before"

# What is not an input may be overwritten, and devices are no files
status 0 "an old output" replay "$tmp/p.yaml" "$tmp/in.gz" --trace "$tmp/old"
status 0 "... again" replay "$tmp/p.yaml" "$tmp/in.gz" --trace "$tmp/old" -o "$tmp/out.pcap"
status 0 "/dev/null twice" replay "$tmp/p.yaml" "$tmp/in.gz" --trace /dev/null -o /dev/null

cat >"$tmp/t.test.yaml" <<-END
	policy: p.yaml
	tests:
	  - {name: some, capture: in.gz, expect: [{link: wan-up, packets: "> 0"}]}
END
for out in t.test.yaml p.yaml in.gz hard policy-link; do
	refused "--junit=$out" "$tmp/$out" test "--junit=$tmp/$out" "$tmp/t.test.yaml"
done 2>/dev/null
status 0 "--junit to a file of its own" test "--junit=$tmp/x.xml" "$tmp/t.test.yaml"
finish
