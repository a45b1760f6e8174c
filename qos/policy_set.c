/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of addresses that classes ask for: where they are. Each is there once, however many
 * classes name it.
 */
#include "qos/addrset.h"
#include "qos/policy_impl.h"

#include <stdlib.h>
#include <string.h>

/* What is written of one. */
struct entry {
	const struct ynode *file, *nft, *match;
};

static bool take_key(struct reader *rd, const struct ynode *v, size_t i, struct entry *e)
{
	static const char *const names[] = {"file", "nft", "match", NULL};
	const char *key = v->key[i]->text, *near;

	if (v->key[i]->bad)
		return false;
	if (!strcmp(key, "file"))
		e->file = v->item[i];
	else if (!strcmp(key, "nft"))
		e->nft = v->item[i];
	else if (!strcmp(key, "match"))
		e->match = v->item[i];
	else {
		near = policy_suggest(key, names);
		complain(rd, POLICY_ERROR, v->key[i]->at,
			 near ? "unknown key \"%s\" in a set (did you mean \"%s\"?)"
			      : "unknown key \"%s\" in a set: there are file, nft and match",
			 policy_shown(key).s, near);
		return false;
	}
	return true;
}

/* false: complained of */
static bool read_entry(struct reader *rd, const struct ynode *v, struct entry *e)
{
	bool ok = true;

	*e = (struct entry){0};
	if (v->bad)
		return false;
	if (v->kind != Y_MAP) {
		e->file = v;
		return true;
	}
	for (size_t i = 0; i < v->n; i++)
		ok &= take_key(rd, v, i, e);
	if (ok && !e->file == !e->nft) {
		complain(rd, POLICY_ERROR, v->at,
			 "a set is either a file ({file: hosts.txt}) or one of nftables "
			 "({nft: inet filter kids})");
		return false;
	}
	return ok;
}

/* "inet filter kids": family, table and name, as nft has them, with single spaces. */
static bool is_nft_name(const char *s)
{
	static const char *const family[] = {"ip", "ip6", "inet", "bridge", "netdev", NULL};
	size_t n = strcspn(s, " "), words = 1;

	for (size_t i = 0; family[i]; i++)
		if (strlen(family[i]) == n && !strncmp(s, family[i], n))
			words = 0;
	if (words)
		return false;
	for (const char *c = s; *c; c++) {
		bool good = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9') || strchr("_/\\.-", *c);

		if (*c == ' ' && c[1] && c[1] != ' ')
			words++;
		else if (!good)
			return false;
	}
	return words == 2;
}

/* A file's name in the folder of the policy; NULL: no memory. */
static char *path_of(const struct policy *p, const char *text)
{
	const char *slash = text[0] == '/' ? NULL : strrchr(p->file, '/');
	char *path;

	if (!slash)
		return strdup(text);
	if (asprintf(&path, "%.*s/%s", (int)(slash - p->file), p->file, text) < 0)
		return NULL;
	return path;
}

static struct policy_set *new_set(struct reader *rd, bool nft, const char *text,
				  struct policy_mark at)
{
	struct policy *p = rd->p;
	struct policy_set *s = calloc(1, sizeof(*s)), **more = p->set;

	if (s)
		*s = (struct policy_set){.number = p->n_set, .nft = nft, .at = at};
	if (!(p->n_set & (p->n_set - 1)))
		more = realloc(p->set,
			       (p->n_set ? 2 * p->n_set : 1) * sizeof(struct policy_set *));
	if (more)
		p->set = more;
	if (!s || !more) {
		rd->no_memory = true;
		free(s);
		return NULL;
	}
	p->set[p->n_set++] = s;
	s->text = strdup(text);
	s->path = nft ? NULL : path_of(p, text);
	if (s->text && (nft || s->path))
		return s;
	rd->no_memory = true;
	return NULL;
}

/* The set of that name, which is new or was named before; NULL: complained of. */
static struct policy_set *set_of(struct reader *rd, const struct policy_key *k,
				 const struct entry *e)
{
	const struct ynode *v = e->nft ? e->nft : e->file;
	const char *text = value_scalar(rd, k, v);

	if (!text)
		return NULL;
	if (e->nft && !is_nft_name(text)) {
		complain(rd, POLICY_ERROR, v->at,
			 "nft \"%s\" is no set of nftables, written like \"inet filter kids\" "
			 "(family, table and set)",
			 policy_shown(text).s);
		return NULL;
	}
	for (size_t i = 0; i < rd->p->n_set; i++)
		if (rd->p->set[i]->nft == !!e->nft && !strcmp(rd->p->set[i]->text, text))
			return rd->p->set[i];
	if (rd->p->n_set == POLICY_SETS_MAX) {
		complain(rd, POLICY_ERROR, v->at, "a policy can have no more than %u sets",
			 POLICY_SETS_MAX);
		return NULL;
	}
	return new_set(rd, e->nft != NULL, text, v->at);
}

static bool one_set(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	const struct policy_key match = {.name = "match", .names = policy_side_names};
	struct policy_set_use use = {.side = POLICY_EITHER}, *more;
	struct policy_beside *b;
	struct entry e;

	if (!read_entry(rd, v, &e) || (e.match && !value_enum(rd, &match, e.match, &use.side)))
		return false;
	use.set = set_of(rd, k, &e);
	b = use.set ? policy_beside_of(rd, v, obj) : NULL;
	if (!b)
		return false;
	more = b->set;
	if (!(b->n_set & (b->n_set - 1)))
		more = realloc(b->set, (b->n_set ? 2 * b->n_set : 1) * sizeof(*more));
	if (!more) {
		rd->no_memory = true;
		return false;
	}
	b->set = more;
	b->set[b->n_set++] = use;
	return true;
}

bool value_sets(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj)
{
	/* a map is one of them here, not a mistake */
	return v->kind == Y_MAP ? one_set(rd, k, v, obj) : value_each(rd, k, v, obj, one_set);
}

void policy_set_give(struct policy *p, size_t number, struct addrset *addrs)
{
	addrset_free(p->set[number]->addrs);
	p->set[number]->addrs = addrs;
}

void policy_sets_free(struct policy *p)
{
	for (size_t i = 0; i < p->n_set; i++) {
		free(p->set[i]->text);
		free(p->set[i]->path);
		addrset_free(p->set[i]->addrs);
		free(p->set[i]);
	}
	free(p->set);
}

void policy_sets_print(FILE *out, int depth, const struct policy_beside *b)
{
	if (!b->n_set)
		return;
	for (int i = 0; i < depth; i++)
		fputs("  ", out);
	fputs("set: [", out);
	for (size_t i = 0; i < b->n_set; i++) {
		fprintf(out, "%s{%s: ", i ? ", " : "", b->set[i].set->nft ? "nft" : "file");
		policy_put_text(out, b->set[i].set->text);
		fprintf(out, ", match: %s}", policy_side_name(b->set[i].side));
	}
	fputs("]\n", out);
}

/* Whatever they hold: whether each entry of b is one of a's. */
bool policy_sets_cover(const struct policy_beside *a, const struct policy_beside *b)
{
	for (size_t i = 0; i < b->n_set; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n_set && !found; k++)
			found = a->set[k].set == b->set[i].set &&
				(a->set[k].side == b->set[i].side ||
				 a->set[k].side == POLICY_EITHER);
		if (!found)
			return false;
	}
	return b->n_set != 0;
}
