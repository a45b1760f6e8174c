/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir status`: is all well, and if not, what is it? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/ask_finding.h"
#include "gw/cmd_ask.h"
#include "gw/json.h"
#include "gw/report.h"

/* Counts beside the losses that are no news while they are 0. */
static const struct {
	const char *key, *text;
} oddities[] = {
	{"changes_refused", "changes of the queue that the kernel would not make"},
	{"twice", "came a second time and were passed on"},
	{"undissected", "passed on: no IP header that could be believed"},
};

static void print_count(const json_t *h, const char *key, const char *text)
{
	if (ask_number(h, key))
		printf("  %9" PRIu64 "  %s\n", ask_number(h, key), text);
}

static void print_health(const json_t *h, const json_t *shed)
{
	const json_t *late = json_object_get(h, "wakeup_late_ns");
	char t[REPORT_TEXT], u[REPORT_TEXT], v[REPORT_TEXT];

	printf("  held       %" PRIu64 " packets, %s; at most %" PRIu64 " so far\n",
	       ask_number(h, "held_packets"), report_size(ask_number(h, "held_bytes"), t),
	       ask_number(h, "held_packets_max"));
	printf("  unread     %" PRIu64 " packets; at most %" PRIu64 ", and for %s\n",
	       ask_number(h, "unread_packets"), ask_number(h, "unread_packets_max"),
	       report_time(ask_number(h, "unread_wait_max_ns"), t));
	if (ask_number(h, "stalls"))
		printf("  STALLS     %" PRIu64 ": the thread stood still for up to %s\n",
		       ask_number(h, "stalls"), report_time(ask_number(h, "stall_max_ns"), t));
	if (ask_number(shed, "of_hosts_packets") || ask_number(shed, "of_all_packets"))
		printf("  shed       %" PRIu64 " packets of hosts that flooded, %" PRIu64
		       " of a crowd, before they were read\n",
		       ask_number(shed, "of_hosts_packets"),
		       ask_number(shed, "of_all_packets"));
	printf("  wake-ups   %" PRIu64 ", late by %s (half), %s (99 of 100), %s (most)\n",
	       ask_number(late, "count"), report_time(ask_number(late, "p50"), t),
	       report_time(ask_number(late, "p99"), u),
	       report_time(ask_number(late, "max"), v));
	printf("  processor  %s%s\n", report_time(ask_number(h, "cpu_ns"), t),
	       ask_true(h, "realtime")
		       ? ""
		       : ", without real-time priority (not permitted): busy programs can "
			 "hold the line up");
	for (size_t i = 0; i < ASK_LOSSES; i++)
		print_count(h, ask_losses[i].key, ask_losses[i].text);
	for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++)
		print_count(h, oddities[i].key, oddities[i].text);
}

static void print_queue(const json_t *l, const json_t *health)
{
	print_health(health, json_object_get(l, "shed"));
	printf("  kernel     queue %" PRIu64 " and, read first, %" PRIu64 " (%" PRIu64
	       " rules%s); at most %" PRIu64 " packets held%s; large segments %s\n",
	       ask_number(l, "queue_number"), ask_number(l, "first_queue_number"),
	       ask_number(l, "first_queue_rules"),
	       ask_number(l, "first_queue_untold")
		       ? "; it cannot tell all packets of the classes that are promised "
			 "something"
		       : "",
	       ask_number(l, "held_max"),
	       ask_true(l, "linear_search") ? " (this kernel searches a list for each verdict)"
					    : "",
	       ask_true(l, "whole_segments") ? "taken whole" : "cut before the queue");
}

static void print_texts(const char *what, const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text)
	{
		const char *s = json_string_value(text);

		printf("  %s   %s\n", what, s ? ask_printable(s) : "?");
	}
}

static void print_link(const json_t *l)
{
	const json_t *in = json_object_get(l, "in"), *sent = json_object_get(l, "sent"),
		     *dropped = json_object_get(l, "dropped"),
		     *waiting = json_object_get(l, "waiting");
	const json_t *health = json_object_get(l, "health");
	char t[REPORT_TEXT];
	bool up = ask_true(l, "up");

	printf("\nlink %s: %s, %s", ask_text(l, "name"), ask_text(l, "interface"),
	       report_rate(ask_number(l, "rate_bps"), t));
	ask_print_backend(l);
	printf(", %s\n",
	       up ? "up" : "DOWN (there is no such interface, or it is down: the link waits)");
	ask_print_applied(l);
	printf("  packets    %" PRIu64 " in, %" PRIu64 " sent, %" PRIu64 " dropped, %" PRIu64
	       " waiting\n",
	       ask_number(in, "packets"), ask_number(sent, "packets"),
	       ask_number(dropped, "packets"), ask_number(waiting, "packets"));
	if (json_is_object(health))
		print_queue(l, health);
	print_texts("accepted", json_object_get(l, "accepted_warnings"));
	if (ask_number(health, "error"))
		printf("  FAILED     its queue: %s\n",
		       strerror((int)ask_number(health, "error")));
}

static void print_sets(const json_t *list)
{
	const json_t *s;
	char t[REPORT_TEXT];
	size_t i;

	json_array_foreach(list, i, s)
	{
		printf("set %s: %" PRIu64 " ranges of addresses", ask_text(s, "set"),
		       ask_number(s, "ranges"));
		if (json_is_integer(json_object_get(s, "changed_ns_ago")))
			printf(", changed %s ago",
			       report_time(ask_number(s, "changed_ns_ago"), t));
		putchar('\n');
	}
}

static void print_run(const json_t *j)
{
	char t[REPORT_TEXT];

	printf("weir %s, policy %s, running for %s\n", ask_text(j, "weir"),
	       ask_text(j, "policy"), report_time(ask_number(j, "uptime_ns"), t));
	printf("reloads: %" PRIu64 " taken over, %" PRIu64 " refused\n",
	       ask_number(j, "generation") ? ask_number(j, "generation") - 1 : 0,
	       ask_number(j, "reloads_failed"));
	printf("queueing: %s\n", ask_true(j, "native_queue")
					 ? "nftables"
					 : "nftables with xtables' NFQUEUE (the kernel has no "
					   "queue expression)");
	print_sets(json_object_get(j, "sets"));
	if (!ask_true(j, "intact"))
		printf("THE RULES ARE NOT AS THEY WERE MADE: somebody changed the table "
		       "\"weir\"\n");
}

static void print_status(const json_t *j)
{
	const json_t *l;
	size_t i;

	if (ask_is_standing(j))
		printf("weir %s: no gateway runs here; the kernel schedules by itself what "
		       "\"weir tc apply\" made\n",
		       ask_text(j, "weir"));
	else
		print_run(j);
	if (!ask_print_findings(j, NULL, stdout))
		puts("all is well");
	json_array_foreach(json_object_get(j, "links"), i, l)
	{
		print_link(l);
	}
}

static int run(int argc, char **argv)
{
	struct ask a;
	int status = ask_options(&cmd_status, argc, argv, true, &a);
	json_t *j;
	bool well;

	if (status >= 0)
		return status;
	j = ask_gateway(&a, "status");
	if (!j)
		return CMD_FAIL;
	if (!ask_true(j, "ok")) {
		status = cmd_fail("the gateway says: %s", ask_text(j, "error"));
		json_decref(j);
		return status;
	}
	well = ask_well(j);
	if (a.json) {
		json_print(j, stdout);
	} else {
		print_status(j);
		json_decref(j);
	}
	return cmd_flush(well ? CMD_OK : CMD_NO);
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "[--json] [--socket PATH]",
	.line = "Asks the running gateway whether all is well: service, losses, links, what "
		"goes "
		"round it",
	.help = "  --json         for programs\n"
		"  --socket PATH  of the gateway (/run/weir/weir.sock)\n\n"
		"Each WARNING is something to act on, with why and what helps; a notice is "
		"not.\n"
		"Where no gateway runs: what \"weir tc apply\" made, and whether it still "
		"stands.\n"
		"Exit: 0 no warning; 1 there is one; 2 no gateway answers, and nothing was "
		"applied.\n",
	.run = run,
};
