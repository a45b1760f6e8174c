/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Criteria of a class that its packets' bytes do not tell: firewall mark, sender's MAC address,
 * the interface by which a packet came; and sets (policy_set.c).
 */
#include "qos/policy_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more at *v, which has n; NULL: no memory. Grows at powers of two. */
static void *grow(struct reader *rd, void *v, size_t n, size_t size)
{
	void *more = v;

	if (!(n & (n - 1)))
		more = realloc(v, (n ? n * 2 : 1) * size);
	if (!more)
		rd->no_memory = true;
	return more;
}

struct policy_beside *policy_beside_of(struct reader *rd, const struct ynode *v, void *obj)
{
	struct policy_class *c = obj;

	if (c->beside)
		return c->beside;
	c->beside = calloc(1, sizeof(*c->beside));
	if (c->beside)
		c->beside->at = v->at;
	else
		rd->no_memory = true;
	return c->beside;
}

/* A number of 32 bits, decimal or with "0x", up to `end`. */
static bool number32(const char *s, char end, uint32_t *n, const char **rest)
{
	unsigned long long v;
	char *stop;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtoull(s, &stop, strncmp(s, "0x", 2) && strncmp(s, "0X", 2) ? 10 : 16);
	if (errno || v > UINT32_MAX || (*stop && *stop != end))
		return false;
	*n = (uint32_t)v;
	*rest = *stop ? stop + 1 : NULL;
	return true;
}

/* "0x10" is all bits of the mark but weir's own; "0x10/0xff" those of the mask. */
static bool parse_mark(const char *s, struct policy_fwmark *m)
{
	const char *rest, *none;

	*m = (struct policy_fwmark){.mask = ~POLICY_MARK_OWN};
	if (!number32(s, '/', &m->value, &rest))
		return false;
	return !rest || (number32(rest, '\0', &m->mask, &none) && !none);
}

static bool one_mark(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		     void *obj)
{
	const char *s = value_scalar(rd, k, v);
	struct policy_beside *b = s ? policy_beside_of(rd, v, obj) : NULL;
	struct policy_fwmark m, *more;

	if (!b)
		return false;
	if (!parse_mark(s, &m)) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is no mark, written like \"0x10\" or \"0x10/0xff\"",
			 k->name, policy_shown(s).s);
		return false;
	}
	if (m.value & POLICY_MARK_OWN) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" asks for bits that are weir's own, 0x%x: mark with others",
			 k->name, policy_shown(s).s, POLICY_MARK_OWN);
		return false;
	}
	if (m.mask & POLICY_MARK_OWN) {
		complain(rd, POLICY_ERROR, v->at,
			 "the mask of %s \"%s\" has bits that are weir's own, 0x%x: did you "
			 "mean "
			 "\"0x%x/0x%x\"?",
			 k->name, policy_shown(s).s, POLICY_MARK_OWN, m.value,
			 m.mask & ~POLICY_MARK_OWN);
		return false;
	}
	if (!m.mask || (m.value & ~m.mask)) {
		complain(rd, POLICY_ERROR, v->at,
			 m.mask ? "%s \"%s\" can never match: the value has bits that the mask "
				  "does not have"
				: "%s \"%s\" matches every packet: the mask has no bits",
			 k->name, policy_shown(s).s);
		return false;
	}
	more = grow(rd, b->mark, b->n_mark, sizeof(*more));
	if (!more)
		return false;
	b->mark = more;
	b->mark[b->n_mark++] = m;
	return true;
}

bool value_marks(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 void *obj)
{
	return value_each(rd, k, v, obj, one_mark);
}

bool policy_parse_mac(const char *s, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++, s += 3) {
		char digits[3] = {s[0], s[0] ? s[1] : '\0', '\0'};

		if (!isxdigit((unsigned char)digits[0]) ||
		    !isxdigit((unsigned char)digits[1]) ||
		    (i < 5 ? s[2] != ':' && s[2] != '-' : s[2] != '\0'))
			return false;
		mac[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static bool one_mac(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	const char *s = value_scalar(rd, k, v);
	struct policy_beside *b = s ? policy_beside_of(rd, v, obj) : NULL;
	uint8_t mac[6];
	void *more;

	if (!b)
		return false;
	if (!policy_parse_mac(s, mac)) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is no MAC address, written like \"02:00:5e:10:00:01\"",
			 k->name, policy_shown(s).s);
		return false;
	}
	if (mac[0] & 1) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" can never match: it is the address of a group, and none "
			 "sends "
			 "from it",
			 k->name, policy_shown(s).s);
		return false;
	}
	more = grow(rd, b->mac, b->n_mac, sizeof(*b->mac));
	if (!more)
		return false;
	b->mac = more;
	memcpy(b->mac[b->n_mac++], mac, 6);
	return true;
}

bool value_macs(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	return value_each(rd, k, v, obj, one_mac);
}

/* The name of an interface; with "*" at its end, all whose names begin so. */
static bool one_in(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		   void *obj)
{
	const struct policy_key name = {.name = k->name};
	const char *s = value_scalar(rd, k, v);
	struct policy_beside *b = s ? policy_beside_of(rd, v, obj) : NULL;
	struct policy_ifname *to;
	char *checked = NULL;
	size_t n;
	void *more;

	if (!b || !value_interface(rd, &name, v, &checked))
		return false;
	free(checked);
	more = grow(rd, b->in, b->n_in, sizeof(*b->in));
	if (!more)
		return false;
	b->in = more;
	to = &b->in[b->n_in++];
	*to = (struct policy_ifname){0};
	n = strlen(s);
	to->prefix = n && s[n - 1] == '*';
	to->n = (uint8_t)(n - to->prefix);
	memcpy(to->name, s, to->n);
	return true;
}

bool value_in_interfaces(struct reader *rd, const struct policy_key *k, const struct ynode *v,
			 void *obj)
{
	return value_each(rd, k, v, obj, one_in);
}

void policy_beside_free(struct policy_beside *b)
{
	if (!b)
		return;
	free(b->mark);
	free(b->mac);
	free(b->in);
	free(b->set);
	free(b);
}

/* Whether one of each of the entries of b is one of a's. */
static bool marks_cover(const struct policy_beside *a, const struct policy_beside *b)
{
	for (size_t i = 0; i < b->n_mark; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n_mark && !found; k++)
			found = !(a->mark[k].mask & ~b->mark[i].mask) &&
				a->mark[k].value == (b->mark[i].value & a->mark[k].mask);
		if (!found)
			return false;
	}
	return b->n_mark != 0;
}

static bool macs_cover(const struct policy_beside *a, const struct policy_beside *b)
{
	for (size_t i = 0; i < b->n_mac; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n_mac && !found; k++)
			found = !memcmp(a->mac[k], b->mac[i], 6);
		if (!found)
			return false;
	}
	return b->n_mac != 0;
}

static bool ins_cover(const struct policy_beside *a, const struct policy_beside *b)
{
	for (size_t i = 0; i < b->n_in; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n_in && !found; k++)
			found = (a->in[k].prefix
					 ? b->in[i].n >= a->in[k].n
					 : b->in[i].n == a->in[k].n && !b->in[i].prefix) &&
				!memcmp(a->in[k].name, b->in[i].name, a->in[k].n);
		if (!found)
			return false;
	}
	return b->n_in != 0;
}

bool policy_beside_covers(const struct policy_beside *a, const struct policy_beside *const *all,
			  size_t n)
{
	bool mark = !a->n_mark, mac = !a->n_mac, in = !a->n_in, set = !a->n_set;

	for (size_t i = 0; i < n; i++) {
		mark |= marks_cover(a, all[i]);
		mac |= macs_cover(a, all[i]);
		in |= ins_cover(a, all[i]);
		set |= policy_sets_cover(a, all[i]);
	}
	return mark && mac && in && set;
}

static void begin(FILE *out, int depth, const char *key)
{
	for (int i = 0; i < depth; i++)
		fputs("  ", out);
	fprintf(out, "%s: [", key);
}

void policy_beside_print(FILE *out, int depth, const struct policy_beside *b)
{
	if (b->n_mark)
		begin(out, depth, "mark");
	for (size_t i = 0; i < b->n_mark; i++) {
		const struct policy_fwmark *m = &b->mark[i];

		fprintf(out, "%s0x%x", i ? ", " : "", m->value);
		if (m->mask != ~POLICY_MARK_OWN)
			fprintf(out, "/0x%x", m->mask);
	}
	if (b->n_mark)
		fputs("]\n", out);
	if (b->n_mac)
		begin(out, depth, "mac");
	for (size_t i = 0; i < b->n_mac; i++) {
		const uint8_t *m = b->mac[i];

		fprintf(out, "%s\"%02x:%02x:%02x:%02x:%02x:%02x\"", i ? ", " : "", m[0], m[1],
			m[2], m[3], m[4], m[5]);
	}
	if (b->n_mac)
		fputs("]\n", out);
	if (b->n_in)
		begin(out, depth, "in-interface");
	for (size_t i = 0; i < b->n_in; i++) {
		char name[POLICY_IFNAME + 1];

		snprintf(name, sizeof(name), "%s%s", b->in[i].name, b->in[i].prefix ? "*" : "");
		fputs(i ? ", " : "", out);
		policy_put_text(out, name);
	}
	if (b->n_in)
		fputs("]\n", out);
	policy_sets_print(out, depth, b);
}

/* [bits of IPv4, bits of IPv6] */
bool value_host_prefix(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		       void *obj)
{
	struct policy_class *c = obj;
	uint8_t bits[2];

	if (v->bad)
		return false;
	if (v->kind != Y_LIST || v->n != 2) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s must be two numbers, one for IPv4 and one for IPv6, like [32, 56]",
			 k->name);
		return false;
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct policy_key one = {.name = k->name, .lo = 1, .hi = i ? 128 : 32};
		int64_t n;

		if (!value_whole(rd, &one, v->item[i], &n))
			return false;
		bits[i] = (uint8_t)n;
	}
	memcpy(c->host_prefix, bits, sizeof(bits));
	return true;
}
