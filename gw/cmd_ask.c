/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/cmd_ask.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "gw/control.h"
#include "qos/policy.h"

int ask_options(const struct cmd *c, int argc, char **argv, bool json, bool link, struct ask *a)
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
	if (link && optind < argc)
		a->link = argv[optind++];
	if (optind < argc)
		return cmd_usage(c, "%s: too many arguments", argv[optind]);
	return -1;
}

json_t *ask_gateway(const struct ask *a, const char *what)
{
	char err[512];
	json_t *j = control_ask(a->socket, what, ASK_TIMEOUT_MS, err, sizeof(err));

	if (!j)
		cmd_fail("%s", err);
	return j;
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
