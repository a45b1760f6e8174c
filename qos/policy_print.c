/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy in its canonical form: every default filled in, and itself a policy that
 * means the same and prints the same. What no key can say (two bursts that differ, a
 * share in bits per second) stands in comments.
 */
#include "qos/link_control.h"
#include "qos/policy_impl.h"

#include <arpa/inet.h>
#include <string.h>

static void indent(FILE *out, int depth)
{
	for (int i = 0; i < depth; i++)
		fputs("  ", out);
}

/* Text that YAML reads back as it is without quotes, wherever it stands. */
static bool is_plain(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/';

		/* a dash may begin a list or end a document */
		if (!word && (i == 0 || i == n - 1 || (c != ' ' && c != '-')))
			return false;
	}
	return n > 0;
}

/* The code point at s, which is valid UTF-8, and its length. */
static uint32_t code_point(const unsigned char *s, size_t *len)
{
	uint32_t c;

	*len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	c = *len == 1 ? s[0] : s[0] & (0xffu >> (*len + 1));
	for (size_t i = 1; i < *len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

void policy_put_text(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *s; s += len) {
		uint32_t c = code_point(s, &len);

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c >= 0x20 && c < 0x7f)
			putc((int)c, out);
		else if (c < 0x10000)
			fprintf(out, "\\u%04X", (unsigned)c);
		else
			fprintf(out, "\\U%08X", (unsigned)c);
	}
	putc('"', out);
}

static void put_key(FILE *out, int depth, const char *key, const char *text)
{
	indent(out, depth);
	fprintf(out, "%s: ", key);
	policy_put_text(out, text);
	putc('\n', out);
}

/* Values of ours, which need no quotes. */
static void put_word(FILE *out, int depth, const char *key, const char *word)
{
	indent(out, depth);
	fprintf(out, "%s: %s\n", key, word);
}

static void put_size(FILE *out, int depth, const char *key, uint64_t bytes)
{
	char buf[POLICY_UNIT_TEXT];

	put_word(out, depth, key, policy_size_text(bytes, buf));
}

static void put_time(FILE *out, int depth, const char *key, uint64_t ns)
{
	char buf[POLICY_UNIT_TEXT];

	if (ns)
		put_word(out, depth, key, policy_time_text(ns, buf));
}

static void put_number(FILE *out, int depth, const char *key, long long n)
{
	indent(out, depth);
	fprintf(out, "%s: %lld\n", key, n);
}

static void put_filters(FILE *out, int depth, const char *key, const struct policy_filters *f)
{
	if (f->n == 1)
		put_key(out, depth, key, f->v[0].text);
	if (f->n < 2)
		return;
	indent(out, depth);
	fprintf(out, "%s:\n", key);
	for (size_t i = 0; i < f->n; i++) {
		indent(out, depth + 1);
		fputs("- ", out);
		policy_put_text(out, f->v[i].text);
		putc('\n', out);
	}
}

/* burst 0: the rate has none of its own to tell of. */
static void put_rate(FILE *out, int depth, const char *key, const struct policy_rate *rate,
		     uint64_t burst)
{
	char bps[POLICY_UNIT_TEXT], size[POLICY_UNIT_TEXT];

	if (!rate->bps)
		return;
	policy_rate_text(rate->bps, bps);
	indent(out, depth);
	if (!rate->percent)
		fprintf(out, "%s: %s", key, bps);
	else if (rate->percent % 100 == 0)
		fprintf(out, "%s: %u%%  # %s", key, rate->percent / 100, bps);
	else if (rate->percent % 10 == 0)
		fprintf(out, "%s: %u.%u%%  # %s", key, rate->percent / 100,
			rate->percent / 10 % 10, bps);
	else
		fprintf(out, "%s: %u.%02u%%  # %s", key, rate->percent / 100,
			rate->percent % 100, bps);
	if (burst)
		fprintf(out, "%s burst %s", rate->percent ? "," : "  #",
			policy_size_text(burst, size));
	putc('\n', out);
}

static void put_dscp(FILE *out, int depth, uint64_t set)
{
	const char *comma = "";
	char buf[8];

	if (!set)
		return;
	indent(out, depth);
	fputs("dscp: [", out);
	for (unsigned d = 0; d < 64; d++) {
		if (!(set >> d & 1))
			continue;
		fprintf(out, "%s%s", comma, policy_dscp_name(d, buf));
		comma = ", ";
	}
	fputs("]\n", out);
}

static void put_accepted(FILE *out, int depth, uint32_t set)
{
	const char *comma = "";

	if (!set)
		return;
	indent(out, depth);
	fputs("accepted-warnings: [", out);
	for (unsigned i = 0; i < POLICY_AROUND_N; i++) {
		if (!(set >> i & 1))
			continue;
		fprintf(out, "%s%s", comma, policy_around_name((enum policy_around)i));
		comma = ", ";
	}
	fputs("]\n", out);
}

static void put_limit(FILE *out, int depth, const struct policy_class *c)
{
	char buf[POLICY_UNIT_TEXT], bytes[POLICY_UNIT_TEXT];

	indent(out, depth);
	if (c->limit.packets)
		fprintf(out, "limit: %up\n", c->limit.packets);
	else if (c->limit.bytes)
		fprintf(out, "limit: %s  # and %up\n", policy_size_text(c->limit.bytes, buf),
			c->limit_packets);
	else
		fprintf(out, "limit: %s  # %s and %up\n", policy_time_text(c->limit.ns, buf),
			policy_size_text(c->limit_bytes, bytes), c->limit_packets);
}

static void put_queue(FILE *out, int depth, const struct policy_class *c)
{
	put_word(out, depth, "queue", policy_queue_name(c->queue));
	put_limit(out, depth, c);
	if (c->queue != POLICY_QUEUE_FIFO) {
		put_time(out, depth, "target", c->target);
		put_time(out, depth, "interval", c->interval);
		put_word(out, depth, "ecn", c->ecn ? "true" : "false");
	}
	if (c->queue == POLICY_QUEUE_FQ_CODEL) {
		put_number(out, depth, "flows", c->flows);
		put_size(out, depth, "quantum", c->quantum);
		put_word(out, depth, "isolation", policy_isolation_name(c->isolation));
	}
	put_rate(out, depth, "flow-max", &c->flow_max, c->flow_burst);
	put_rate(out, depth, "host-max", &c->host_max, c->host_burst);
	if (c->host_prefix[0] != 32 || c->host_prefix[1] != 128) {
		indent(out, depth);
		fprintf(out, "host-prefix: [%u, %u]\n", c->host_prefix[0], c->host_prefix[1]);
	}
	put_time(out, depth, "deadline", c->deadline);
	if (c->set_dscp >= 0) {
		char buf[8];

		put_word(out, depth, "set-dscp", policy_dscp_name((unsigned)c->set_dscp, buf));
	}
}

static void put_share(FILE *out, int depth, const struct policy_class *c)
{
	enum policy_scheduler s = c->parent->scheduler;
	struct policy_rate min = c->min;
	char a[POLICY_UNIT_TEXT], b[POLICY_UNIT_TEXT];

	if (c->min_bps > min.bps) /* its children's sum */
		min = (struct policy_rate){.bps = c->min_bps};
	put_rate(out, depth, "min", &min, 0);
	put_rate(out, depth, "max", &c->max, 0);
	if (c->min_burst && c->max_burst && c->min_burst != c->max_burst) {
		indent(out, depth);
		fprintf(out, "# burst: %s for min, %s for max\n",
			policy_size_text(c->min_burst, a), policy_size_text(c->max_burst, b));
	} else if (c->min_burst || c->max_burst) {
		put_size(out, depth, "burst", c->min_burst ? c->min_burst : c->max_burst);
	}
	if (c->weighs)
		put_number(out, depth, "weight", c->weight);
	if (s == POLICY_SCHED_PRIORITY)
		put_number(out, depth, "priority", c->priority);
}

static void put_classes(FILE *out, int depth, const struct policy_class *parent);

static void put_class(FILE *out, int depth, const struct policy_class *c)
{
	indent(out, depth - 1);
	fputs("- name: ", out);
	policy_put_text(out, c->name);
	putc('\n', out);
	put_filters(out, depth, "match", &c->match);
	put_dscp(out, depth, c->dscp);
	if (c->beside)
		policy_beside_print(out, depth, c->beside);
	if (c->is_default)
		put_word(out, depth, "default", "true");
	put_share(out, depth, c);
	if (!c->n_child)
		put_queue(out, depth, c);
	put_time(out, depth, "max-latency", c->max_latency);
	put_time(out, depth, "max-jitter", c->max_jitter);
	if (c->n_child)
		put_classes(out, depth, c);
}

/* At most POLICY_DEPTH_MAX deep. */
static void put_classes(FILE *out, int depth, const struct policy_class *parent)
{
	put_word(out, depth, "scheduler", policy_scheduler_name(parent->scheduler));
	indent(out, depth);
	fputs("classes:\n", out);
	for (size_t i = 0; i < parent->n_child; i++)
		put_class(out, depth + 2, parent->child[i]);
}

/* Kinds by their names, with the filters that they are. */
static void put_control(FILE *out, int depth, const struct policy_control *c)
{
	if (!c->class) {
		put_word(out, depth, "control", "none");
		return;
	}
	indent(out, depth);
	fputs("control:\n", out);
	for (size_t i = 0; i < c->class->match.n; i++) {
		const char *text = c->class->match.v[i].text;

		indent(out, depth + 1);
		fputs("- ", out);
		if (c->kind[i])
			fprintf(out, "%s  # %s", c->kind[i]->name, text);
		else
			policy_put_text(out, text);
		putc('\n', out);
	}
	put_rate(out, depth, "control-rate", &c->rate, c->class->max_burst);
}

static void put_interfaces(FILE *out, int depth, const struct policy_link *l)
{
	if (l->interface && !l->n_also)
		put_key(out, depth, "interface", l->interface);
	if (!l->n_also)
		return;
	indent(out, depth);
	fputs("interface: [", out);
	for (size_t i = 0; i < policy_interfaces(l); i++) {
		fputs(i ? ", " : "", out);
		policy_put_text(out, policy_interface(l, i));
	}
	fputs("]\n", out);
}

static void put_link(FILE *out, const struct policy_link *l)
{
	const char *list = strchr(l->overhead_text, ',');

	fputs("  - name: ", out);
	policy_put_text(out, l->name);
	putc('\n', out);
	put_interfaces(out, 2, l);
	put_word(out, 2, "direction", policy_direction_name(l->direction));
	put_word(out, 2, "backend", policy_backend_name(l->backend));
	put_accepted(out, 2, l->accepted);
	put_filters(out, 2, "capture", &l->capture);
	put_rate(out, 2, "rate", &l->rate, 0);
	indent(out, 2);
	fprintf(out, list ? "overhead: [%s]\n" : "overhead: %s\n", l->overhead_text);
	put_size(out, 2, "mpu", l->mpu);
	put_word(out, 2, "linklayer", policy_linklayer_name(l->linklayer));
	put_size(out, 2, "burst", l->burst);
	put_control(out, 2, &l->control);
	put_classes(out, 2, l->root);
}

int policy_print(const struct policy *p, FILE *out)
{
	char addr[INET6_ADDRSTRLEN];

	fputs("inside:\n", out);
	for (size_t i = 0; i < p->n_inside; i++) {
		const struct policy_net *n = &p->inside[i];

		inet_ntop(n->family == 4 ? AF_INET : AF_INET6, n->addr, addr, sizeof(addr));
		fprintf(out, "  - \"%s/%u\"\n", addr, n->plen);
	}
	fputs("links:\n", out);
	for (size_t i = 0; i < p->n_link; i++)
		put_link(out, p->link[i]);
	return fflush(out) || ferror(out) ? -1 : 0;
}
