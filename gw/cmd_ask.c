/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/cmd_ask.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "gw/control.h"
#include "gw/snapshot_json.h"
#include "gw/top_text.h"
#include "qos/policy.h"

int ask_options(const struct cmd *c, int argc, char **argv, bool json, struct ask *a)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	int k;

	*a = (struct ask){.socket = CONTROL_PATH};
	while ((k = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (k) {
		case 's':
			a->socket = optarg;
			break;
		case 'j':
			if (!json)
				return cmd_usage(c, "there is no --json here");
			a->json = true;
			break;
		case 'h':
			return cmd_help(c);
		default:
			return cmd_usage(c, NULL);
		}
	}
	if (optind < argc)
		return cmd_usage(c, "%s: too many arguments", argv[optind]);
	return -1;
}

json_t *ask_standing(struct standing *s, const char *what)
{
	struct gateway_snapshot *is = standing_snapshot(s);
	json_t *j;

	if (!is)
		return NULL;
	j = strcmp(what, "status") != 0 ? snapshot_stats(is, false) : snapshot_status(is);
	gateway_snapshot_free(is);
	json_object_set_new(j, "ok", json_true());
	return j;
}

/* NULL: nothing stands here. */
static json_t *answer_of_none(const char *what)
{
	char err[512];
	struct standing *s = standing_open(err, sizeof(err));
	json_t *j = s ? ask_standing(s, what) : NULL;

	if (!s && *err)
		cmd_fail("%s", err);
	standing_close(s);
	return j;
}

json_t *ask_gateway(const struct ask *a, const char *what)
{
	char err[512];
	json_t *j = control_ask(a->socket, what, ASK_TIMEOUT_MS, err, sizeof(err));

	if (!j && control_absent(a->socket))
		j = answer_of_none(what);
	if (!j)
		cmd_fail("%s", err);
	return j;
}

bool ask_is_standing(const json_t *answer)
{
	const char *by = json_string_value(json_object_get(answer, "by"));

	return by && !strcmp(by, "weir tc apply");
}

void ask_print_applied(const json_t *link)
{
	char t[REPORT_TEXT];

	if (json_is_string(json_object_get(link, "policy")))
		printf("  applied    %s ago from %s\n",
		       top_duration(ask_number(link, "applied_ns_ago"), t),
		       ask_text(link, "policy"));
}

void ask_print_backend(const json_t *link)
{
	const char *backend = json_string_value(json_object_get(link, "backend"));

	if (!backend || !strcmp(backend, policy_backend_name(POLICY_BACKEND_QUEUE)))
		return;
	printf(", backend %s", ask_printable(backend));
	if (json_is_string(json_object_get(link, "device")))
		printf(" on %s", ask_text(link, "device"));
}
