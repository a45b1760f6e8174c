/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/outfile.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/fail.h"

/* A device or a pipe may be written and read by the same name: nothing of it is lost. */
static bool regular(const char *name, int std, struct stat *st)
{
	int rc = !strcmp(name, "-") ? fstat(std, st) : stat(name, st);

	return !rc && S_ISREG(st->st_mode);
}

int outfile_check(const char *out, const char *const *files, size_t n, char *err,
		  size_t errsize)
{
	struct stat to, from;

	if (!regular(out, STDOUT_FILENO, &to))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!files[i] || !regular(files[i], STDIN_FILENO, &from))
			continue;
		if (from.st_dev != to.st_dev || from.st_ino != to.st_ino)
			continue;
		if (!strcmp(out, files[i]))
			return fail_with(err, errsize,
					 "%s: is read or written already: the output must be "
					 "another file",
					 out);
		return fail_with(err, errsize,
				 "%s: is the same file as %s: the output must be another file",
				 !strcmp(out, "-") ? "standard output" : out,
				 !strcmp(files[i], "-") ? "standard input" : files[i]);
	}
	return 0;
}
