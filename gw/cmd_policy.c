/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a policy for a command: from its name to a checked policy, or an exit code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gw/cmd.h"
#include "gw/cmd_policy.h"
#include "gw/setfile.h"
#include "qos/match.h"

void cmd_complain(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		  const char *text)
{
	(void)arg;
	const char *warning = sev == POLICY_WARNING ? "warning: " : "";

	if (at.line)
		cmd_say("%s:%d:%d: %s%s", file, at.line, at.col, warning, text);
	else
		cmd_say("%s: %s%s", file, warning, text);
}

static FILE *open_policy(const char *name)
{
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	struct stat st;

	if (!f) {
		cmd_fail("%s: %s", name, strerror(errno));
		return NULL;
	}
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode)) {
		cmd_fail("%s: %s", name, strerror(EISDIR));
		if (f != stdin)
			fclose(f);
		return NULL;
	}
	return f;
}

static struct policy *read_plain(const char *name, bool compile, struct policy_report *r,
				 int *status)
{
	FILE *f = open_policy(name);
	struct policy *p;

	*status = CMD_FAIL;
	if (!f)
		return NULL;
	p = (compile ? policy_read : policy_read_uncompiled)(f, f == stdin ? "<stdin>" : name,
							     r);
	if (!ferror(f))
		*status = CMD_NO;
	if (f != stdin)
		fclose(f);
	if (p)
		*status = CMD_OK;
	return p;
}

struct policy *cmd_policy_unchecked(const char *name, int *status)
{
	struct policy_report r = {.fn = cmd_complain};

	return read_plain(name, false, &r, status);
}

struct policy *cmd_policy_read(const char *name, struct policy_report *r, int *status)
{
	struct policy *p = read_plain(name, true, r, status);
	struct policy_gather g;

	if (!p)
		return NULL;
	policy_gather_begin(&g, r);
	match_check(p, &g.report);
	policy_gather_end(&g);
	/* in files of their own, so with places of their own */
	setfile_read_all(p, r);
	if (r->errors) {
		policy_free(p);
		*status = CMD_NO;
		return NULL;
	}
	return p;
}

struct policy *cmd_policy(const char *name, int *status)
{
	struct policy_report r = {.fn = cmd_complain};

	return cmd_policy_read(name, &r, status);
}
