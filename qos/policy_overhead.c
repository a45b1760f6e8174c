/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a line adds to an IP packet, by the keywords of tc-cake(8) and with its values
 * (iproute2, tc/q_cake.c). "raw" is the length that tc sees on an Ethernet interface,
 * 14 bytes above IP: weir's default.
 */
#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

#define KEEP (-1)
#define RAW 14	     /* bytes of an Ethernet header, from which tc counts */
#define TEXT_MAX 255 /* of a list of presets */

static const struct preset {
	const char *name;
	bool alone; /* sets the overhead, where the others add to it */
	int bytes, mpu, layer;
} presets[] = {
	{"raw", true, RAW, KEEP, POLICY_LL_ETHERNET},
	{"conservative", true, 48, KEEP, POLICY_LL_ATM},
	{"ethernet", false, 38, 84, KEEP},
	{"ether-vlan", false, 4, KEEP, KEEP},
	{"docsis", false, 18, 64, POLICY_LL_ETHERNET},
	{"pppoe-ptm", false, 30, KEEP, POLICY_LL_PTM},
	{"bridged-ptm", false, 22, KEEP, POLICY_LL_PTM},
	{"pppoa-vcmux", false, 10, KEEP, POLICY_LL_ATM},
	{"pppoa-llc", false, 14, KEEP, POLICY_LL_ATM},
	{"pppoe-vcmux", false, 32, KEEP, POLICY_LL_ATM},
	{"pppoe-llcsnap", false, 40, KEEP, POLICY_LL_ATM},
	{"bridged-vcmux", false, 24, KEEP, POLICY_LL_ATM},
	{"bridged-llcsnap", false, 32, KEEP, POLICY_LL_ATM},
	{"ipoa-vcmux", false, 8, KEEP, POLICY_LL_ATM},
	{"ipoa-llcsnap", false, 16, KEEP, POLICY_LL_ATM},
};
#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

static const char *const names[] = {
	"raw",
	"conservative",
	"ethernet",
	"ether-vlan",
	"docsis",
	"pppoe-ptm",
	"bridged-ptm",
	"pppoa-vcmux",
	"pppoa-llc",
	"pppoe-vcmux",
	"pppoe-llcsnap",
	"bridged-vcmux",
	"bridged-llcsnap",
	"ipoa-vcmux",
	"ipoa-llcsnap",
	NULL,
};

static bool apply(struct policy_link *l, const char *name)
{
	const struct preset *p = presets;

	while (p < presets + N_PRESETS && strcmp(p->name, name) != 0)
		p++;
	if (p == presets + N_PRESETS)
		return false;
	l->overhead = p->alone ? p->bytes : l->overhead + p->bytes;
	if (p->mpu != KEEP)
		l->mpu = (uint32_t)p->mpu;
	if (p->layer != KEEP)
		l->linklayer = (enum policy_linklayer)p->layer;
	return true;
}

static bool one_preset(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		       void *obj)
{
	struct policy_link *l = obj;
	const char *s = value_scalar(rd, k, v);
	char *text;

	if (!s)
		return false;
	if (!apply(l, s)) {
		value_unknown(rd, k->name, v, names);
		return false;
	}
	if (l->overhead_text && strlen(l->overhead_text) + strlen(s) + 2 > TEXT_MAX) {
		complain(rd, POLICY_ERROR, v->at, "%s has too many presets", k->name);
		return false;
	}
	if (asprintf(&text, "%s%s%s", l->overhead_text ? l->overhead_text : "",
		     l->overhead_text ? ", " : "", s) < 0) {
		rd->no_memory = true;
		return false;
	}
	free(l->overhead_text);
	l->overhead_text = text;
	return true;
}

/* Copied from a tc command, most likely: no line takes less than the IP packet. */
static void warn_negative(struct reader *rd, const struct ynode *v, int64_t n)
{
	if (n >= -RAW)
		complain(rd, POLICY_WARNING, v->at,
			 "overhead %s: no line takes less than the IP packet, from which weir "
			 "counts; tc counts from the Ethernet header: did you mean %lld?",
			 policy_shown(v->text).s, (long long)n + RAW);
	else
		complain(rd, POLICY_WARNING, v->at,
			 "overhead %s: no line takes less than the IP packet, from which weir "
			 "counts",
			 policy_shown(v->text).s);
}

/* Bytes, or presets; written mpu and linklayer are put over theirs in policy_read.c. */
bool value_overhead(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	struct policy_link *l = obj;
	struct policy_key bytes = *k;
	const char *digit = v->kind == Y_SCALAR ? v->text : NULL;
	char text[32];
	int64_t n;

	if (digit && (*digit == '-' || *digit == '+'))
		digit++;
	if (digit && *digit >= '0' && *digit <= '9') {
		uint64_t size;

		if (v->text[0] == '-') {
			if (!value_whole(rd, k, v, &n))
				return false;
		} else {
			bytes.lo = 0;
			if (!value_ranged(rd, &bytes, v, UNIT_SIZE, UNIT_SIZE, &size))
				return false;
			n = (int64_t)size;
		}
		if (n < 0)
			warn_negative(rd, v, n);
		l->overhead = (int32_t)n;
		snprintf(text, sizeof(text), "%lld", (long long)n);
		return value_keep(rd, &l->overhead_text, text);
	}
	l->overhead = 0;
	return value_each(rd, k, v, obj, one_preset);
}
