/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gateway says of a valid policy that it cannot serve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gw/gateway.h"

#include <stdio.h>
#include <string.h>

static char said[4096];

static void hear(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	(void)file;
	assert_int_equal(sev, POLICY_ERROR);
	snprintf(said + n, sizeof(said) - n, "%d: %s\n", at.line, text);
}

static void ignore(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	(void)arg;
	(void)file;
	(void)at;
	if (sev == POLICY_ERROR)
		fail_msg("%s", text);
}

/* A link a line, each with these keys. */
static void check(const char *const *keys, const char *complaints)
{
	struct policy_report r = {.fn = hear}, reading = {.fn = ignore};
	char text[2048];
	size_t n = 0;
	struct policy *p;

	n = (size_t)snprintf(text, sizeof(text), "links:\n");
	for (unsigned i = 0; keys[i]; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n,
			"- {name: l%u, rate: 1mbit, classes: [{name: a, default: true}], %s}\n",
			i, keys[i]);
	p = policy_read_mem(text, n, "p.yaml", &reading);
	assert_non_null(p);
	said[0] = '\0';
	assert_int_equal(gateway_check(p, &r), *complaints ? -1 : 0);
	assert_string_equal(said, complaints);
	policy_free(p);
}

#define CHECK(complaints, ...) check((const char *const[]){__VA_ARGS__, NULL}, complaints)

static void interfaces(void **state)
{
	(void)state;
	CHECK("", "interface: eth0", "interface: eth1");
	CHECK("2: link \"l0\" has no \"interface\": the gateway must know by which one its "
	      "packets leave\n",
	      "mpu: 64");
}

static void both_ways(void **state)
{
	(void)state;
	CHECK("", "interface: eth0", "interface: eth0, direction: ingress, backend: kernel");
	CHECK("", "interface: eth0, backend: mark",
	      "interface: eth0, direction: ingress, backend: kernel");
}

static void ingress_cannot_be_marked(void **state)
{
	(void)state;
	CHECK("", "interface: eth0, direction: ingress");
	CHECK("2: link \"l0\" has \"direction: ingress\" and \"backend: mark\": where weir "
	      "classifies what comes in by eth0, it is past the kernel's classes for it; take "
	      "\"backend: queue\" or \"backend: kernel\", or a link on the interface by which "
	      "it "
	      "goes on\n",
	      "interface: eth0, direction: ingress, backend: mark");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces),
		cmocka_unit_test(both_ways),
		cmocka_unit_test(ingress_cannot_be_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
