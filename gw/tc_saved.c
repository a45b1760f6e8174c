/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_saved.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/fail.h"
#include "gw/json.h"
#include "gw/tc_apply.h"
#include "gw/tc_file.h"
#include "gw/tc_tree.h"
#include "qos/siphash.h"

#define VERSION 2

int tc_saved_find(struct tc_saved *f, const struct tc_link *l, uint32_t top, char *err,
		  size_t errsize)
{
	if (tc_file_namespace(&f->ns, err, errsize))
		return -1;
	memcpy(f->name, l->name, sizeof(f->name));
	f->ifindex = l->ifindex;
	f->top = top;
	snprintf(f->path, sizeof(f->path), TC_SAVED_DIR "/%lu-%u-%s.json", f->ns, l->ifindex,
		 top == TC_H_ROOT ? "root" : "ingress");
	return tc_file_where(f->where, err, errsize);
}

static char *to_hex(const uint8_t *v, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *s = malloc(2 * n + 1);

	if (!s)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		s[2 * i] = digits[v[i] >> 4];
		s[2 * i + 1] = digits[v[i] & 15];
	}
	s[2 * n] = '\0';
	return s;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int put_object(json_t *list, const struct tc_object *o)
{
	char text[256], *hex = to_hex(o->raw, o->n_raw);
	json_t *j = json_object();
	int status = -1;

	if (hex && j)
		status = json_object_set_new(j, "is",
					     json_text(tc_object_text(o, text, sizeof(text)))) |
			 json_object_set_new(j, "messages", json_string(hex));
	free(hex);
	return json_array_append_new(list, j) | status ? -1 : 0;
}

/* In the order of the dump, by which filters are told apart. */
static int put_objects(json_t *list, const struct tc_state *s, uint32_t top)
{
	const struct tc_object **v = malloc((s->list.n + 1) * sizeof(*v));
	uint8_t *wanted = calloc(s->list.n + 1, 1);
	struct tc_tree t = {0};
	int status = -1;
	size_t n;

	if (v && wanted && !tc_tree_build(&t, &s->list, NULL)) {
		n = tc_tree_below(&t, top, v);
		for (size_t i = 0; i < n; i++)
			wanted[v[i] - s->list.v] = 1;
		status = 0;
		for (size_t i = 0; i < s->list.n && !status; i++)
			if (wanted[i])
				status = put_object(list, &s->list.v[i]);
	}
	tc_tree_free(&t);
	free(wanted);
	free(v);
	return status;
}

/*
 * A digest of all messages, so that a damaged file is told before anything is removed for it,
 * and never becomes a tree that nobody had.
 */
static json_t *digest_of(const json_t *list)
{
	static const struct siphash_key key = {0x7765697220746320, 0x7361766564206279};
	struct siphash h = siphash_begin(&key);
	char text[17];
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const json_t *hex = json_object_get(o, "messages");
		const char *s = json_string_value(hex);
		size_t n = s ? json_string_length(hex) : 0;

		siphash_word(&h, 2, n);
		for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
			uint64_t word = 0;

			memcpy(&word, s + at, n - at < sizeof(word) ? n - at : sizeof(word));
			siphash_word(&h, 2, word);
		}
	}
	snprintf(text, sizeof(text), "%016llx",
		 (unsigned long long)siphash_end(&h, 2, 4, json_array_size(list)));
	return json_string(text);
}

static bool is_whole(const json_t *j, const json_t *list)
{
	json_t *digest = digest_of(list);
	bool same = digest && json_equal(digest, json_object_get(j, "digest"));

	json_decref(digest);
	return same && json_array_size(list);
}

static json_t *document(const struct tc_saved *f, const struct tc_state *s)
{
	json_t *j = json_object(), *list = json_array();

	if (j && list && !json_object_set_new(j, "version", json_integer(VERSION)) &&
	    !json_object_set_new(j, "interface", json_text(f->name)) &&
	    !json_object_set_new(j, "where", json_string(f->where)) &&
	    !put_objects(list, s, f->top) && !json_object_set(j, "objects", list) &&
	    !json_object_set_new(j, "digest", digest_of(list))) {
		json_decref(list);
		return j;
	}
	json_decref(list);
	json_decref(j);
	return NULL;
}

/*
 * Of this namespace, what interfaces had that are no more: one that comes and goes has another
 * number each time.
 */
static void sweep(unsigned long ns)
{
	DIR *d = opendir(TC_SAVED_DIR);
	const struct dirent *e;
	char name[IFNAMSIZ];

	while (d && (e = readdir(d))) {
		unsigned ifindex;
		char *end;

		if (strtoul(e->d_name, &end, 10) != ns || *end != '-')
			continue;
		ifindex = (unsigned)strtoul(end + 1, &end, 10);
		if (*end == '-' && ifindex && !if_indextoname(ifindex, name) && errno == ENXIO)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

int tc_saved_write(const struct tc_saved *f, const struct tc_state *s, char *err,
		   size_t errsize)
{
	json_t *j = document(f, s);
	int status;

	if (!j)
		return fail_with(err, errsize, "no memory");
	sweep(f->ns);
	status = tc_file_write(f->path, j, 0600, err, errsize);
	json_decref(j);
	return status;
}

/* The messages of all objects in one buffer; NULL: it is not in order. */
static uint8_t *bytes_of(const json_t *list, size_t *size)
{
	uint8_t *v = NULL;
	size_t n = 0, i;
	json_t *o;

	*size = 0;
	json_array_foreach(list, i, o)
	{
		const json_t *hex = json_object_get(o, "messages");
		const char *s = json_string_value(hex);
		size_t length = json_string_length(hex);
		uint8_t *more;

		/* whole messages begin on a multiple of four bytes */
		if (!s || length % 8 || !(more = realloc(v, n + length / 2 + 1)))
			goto bad;
		v = more;
		for (size_t k = 0; k < length; k += 2) {
			int high = digit(s[k]), low = digit(s[k + 1]);

			if (high < 0 || low < 0)
				goto bad;
			v[n++] = (uint8_t)(high << 4 | low);
		}
	}
	*size = n;
	return v;
bad:
	free(v);
	return NULL;
}

static int parse(const struct tc_saved *f, const json_t *j, struct tc_state *s, char *err,
		 size_t errsize)
{
	const json_t *list = json_object_get(j, "objects");
	char why[256];
	const char *where;
	uint8_t *v;
	size_t n;
	int status;

	if (json_integer_value(json_object_get(j, "version")) != VERSION)
		return fail_with(err, errsize, "%s: not of this version of weir", f->path);
	where = json_string_value(json_object_get(j, "where"));
	if (!where)
		return fail_with(err, errsize, "%s: it is damaged", f->path);
	if (strcmp(where, f->where) != 0)
		return 0;
	v = json_is_array(list) && is_whole(j, list) ? bytes_of(list, &n) : NULL;
	if (!v)
		return fail_with(err, errsize, "%s: it is damaged", f->path);
	status = tc_state_from(v, n, s, why, sizeof(why));
	free(v);
	return status ? fail_with(err, errsize, "%s: %s", f->path, why) : 1;
}

int tc_saved_read(const struct tc_saved *f, struct tc_state *s, char *err, size_t errsize)
{
	json_t *j;
	int status = tc_file_read(f->path, &j, err, errsize);

	*s = (struct tc_state){0};
	if (status <= 0)
		return status;
	status = parse(f, j, s, err, errsize);
	json_decref(j);
	return status;
}

void tc_saved_drop(const struct tc_saved *f)
{
	sweep(f->ns);
	tc_file_drop(f->path);
}
