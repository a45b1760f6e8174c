/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/ask_value.h"

#include "qos/policy.h"

const struct ask_loss ask_losses[ASK_LOSSES] = {
	{"vanished", "vanished",
	 "vanished while held (a firewall was reloaded, or the interface went down)"},
	{"missed", "missed", "lost by the kernel before they came here"},
	{"kernel_queue_dropped", "queue full", "dropped by the kernel: its queue was full"},
	{"kernel_socket_dropped", "read too late",
	 "dropped by the kernel: weir did not read fast enough"},
	{"verdict_errors", "verdicts refused", "verdicts refused by the kernel"},
	{"broken_messages", "broken messages",
	 "messages of the kernel that could not be understood"},
};

uint64_t ask_number(const json_t *j, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(j, key));

	return n > 0 ? (uint64_t)n : 0;
}

bool ask_true(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

const char *ask_printable(const char *text)
{
	static char ring[4][512];
	static unsigned at;
	char *to = ring[at++ % 4];

	policy_printable(to, sizeof(ring[0]), text);
	return to;
}

const char *ask_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? ask_printable(s) : "?";
}
