/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One value into one field. Each function complains of what is wrong, at its place
 * and once, and then leaves the field as it was.
 */
#include "qos/policy_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ERR_MAX 512

static void *field(void *obj, const struct policy_key *k)
{
	return (char *)obj + k->off;
}

const char *value_scalar(struct reader *rd, const struct policy_key *k, const struct ynode *v)
{
	if (v->bad)
		return NULL;
	if (v->kind != Y_SCALAR) {
		complain(rd, POLICY_ERROR, v->at, "%s must be a single value, not a %s",
			 k->name, v->kind == Y_LIST ? "list" : "map");
		return NULL;
	}
	if (!v->text[0]) {
		complain(rd, POLICY_ERROR, v->at, "%s has no value", k->name);
		return NULL;
	}
	return v->text;
}

bool value_each(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj,
		bool (*one)(struct reader *, const struct policy_key *, const struct ynode *,
			    void *))
{
	bool ok = true;

	if (v->bad)
		return false;
	if (v->kind == Y_MAP) {
		complain(rd, POLICY_ERROR, v->at, "%s must be a value or a list, not a map",
			 k->name);
		return false;
	}
	if (v->kind != Y_LIST)
		return one(rd, k, v, obj);
	if (!v->n) {
		complain(rd, POLICY_ERROR, v->at, "%s is an empty list", k->name);
		return false;
	}
	for (size_t i = 0; i < v->n; i++)
		ok &= one(rd, k, v->item[i], obj);
	return ok;
}

bool value_keep(struct reader *rd, char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy) {
		rd->no_memory = true;
		return false;
	}
	free(*to);
	*to = copy;
	return true;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool value_name(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	const char *s = value_scalar(rd, k, v), *c = s;

	if (!s)
		return false;
	while (is_name_char(*c))
		c++;
	if (*c) {
		complain(rd, POLICY_ERROR, v->at,
			 "name \"%s\" has a character that is not allowed (letters, digits, "
			 "\".\", \"_\" and \"-\" are)",
			 policy_shown(s).s);
		return false;
	}
	if (c - s > POLICY_NAME_MAX) {
		complain(rd, POLICY_ERROR, v->at, "name \"%s\" is longer than %d characters",
			 policy_shown(s).s, POLICY_NAME_MAX);
		return false;
	}
	if (strcmp(s, "-") == 0) {
		complain(rd, POLICY_ERROR, v->at, "name \"-\" is taken: it stands for none");
		return false;
	}
	return value_keep(rd, field(obj, k), s);
}

/* What Linux takes for the name of an interface. */
bool value_interface(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		     void *obj)
{
	const char *s = value_scalar(rd, k, v);
	bool ok = s && strlen(s) <= 15 && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;

	if (!s)
		return false;
	for (const char *c = s; *c; c++)
		ok &= (unsigned char)*c > ' ' && *c != '/' && *c != ':' && *c != 0x7f;
	if (!ok) {
		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" cannot be the name of one",
			 k->name, policy_shown(s).s);
		return false;
	}
	return value_keep(rd, field(obj, k), s);
}

static bool one_filter(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		       void *obj)
{
	struct policy_filters *f = field(obj, k);
	const char *s = value_scalar(rd, k, v);
	struct policy_filter *more;

	if (!s)
		return false;
	if (strlen(s) > POLICY_FILTER_MAX) {
		complain(rd, POLICY_ERROR, v->at, "%s is a filter longer than %d bytes",
			 k->name, POLICY_FILTER_MAX);
		return false;
	}
	if (!(f->n & (f->n - 1))) { /* grows at powers of two */
		more = realloc(f->v, (f->n ? f->n * 2 : 1) * sizeof(*more));
		if (!more) {
			rd->no_memory = true;
			return false;
		}
		f->v = more;
	}
	f->v[f->n] = (struct policy_filter){.mark = v->at};
	if (!value_keep(rd, &f->v[f->n].text, s))
		return false;
	f->n++;
	return true;
}

bool value_filters(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		   void *obj)
{
	return value_each(rd, k, v, obj, one_filter);
}

static bool units(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		  unsigned kinds, enum unit_kind bare, enum unit_kind *kind, uint64_t *value)
{
	const char *s = value_scalar(rd, k, v);
	char err[ERR_MAX];

	if (!s)
		return false;
	if (units_parse(s, kinds, bare, kind, value, err, sizeof(err))) {
		complain(rd, POLICY_ERROR, v->at, "%s %s", k->name, err);
		return false;
	}
	return true;
}

bool value_ranged(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		  enum unit_kind kind, enum unit_kind bare, uint64_t *value)
{
	char lo[POLICY_UNIT_TEXT], hi[POLICY_UNIT_TEXT];
	enum unit_kind found;

	if (!units(rd, k, v, kind, bare, &found, value))
		return false;
	if (*value >= (uint64_t)k->lo && *value <= (uint64_t)k->hi)
		return true;
	complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is out of range (%s to %s)", k->name,
		 policy_shown(v->text).s, units_text(kind, (uint64_t)k->lo, lo),
		 units_text(kind, (uint64_t)k->hi, hi));
	return false;
}

bool value_rate(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	struct policy_rate *rate = field(obj, k);
	size_t len = v->kind == Y_SCALAR ? strlen(v->text) : 0;
	uint64_t bps;

	if (len && v->text[len - 1] == '%') {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" must be absolute: a share is one of the link's rate",
			 k->name, policy_shown(v->text).s);
		return false;
	}
	if (!value_ranged(rd, k, v, UNIT_RATE, 0, &bps))
		return false;
	*rate = (struct policy_rate){.bps = bps, .mark = v->at};
	return true;
}

/* A rate that may be a share of the link's; the share is worked out in policy_fill.c. */
bool value_share(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 void *obj)
{
	struct policy_rate *rate = field(obj, k);
	enum unit_kind kind;
	uint64_t n;

	if (!units(rd, k, v, UNIT_RATE | UNIT_SHARE, 0, &kind, &n))
		return false;
	if (kind == UNIT_RATE)
		return value_rate(rd, k, v, obj);
	if (n < 1 || n > 10000) {
		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is out of range (0.01%% to 100%%)",
			 k->name, policy_shown(v->text).s);
		return false;
	}
	*rate = (struct policy_rate){.percent = (uint32_t)n, .mark = v->at};
	return true;
}

bool value_size(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	uint64_t n;

	if (!value_ranged(rd, k, v, UNIT_SIZE, 0, &n))
		return false;
	*(uint64_t *)field(obj, k) = n;
	return true;
}

/* Where tc takes a bare number of bytes, so does weir. */
bool value_bytes(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 void *obj)
{
	uint64_t n;

	if (!value_ranged(rd, k, v, UNIT_SIZE, UNIT_SIZE, &n))
		return false;
	*(uint32_t *)field(obj, k) = (uint32_t)n;
	return true;
}

bool value_time(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	uint64_t n;

	if (!value_ranged(rd, k, v, UNIT_TIME, 0, &n))
		return false;
	*(uint64_t *)field(obj, k) = n;
	return true;
}

bool value_whole(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 int64_t *n)
{
	const char *s = value_scalar(rd, k, v);

	if (!s)
		return false;
	if (!units_number(s, n)) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is not a whole number (%lld to %lld)", k->name,
			 policy_shown(s).s, (long long)k->lo, (long long)k->hi);
		return false;
	}
	if (*n < k->lo || *n > k->hi) {
		complain(rd, POLICY_ERROR, v->at, "%s %s is out of range (%lld to %lld)",
			 k->name, policy_shown(s).s, (long long)k->lo, (long long)k->hi);
		return false;
	}
	return true;
}

/* 32 bits; whether with a sign is for the field to know. */
bool value_number(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		  void *obj)
{
	int64_t n;

	if (!value_whole(rd, k, v, &n))
		return false;
	*(uint32_t *)field(obj, k) = (uint32_t)n;
	return true;
}

void value_unknown(struct reader *rd, const char *what, const struct ynode *v,
		   const char *const *names)
{
	const char *near = policy_suggest(v->text, names);
	char all[ERR_MAX];
	size_t len = 0;

	if (policy_longer_forms(v->text, names, all, sizeof(all)) > 1) {
		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is not known (did you mean %s?)",
			 what, policy_shown(v->text).s, all);
		return;
	}
	if (near) {
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is not known (did you mean \"%s\"?)", what,
			 policy_shown(v->text).s, near);
		return;
	}
	for (; *names && len < sizeof(all); names++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len ? ", " : "",
					*names);
	complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is not known (there are: %s)", what,
		 policy_shown(v->text).s, all);
}

/* An enum of C, which the compiler keeps in 32 bits without a sign. */
bool value_enum(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	const char *s = value_scalar(rd, k, v);

	_Static_assert(sizeof(enum policy_queue) == sizeof(uint32_t), "enums are 32 bits");
	if (!s)
		return false;
	for (uint32_t i = 0; k->names[i]; i++) {
		if (strcmp(k->names[i], s) == 0) {
			memcpy(field(obj, k), &i, sizeof(i));
			return true;
		}
	}
	value_unknown(rd, k->name, v, k->names);
	return false;
}

static bool one_of_set(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		       void *obj)
{
	const char *s = value_scalar(rd, k, v);

	if (!s)
		return false;
	for (uint32_t i = 0; k->names[i]; i++) {
		if (strcmp(k->names[i], s) == 0) {
			*(uint32_t *)field(obj, k) |= 1u << i;
			return true;
		}
	}
	value_unknown(rd, k->name, v, k->names);
	return false;
}

/* 32 bits, one for each word. */
bool value_enum_set(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	return value_each(rd, k, v, obj, one_of_set);
}

bool value_bool(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	const char *s = value_scalar(rd, k, v);
	static const char *const yes[] = {"yes", "on", "1", "True", "TRUE", "y", NULL};
	static const char *const no[] = {"no", "off", "0", "False", "FALSE", "n", NULL};
	const char *guess = NULL;

	if (!s)
		return false;
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0) {
		*(bool *)field(obj, k) = *s == 't';
		return true;
	}
	for (size_t i = 0; yes[i] && !guess; i++)
		guess = strcmp(yes[i], s) == 0	? "true"
			: strcmp(no[i], s) == 0 ? "false"
						: NULL;
	if (guess)
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" must be true or false (did you mean \"%s\"?)", k->name, s,
			 guess);
	else
		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" must be true or false", k->name,
			 policy_shown(s).s);
	return false;
}

bool value_limit(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 void *obj)
{
	struct policy_limit *l = field(obj, k);
	enum unit_kind kind;
	uint64_t n, most;

	if (!units(rd, k, v, UNIT_PACKETS | UNIT_SIZE | UNIT_TIME, 0, &kind, &n))
		return false;
	most = kind == UNIT_PACKETS ? POLICY_LIMIT_MAX
	       : kind == UNIT_SIZE  ? POLICY_LIMIT_BYTES_MAX
				    : POLICY_TIME_MAX;
	if (n < 1 || n > most) {
		char lo[POLICY_UNIT_TEXT], hi[POLICY_UNIT_TEXT];

		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is out of range (%s to %s)",
			 k->name, policy_shown(v->text).s, units_text(kind, 1, lo),
			 units_text(kind, most, hi));
		return false;
	}
	*l = (struct policy_limit){.mark = v->at};
	if (kind == UNIT_PACKETS)
		l->packets = (uint32_t)n;
	else if (kind == UNIT_SIZE)
		l->bytes = n;
	else
		l->ns = n;
	return true;
}

/* "0x2e" as the name of that DSCP; NULL: no such number. */
static const char *hex_dscp(const char *s, char name[8])
{
	char *end;
	unsigned long d;

	if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X') || !isxdigit((unsigned char)s[2]))
		return NULL;
	d = strtoul(s, &end, 16);
	return *end || d > 63 ? NULL : policy_dscp_name((unsigned)d, name);
}

static int dscp_of(struct reader *rd, const struct policy_key *k, const struct ynode *v)
{
	static const char *const names[] = {
		"ef",	"cs0",	"cs1",	"cs2",	"cs3",	"cs4",	"cs5",	"cs6",	"cs7",
		"af11", "af12", "af13", "af21", "af22", "af23", "af31", "af32", "af33",
		"af41", "af42", "af43", "va",	"le",	"be",	"df",	NULL};
	const char *s = value_scalar(rd, k, v), *near;
	int d = s ? policy_dscp_parse(s) : -1;
	char name[8];
	int64_t n;

	if (!s || d >= 0)
		return d;
	near = hex_dscp(s, name);
	if (!near)
		near = policy_suggest(s, names);
	if (units_number(s, &n))
		complain(rd, POLICY_ERROR, v->at, "%s %s is out of range (0 to 63)", k->name,
			 policy_shown(s).s);
	else if (near)
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is not known (did you mean \"%s\"?)", k->name,
			 policy_shown(s).s, near);
	else
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" is neither a name like \"ef\", \"cs5\" or \"af41\" nor a "
			 "number from 0 to 63",
			 k->name, policy_shown(s).s);
	return -1;
}

bool value_dscp(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	int d = dscp_of(rd, k, v);

	if (d < 0)
		return false;
	*(int *)field(obj, k) = d;
	return true;
}

static bool one_dscp(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		     void *obj)
{
	int d = dscp_of(rd, k, v);

	if (d < 0)
		return false;
	*(uint64_t *)field(obj, k) |= 1ULL << d;
	return true;
}

bool value_dscp_set(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	((struct policy_class *)obj)->dscp_mark = v->at;
	return value_each(rd, k, v, obj, one_dscp);
}
