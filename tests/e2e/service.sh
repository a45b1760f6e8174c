#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The unit file, as systemd reads it: no word of it is unknown, how exposed the service is, and
# what the drop-ins that its comments tell of make of it.
. "$(dirname "$0")/lib.sh"
if ! systemd-analyze --version >/dev/null 2>&1; then
	echo "ok 1 # SKIP no systemd-analyze here: the unit file is not looked at"
	echo 1..1
	finished=1
	exit 0
fi
export SYSTEMD_LOG_TARGET=console SYSTEMD_PAGER=
mkdir "$tmp/unit"
sed "s|/usr/bin/weir|$WEIR|" debian/weir.service >"$tmp/unit/weir.service"

verify() { # FOLDER: nothing but what the host itself lacks is said
	systemd-analyze verify --man=no "$1/weir.service" >"$tmp/said" 2>&1
	! grep weir.service "$tmp/said"
}
# What systemd makes of the service, in tenths
exposure() { systemd-analyze security --offline=true "$1/weir.service" | sed -nE 's/.*Overall exposure level.*: ([0-9]+)\.([0-9]).*/\1\2/p'; }

ok "systemd knows every word of it" verify "$tmp/unit"
is_exposed=$(exposure "$tmp/unit")
echo "# exposure, of 100: $is_exposed"
ok "its exposure is 2.0 at most" test "${is_exposed:-100}" -le 20

# Each drop-in of the comments: "#   [Service]" and the lines below it
dropin() { awk -v n="$1" '/^#   \[/ { take = ++count == n } !/^#   / { take = 0 } take { print substr($0, 5) }' debian/weir.service; }
n=$(grep -c '^#   \[Service\]' debian/weir.service)
ok "the comments tell of drop-ins" test "$n" -gt 3
for i in $(seq "$n"); do
	mkdir -p "$tmp/$i/weir.service.d"
	cp "$tmp/unit/weir.service" "$tmp/$i"
	dropin "$i" | sed "s|/usr/bin/weir|$WEIR|" >"$tmp/$i/weir.service.d/local.conf"
	ok "systemd knows every word of drop-in $i" verify "$tmp/$i"
	like "... which has one" "$tmp/$i/weir.service.d/local.conf" '^[A-Z].*='
done

# Every option of weir that it names there is
for option in $(grep -oE 'weir [a-z]+ --[a-z-]+' debian/weir.service | awk '{ print $2 ":" $3 }' | sort -u); do
	ok "weir ${option%:*} has ${option#*:}" sh -c "'$WEIR' ${option%:*} --help | grep -q -e '^  ${option#*:} '"
done
make -s install DESTDIR="$tmp/root" PREFIX=/usr BUILD="${BUILD:-build}" >"$tmp/out" 2>&1
ok "make install puts it where systemd looks" cmp debian/weir.service "$tmp/root/usr/lib/systemd/system/weir.service"
make -s install DESTDIR="$tmp/root" PREFIX=/usr/local BUILD="${BUILD:-build}" >"$tmp/out" 2>&1
is "... with the program's own place" "$(grep -o '^Exec[^ ]*' "$tmp/root/usr/local/lib/systemd/system/weir.service" | tr '\n' ' ')" \
	"ExecStartPre=/usr/local/bin/weir ExecStart=/usr/local/bin/weir ExecReload=/usr/local/bin/weir "
finish
