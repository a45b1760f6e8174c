# SPDX-License-Identifier: GPL-2.0-or-later
# Runs commands side by side, and tells of each in the order in which they were begun. To be
# sourced; nothing of its own is printed.
#
#   at_once N                 from here on, N at a time; waits for all that were begun before
#   begin NAME COMMAND...     as soon as there is a place for it; nothing on its standard input
#   all_ended                 waits for all that were begun
#
# For each command, the function `ended NAME STATUS FILE` is called, which whoever sources this
# has: FILE is what the command printed, and is gone afterwards. What still runs when the script
# ends is ended; the script's own `trap ... EXIT` calls together_stop for that.
together=$(mktemp -d) || exit 2
begun=0 told=0 room=0
names=() runners=()
# A pipe that holds a line for each free place: to wait for a place is to read one
exec {places}<> <(:)

together_stop() {
	local n
	for ((n = told; n < begun; n++)); do kill "${runners[n]}"; done 2>/dev/null
	wait 2>/dev/null
	rm -rf "$together"
}

# In a process of its own. The shell keeps SIGINT and SIGQUIT from what it runs in the background;
# the tests are about those, too.
together_run() { # FILE COMMAND...
	local file=$1 pid= stopped= status
	shift
	trap 'stopped=1; [ -z "$pid" ] || kill "$pid"' TERM
	env --default-signal=INT,QUIT "$@" >"$file" 2>&1 </dev/null {places}>&- &
	pid=$!
	[ -z "$stopped" ] || kill "$pid"
	wait "$pid"
	status=$?
	# the signal ended the waiting alone
	[ -z "$stopped" ] || wait "$pid"
	echo $status >"$file.status"
	echo >&"$places"
}

# tell STATUS: of the first that was not told of yet
together_tell() {
	local n=$told
	told=$((told + 1))
	ended "${names[n]}" "$1" "$together/$n"
	rm -f "$together/$n" "$together/$n.status"
}

begin() { # NAME COMMAND...
	local n=$begun
	names[n]=$1
	shift
	read -r -u "$places"
	while [ "$told" -lt "$begun" ] && [ -s "$together/$told.status" ]; do
		together_tell "$(cat "$together/$told.status")"
	done
	begun=$((begun + 1))
	# the shell's own word on a process that was killed says no more than its status
	together_run "$together/$n" "$@" 2>/dev/null &
	runners[n]=$!
}

all_ended() {
	local n
	while [ "$told" -lt "$begun" ]; do
		n=$told
		wait "${runners[n]}" 2>/dev/null
		if [ -s "$together/$n.status" ]; then
			together_tell "$(cat "$together/$n.status")"
		else
			# it could not even say how it ended: killed from outside
			echo >&"$places"
			together_tell 137
		fi
	done
}

at_once() { # N
	case $1 in
	*[!0-9]* | '' | 0*) echo "\"$1\" tests side by side?" >&2; exit 2 ;;
	esac
	all_ended
	while [ "$room" -gt 0 ]; do
		read -r -u "$places"
		room=$((room - 1))
	done
	while [ "$room" -lt "$1" ]; do
		echo >&"$places"
		room=$((room + 1))
	done
}
