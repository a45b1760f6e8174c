# SPDX-License-Identifier: GPL-2.0-or-later
"""from-replay.py POLICY CAPTURE IN OUT: the result of `weir replay --json` as a policy test.

Every figure of the replay becomes an exact expectation, so that the test holds only if
`weir test` sees the same: two drivers of one engine.
"""
import json
import sys

policy, capture, result, test = sys.argv[1:]
out = open(test, "w")
print(f"policy: {policy}\ntests:\n  - name: as the replay\n    capture: {capture}\n    expect:",
      file=out)
figures = 0
for link in json.load(open(result))["links"]:
    for row in [link] + link["classes"]:
        if not row["in"]["packets"]:
            continue
        who = f'link: {link["name"]}' + (f', class: {row["class"]}' if "class" in row else "")
        d, drops = row["delay_ns"], row["dropped"]
        e = {
            "packets": row["in"]["packets"], "bytes": f'{row["in"]["bytes"]}b',
            "sent": row["sent"]["packets"], "sent-bytes": f'{row["sent"]["bytes"]}b',
            "marks": row["marked"],
        }
        if row["throughput_bps"]:  # of a single packet there is none
            e["throughput"] = f'{row["throughput_bps"]}bit'
        if row["sent"]["packets"]:
            e.update({k: f"{d[k]}ns" for k in d})
            e["jitter"] = f'{row["jitter_ns"]}ns'
        reasons = {k: drops[k]["packets"] for k in ("limit", "aqm", "deadline", "memory")}
        e["drops"] = "{" + ", ".join(f"{k}: {v}" for k, v in reasons.items()) + "}"
        print(f"      - {{{who}, " + ", ".join(f"{k}: {v}" for k, v in e.items()) + "}", file=out)
        print(f'      - {{{who}, drops: {drops["packets"]}}}', file=out)
        figures += len(e)
assert figures > 20
