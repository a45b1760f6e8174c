/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Broken policies and what is said of them: tests/policies-bad/NAME.yaml with the
 * complaints in NAME.err, all of them, in order, one "LINE:COL: text" a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/policy.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define AT_LEAST 70 /* policies; so that an empty directory is no success */

static char dir[4096];

static int is_yaml(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static void listen(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	assert_string_equal(file, "bad.yaml");
	fprintf(arg, "%d:%d: %s%s\n", at.line, at.col, sev == POLICY_WARNING ? "warning: " : "",
		text);
}

static char *slurp(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "r");
	ssize_t n;

	if (!f)
		fail_msg("%s: no such file", path);
	n = getdelim(&text, &size, '\0', f);
	fclose(f);
	if (n < 0) {
		free(text);
		text = strdup("");
	}
	return text;
}

static bool refused_as_expected(const char *name)
{
	char path[8192], *said = NULL, *expected;
	size_t size;
	FILE *out = open_memstream(&said, &size), *f;
	struct policy_report r = {.fn = listen, .arg = out};
	struct policy *p;
	bool ok = true;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	p = policy_read(f, "bad.yaml", &r);
	fclose(f);
	fclose(out);
	memcpy(strrchr(path, '.'), ".err", 5);
	expected = slurp(path);
	if (p || !r.errors) {
		print_error("%s was not refused\n", name);
		ok = false;
	}
	if (strcmp(said, expected) != 0) {
		print_error("%s\n--- expected\n%s--- found\n%s", name, expected, said);
		ok = false;
	}
	policy_free(p);
	free(said);
	free(expected);
	return ok;
}

static void every_bad_policy(void **state)
{
	struct dirent **e;
	int n = scandir(dir, &e, is_yaml, alphasort), wrong = 0;

	(void)state;
	assert_true(n >= AT_LEAST);
	for (int i = 0; i < n; i++) {
		wrong += !refused_as_expected(e[i]->d_name);
		free(e[i]);
	}
	free(e);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_bad_policy)};
	const char *base = getenv("WEIR_TESTS");

	snprintf(dir, sizeof(dir), "%s/policies-bad", base ? base : "tests");
	return cmocka_run_group_tests_name("policy_bad", tests, NULL, NULL);
}
