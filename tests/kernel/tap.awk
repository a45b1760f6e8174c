# SPDX-License-Identifier: GPL-2.0-or-later
# What the virtual machine told (see init) as one sequence of TAP, in which nothing is missing
# in silence: a guest that did not come up, a test that did not run, did not end, ended badly,
# said less than it promised or was skipped is "not ok". (This kernel has everything: a test
# that skips itself there has found that it has not.)
#
#   awk -v tests="a b c" -f tap.awk LOG      tests: those that should have run

function result(good, what) {
	print (good ? "ok " : "not ok ") ++n " - " what
	bad += !good
}

{ sub(/\r$/, "") }

$1 == "==" && $2 == "up" { up = 1; next }
$1 == "==" && $2 == "begin" {
	name = $3
	plan = -1
	count = failed = skipped = 0
	next
}
$1 == "==" && $2 == "end" && name == $3 {
	if (plan != count && !skipped)
		result(0, name ": " count " results, " \
			(plan < 0 ? "and it did not say how many there should be" : plan " were promised"))
	else if ($4 != 0 && !failed)
		result(0, name ": exit status " $4)
	if (NF > 4)
		print "# " name ": " $5 " s"
	ended[name] = 1
	name = ""
	next
}
$1 == "==" && $2 == "done" { done = 1; next }

name != "" && /^(not )?ok / {
	good = !/^not /
	count++
	what = $0
	sub(/^(not )?ok +[0-9]* *(- )?/, "", what)
	if (tolower(what) ~ /# *skip/) {
		good = 0
		skipped = 1
		sub(/# *[Ss][Kk][Ii][Pp] */, "may not be skipped: ", what)
	}
	failed += !good
	result(good, name ": " what)
	next
}
name != "" && /^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; next }
{ print "# " $0 }

END {
	if (!up)
		result(0, "the virtual machine comes up")
	t = split(tests, expected, " ")
	for (i = 1; i <= t; i++)
		if (!(expected[i] in ended))
			result(0, expected[i] ": " (expected[i] == name ? "the virtual machine stopped in it" : "it has not run"))
	if (up && !done)
		result(0, "the virtual machine runs to its end")
	print "1.." n + 0
	exit bad > 0
}
