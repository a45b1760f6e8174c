#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where there can be no live traffic, the demo says why and replays a capture instead.
. "$(dirname "$0")/lib.sh"
mkdir "$tmp/bin"
printf '#!/bin/sh\necho "not here" >&2\nexit 1\n' >"$tmp/bin/ip"
chmod 755 "$tmp/bin/ip"
PATH=$tmp/bin:$PATH bash tests/demo/live.sh "$tmp/why" >"$tmp/out" 2>&1
is "without namespaces: exit" $? 77
like "... with the reason" "$tmp/why" 'no network namespaces here|network namespaces need root|no mounts'
PATH=$tmp/bin:$PATH bash tests/demo/demo.sh >"$tmp/out" 2>&1
is "the demo succeeds" $? 0
like "... says why it is no live one" "$tmp/out" '^demo: no live traffic here: .+'
like "... and replays" "$tmp/out" 'weir replay policies/home.yaml'
finish
