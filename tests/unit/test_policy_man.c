/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manual page knows every key, and its examples are policies without a complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

static char *page;

/* ".It Cm KEY" or ".It Cm KEY , Cm KEY": its head in a list of keys. */
static bool documented(const char *key)
{
	char as[64], also[64];

	snprintf(as, sizeof(as), ".It Cm %s\n", key);
	snprintf(also, sizeof(also), ", Cm %s\n", key);
	return strstr(page, as) || strstr(page, also);
}

static void every_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < CK_N; i++)
		if (!documented(policy_class_keys[i].name))
			fail_msg("a class's %s", policy_class_keys[i].name);
	for (size_t i = 0; i < LK_N; i++)
		if (!documented(policy_link_keys[i].name))
			fail_msg("a link's %s", policy_link_keys[i].name);
	assert_true(documented("links") && documented("inside"));
}

static void every_word(void **state)
{
	const char *const *const lists[] = {policy_scheduler_names, policy_queue_names,
					    policy_isolation_names, policy_linklayer_names,
					    policy_direction_names, policy_backend_names,
					    policy_around_names};
	char quoted[64];

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t j = 0; lists[i][j]; j++) {
			snprintf(quoted, sizeof(quoted), "Ql %s", lists[i][j]);
			if (!strstr(page, quoted))
				fail_msg("%s", lists[i][j]);
		}
}

static void complaint(void *arg, enum policy_severity sev, const char *file,
		      struct policy_mark at, const char *text)
{
	(void)arg;
	(void)sev;
	fail_msg("%s:%d:%d: %s", file, at.line, at.col, text);
}

static void examples(void **state)
{
	static const char open[] = ".Bd -literal -offset indent\n";
	unsigned n = 0;

	(void)state;
	for (const char *s = page; (s = strstr(s, open)); n++) {
		struct policy_report r = {.fn = complaint};
		const char *end;
		struct policy *p;

		s += strlen(open);
		end = strstr(s, ".Ed\n");
		assert_non_null(end);
		p = policy_read_mem(s, (size_t)(end - s), "example", &r);
		assert_non_null(p);
		policy_free(p);
	}
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),
		cmocka_unit_test(every_word),
		cmocka_unit_test(examples),
	};
	const char *base = getenv("WEIR_TESTS");
	char path[4096];
	size_t size = 0;
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/../man/weir-policy.5", base ? base : "tests");
	f = fopen(path, "r");
	if (!f || getdelim(&page, &size, '\0', f) < 0) {
		fprintf(stderr, "%s cannot be read\n", path);
		return 1;
	}
	fclose(f);
	rc = cmocka_run_group_tests_name("policy_man", tests, NULL, NULL);
	free(page);
	return rc;
}
