/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir tc diff: what the kernel has against what the policy wants, object by object. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gw/cmd_tc.h"
#include "gw/cmd_tc_links.h"
#include "gw/json.h"

struct out {
	json_t *objects; /* NULL: text */
};

static void tell(void *arg, const char *device, char what, const char *is, const char *want)
{
	const struct out *o = arg;
	json_t *j;

	if (!o->objects) {
		printf("%c %s: %s", what, device, is ? is : want);
		if (is && want)
			printf("; wanted: %s", want);
		putchar('\n');
		return;
	}
	j = json_object();
	json_object_set_new(j, "device", json_text(device));
	json_object_set_new(j, "is", is ? json_text(is) : json_null());
	json_object_set_new(j, "wanted", want ? json_text(want) : json_null());
	json_array_append_new(o->objects, j);
}

/* How many, or -1 with err. */
static int diff_nat(const struct tc_nat_job *job, struct out *o, char *err, size_t errsize)
{
	int what = tc_nat_differs(job);
	char is[96], want[192];

	if (what < 0) {
		snprintf(err, errsize, "nftables: %s", strerror(errno));
		return -1;
	}
	if (what == '=')
		return 0;
	snprintf(is, sizeof(is), "table inet " TC_NAT_TABLE "%s", job->interface);
	snprintf(want, sizeof(want), "%s, which classifies before address translation", is);
	tell(o, job->interface, (char)what, what == '+' ? NULL : is, what == '-' ? NULL : want);
	return 1;
}

static int diff(const struct tc_links *l, const struct tc_args *a)
{
	json_t *links, *doc = a->json ? tc_links_document(l, &links) : NULL;
	int status = CMD_OK;
	char err[1024];

	for (size_t i = 0; i < l->n && status != CMD_FAIL; i++) {
		struct out o = {0};
		json_t *j = NULL;
		int n;

		if (doc) {
			j = tc_links_entry(l->link[i], tc_target_device(l->target[i]));
			o.objects = json_array();
			json_object_set_new(j, "differ", o.objects);
			json_array_append_new(links, j);
		}
		n = tc_target_diff(l->target[i], tell, &o, err, sizeof(err));
		if (n >= 0) {
			int m = diff_nat(&l->nat[i], &o, err, sizeof(err));

			n = m < 0 ? m : n + m;
		}
		if (n < 0)
			status = cmd_fail("link \"%s\": %s", l->link[i]->name, err);
		else if (n)
			status = CMD_NO;
	}
	if (doc && status != CMD_FAIL)
		json_print(doc, stdout);
	else
		json_decref(doc);
	return cmd_flush(status);
}

int cmd_tc_diff(int argc, char **argv)
{
	struct tc_args a;
	struct tc_links l;
	int status;

	if (!tc_args_get(&a, argc, argv, &status))
		return status;
	status = tc_links_read(&l, &a, true);
	if (!status)
		status = tc_links_open(&l, &a, a.strict);
	if (!status)
		status = diff(&l, &a);
	tc_links_close(&l);
	return status;
}
