/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a policy test file: the file itself, its tests, and the policy they are of. */
#include "gw/wtest_read.h"
#include "gw/setfile.h"
#include "sched/bucket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TESTS_MAX 10000
#define CAPTURES_MAX 64

char *wread_strdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy) {
		fputs("weir: no memory\n", stderr);
		exit(2);
	}
	return copy;
}

static void *zalloc(size_t n, size_t size)
{
	void *v = calloc(n ? n : 1, size);

	if (!v) {
		fputs("weir: no memory\n", stderr);
		exit(2);
	}
	return v;
}

bool wread_map(struct wread *w, const struct ynode *n, const char *what,
	       const char *const *names)
{
	if (n->bad)
		return false;
	if (n->kind != Y_MAP) {
		wread_error(w, n->at, "%s is to be a map (key: value)", what);
		return false;
	}
	for (size_t i = 0; i < n->n; i++) {
		const char *key = n->key[i]->text, *near;
		size_t k = 0;

		while (names[k] && strcmp(names[k], key))
			k++;
		if (names[k] || n->key[i]->bad)
			continue;
		near = policy_suggest(key, names);
		if (near)
			wread_error(w, n->key[i]->at,
				    "unknown key \"%s\" in %s (did you mean \"%s\"?)",
				    policy_shown(key).s, what, near);
		else
			wread_error(w, n->key[i]->at, "unknown key \"%s\" in %s",
				    policy_shown(key).s, what);
	}
	return true;
}

const struct ynode *wread_scalar(struct wread *w, const struct ynode *map, const char *key)
{
	const struct ynode *n = ytree_get(map, key);

	if (!n || n->bad)
		return NULL;
	if (n->kind != Y_SCALAR || !*n->text) {
		wread_error(w, n->at, "\"%s\" is to be a single value", key);
		return NULL;
	}
	return n;
}

const struct ynode *wread_list(struct wread *w, const struct ynode *map, const char *key)
{
	const struct ynode *n = ytree_get(map, key);

	if (!n || n->bad)
		return NULL;
	if (n->kind != Y_LIST) {
		wread_error(w, n->at, "\"%s\" is to be a list", key);
		return NULL;
	}
	return n;
}

bool wread_time(struct wread *w, const struct ynode *map, const char *key, uint64_t *ns)
{
	const struct ynode *n = wread_scalar(w, map, key);
	char err[256];

	if (!n)
		return false;
	if (policy_parse_time(n->text, ns, err, sizeof(err))) {
		wread_error(w, n->at, "%s: %s", key, err);
		return false;
	}
	if (*ns > SYNTH_TIME_MAX) {
		wread_error(w, n->at, "%s: more than a day", key);
		return false;
	}
	return true;
}

bool wread_rate(struct wread *w, const struct ynode *map, const char *key, uint64_t *bps)
{
	const struct ynode *n = wread_scalar(w, map, key);
	char err[256];

	if (!n)
		return false;
	if (policy_parse_rate(n->text, bps, err, sizeof(err))) {
		wread_error(w, n->at, "%s: %s", key, err);
		return false;
	}
	if (!*bps || *bps > BUCKET_RATE_MAX) {
		wread_error(w, n->at, "%s is to be more than 0 and at most 1000gbit", key);
		return false;
	}
	return true;
}

bool wread_number(struct wread *w, const struct ynode *map, const char *key, uint64_t min,
		  uint64_t max, uint64_t *v)
{
	const struct ynode *n = wread_scalar(w, map, key);

	if (!n)
		return false;
	if (wtest_number_parse(n->text, max, v) || *v < min) {
		wread_error(w, n->at, "%s is to be a whole number from %" PRIu64 " to %" PRIu64,
			    key, min, max);
		return false;
	}
	return true;
}

bool wread_dscp(struct wread *w, const struct ynode *map, const char *key, int *dscp)
{
	const struct ynode *n = wread_scalar(w, map, key);

	if (!n)
		return false;
	*dscp = policy_dscp_parse(n->text);
	if (*dscp < 0)
		wread_error(w, n->at,
			    "%s: \"%s\" is no DSCP (a name like \"ef\", \"cs5\", \"af41\", or "
			    "0 to 63)",
			    key, policy_shown(n->text).s);
	return *dscp >= 0;
}

const struct policy_link *wread_find_link(struct wread *w, const struct ynode *n,
					  const struct policy *p)
{
	const struct policy_link *l = policy_find_link(p, n->text);
	const char **names, *near;

	if (l)
		return l;
	names = zalloc(p->n_link + 1, sizeof(*names));
	for (size_t i = 0; i < p->n_link; i++)
		names[i] = p->link[i]->name;
	near = policy_suggest(n->text, names);
	if (near)
		wread_error(w, n->at, "the policy has no link \"%s\" (did you mean \"%s\"?)",
			    policy_shown(n->text).s, policy_shown(near).s);
	else
		wread_error(w, n->at, "the policy has no link \"%s\"", policy_shown(n->text).s);
	free(names);
	return NULL;
}

/* `rel` as seen from the directory of `file`. */
static char *beside(const char *file, const char *rel)
{
	const char *slash = strrchr(file, '/');
	size_t dir = slash && *rel != '/' ? (size_t)(slash - file) + 1 : 0;
	char *path = zalloc(dir + strlen(rel) + 1, 1);

	memcpy(path, file, dir);
	strcpy(path + dir, rel);
	return path;
}

static void read_captures(struct wread *w, const struct ynode *map, struct wtest *t)
{
	const struct ynode *n = ytree_get(map, "capture");

	if (!n || n->bad)
		return;
	if (n->kind == Y_MAP || (n->kind == Y_LIST && (!n->n || n->n > CAPTURES_MAX))) {
		wread_error(w, n->at, "capture is to be a file, or a list of at most %u",
			    CAPTURES_MAX);
		return;
	}
	t->capture = zalloc(n->kind == Y_LIST ? n->n : 1, sizeof(*t->capture));
	for (size_t i = 0; i < (n->kind == Y_LIST ? n->n : 1); i++) {
		const struct ynode *c = n->kind == Y_LIST ? n->item[i] : n;

		if (c->bad)
			continue;
		if (c->kind != Y_SCALAR || !*c->text || !strcmp(c->text, "-"))
			wread_error(w, c->at, "capture is to be the name of a file");
		else
			t->capture[t->n_capture++] = beside(w->file, c->text);
	}
}

static void read_traffic(struct wread *w, const struct ynode *map, struct wtest *t)
{
	const struct ynode *n = wread_list(w, map, "traffic");
	uint64_t duration = UINT64_MAX;
	unsigned errors;

	wread_time(w, map, "duration", &duration);
	if (!n)
		return;
	if (!n->n || n->n > SYNTH_STREAMS_MAX) {
		wread_error(w, n->at, "traffic is to be a list of 1 to %u streams",
			    SYNTH_STREAMS_MAX);
		return;
	}
	errors = w->r->errors;
	t->stream = zalloc(n->n, sizeof(*t->stream));
	for (size_t i = 0; i < n->n; i++) {
		wread_stream(w, n->item[i], t->name, duration, &t->stream[i]);
		t->n_stream = i + 1;
		for (size_t k = 0; k < i; k++) {
			if (t->stream[i].name && t->stream[k].name &&
			    !strcmp(t->stream[i].name, t->stream[k].name))
				wread_error(w, t->stream[i].at, "a second stream \"%s\"",
					    policy_shown(t->stream[i].name).s);
		}
	}
	if (w->r->errors == errors)
		wread_bound(w, t);
}

static void read_test(struct wread *w, const struct ynode *map, const struct policy *p,
		      struct wtest *t)
{
	static const char *const keys[] = {"name",     "link",	 "capture", "traffic",
					   "duration", "expect", NULL};
	const struct ynode *n;

	t->at = map->at;
	if (!wread_map(w, map, "a test", keys))
		return;
	n = wread_scalar(w, map, "name");
	t->name = wread_strdup(n ? n->text : "");
	if (!ytree_get(map, "name"))
		wread_error(w, map->at, "a test without a name");
	n = wread_scalar(w, map, "link");
	if (n && p)
		t->link = wread_find_link(w, n, p);
	read_captures(w, map, t);
	read_traffic(w, map, t);
	if (!ytree_get(map, "capture") && !ytree_get(map, "traffic"))
		wread_error(w, map->at,
			    "a test without packets: it needs \"capture\" or \"traffic\"");
	n = wread_list(w, map, "expect");
	if (!ytree_get(map, "expect") || (n && !n->n))
		wread_error(w, n ? n->at : map->at, "a test that expects nothing");
	if (!n)
		return;
	if (n->n > WTEST_EXPECT_MAX) {
		wread_error(w, n->at, "more than %u expectations", WTEST_EXPECT_MAX);
		return;
	}
	t->expect = zalloc(n->n, sizeof(*t->expect));
	for (size_t i = 0; i < n->n; i++) {
		wread_expect(w, n->item[i], p, t, &t->expect[i]);
		t->n_expect = i + 1;
	}
}

/* NAME.yaml for NAME.test.yaml; NULL when the file is not called so. */
static char *default_policy(const char *path)
{
	static const char end[] = ".test.yaml";
	size_t n = strlen(path), skip = sizeof(end) - 1;
	char *s;

	if (n <= skip || strcmp(path + n - skip, end) || path[n - skip - 1] == '/')
		return NULL;
	s = zalloc(n + 1, 1);
	memcpy(s, path, n - skip);
	strcpy(s + n - skip, ".yaml");
	return s;
}

static void read_policy(struct wread *w, const struct ynode *map, struct wtest_file *f)
{
	const struct ynode *n = wread_scalar(w, map, "policy");
	struct policy_mark at = n ? n->at : map->at;
	struct policy_report own = {.fn = w->direct->fn, .arg = w->direct->arg};
	FILE *in;

	if (!n && ytree_get(map, "policy"))
		return;
	f->policy_path = n ? beside(f->path, n->text) : default_policy(f->path);
	if (!f->policy_path) {
		wread_error(w, at, "no \"policy\", and this file is not called NAME.test.yaml");
		return;
	}
	in = fopen(f->policy_path, "r");
	if (!in) {
		wread_error(w, at, "policy %s: %s", policy_shown(f->policy_path).s,
			    strerror(errno));
		return;
	}
	f->policy = policy_read(in, f->policy_path, &own);
	fclose(in);
	if (f->policy && !setfile_read_all(f->policy, &own)) {
		policy_free(f->policy);
		f->policy = NULL;
	}
	if (!f->policy)
		wread_error(w, at, "the policy %s is not valid (%u error%s)",
			    policy_shown(f->policy_path).s, own.errors,
			    own.errors == 1 ? "" : "s");
}

/* What sets of nftables hold while the tests run: [{nft: inet filter kids, file: kids.txt}] */
static void read_sets(struct wread *w, const struct ynode *map, struct wtest_file *f)
{
	static const char *const keys[] = {"nft", "file", NULL};
	const struct ynode *sets = wread_list(w, map, "sets"), *nft, *file;
	char *path;

	for (size_t i = 0; sets && f->policy && i < sets->n; i++) {
		const struct ynode *one = sets->item[i];

		if (!wread_map(w, one, "a set", keys))
			continue;
		nft = wread_scalar(w, one, "nft");
		file = wread_scalar(w, one, "file");
		if (!nft || !file) {
			wread_error(
				w, one->at,
				"a set is to be \"nft\", its name, and \"file\", of what it "
				"holds");
			continue;
		}
		path = beside(f->path, file->text);
		setfile_stand_in(f->policy, nft->text, path, f->path, nft->at, w->direct);
		free(path);
	}
}

static void read_file(struct wread *w, const struct ynode *map, struct wtest_file *f)
{
	static const char *const keys[] = {"policy", "sets", "tests", NULL};
	const struct ynode *tests;

	if (!wread_map(w, map, "a policy test", keys))
		return;
	read_policy(w, map, f);
	read_sets(w, map, f);
	tests = wread_list(w, map, "tests");
	if (!ytree_get(map, "tests") || (tests && !tests->n))
		wread_error(w, tests ? tests->at : map->at, "no tests");
	if (!tests)
		return;
	if (tests->n > TESTS_MAX) {
		wread_error(w, tests->at, "more than %u tests", TESTS_MAX);
		return;
	}
	f->test = zalloc(tests->n, sizeof(*f->test));
	for (size_t i = 0; i < tests->n; i++) {
		read_test(w, tests->item[i], f->policy, &f->test[i]);
		f->n = i + 1;
		for (size_t k = 0; k < i; k++) {
			if (f->test[i].name && f->test[k].name && *f->test[i].name &&
			    !strcmp(f->test[i].name, f->test[k].name))
				wread_error(w, f->test[i].at, "a second test \"%s\"",
					    policy_shown(f->test[i].name).s);
		}
	}
}

struct wtest_file *wtest_read_mem(const void *text, size_t size, const char *path,
				  struct policy_report *r)
{
	struct wtest_file *f = zalloc(1, sizeof(*f));
	struct policy_gather g;
	struct policy_report real = {.fn = r->fn, .arg = r->arg};
	struct wread w = {.r = &g.report, .direct = &real};
	struct ynode *root;

	f->path = wread_strdup(path);
	w.file = f->path;
	policy_gather_begin(&g, &real);
	root = ytree_parse(text, size, f->path, &g.report);
	if (root)
		read_file(&w, root, f);
	policy_gather_end(&g);
	ytree_free(root);
	r->errors += real.errors;
	r->warnings += real.warnings;
	if (root && !real.errors)
		return f;
	wtest_free(f);
	return NULL;
}

struct wtest_file *wtest_read(const char *path, struct policy_report *r)
{
	struct policy_mark whole = {0, 0};
	struct wtest_file *f = NULL;
	FILE *in = fopen(path, "r");
	char *text;
	size_t n;

	if (!in) {
		policy_complain(r, POLICY_ERROR, path, whole, "%s", strerror(errno));
		return NULL;
	}
	text = zalloc(1, WTEST_SIZE_MAX + 1);
	n = fread(text, 1, WTEST_SIZE_MAX + 1, in);
	if (ferror(in))
		policy_complain(r, POLICY_ERROR, path, whole, "%s", strerror(errno));
	else if (n > WTEST_SIZE_MAX)
		policy_complain(r, POLICY_ERROR, path, whole, "larger than %u bytes",
				WTEST_SIZE_MAX);
	else
		f = wtest_read_mem(text, n, path, r);
	fclose(in);
	free(text);
	return f;
}

static void test_free(struct wtest *t)
{
	for (size_t i = 0; i < t->n_capture; i++)
		free(t->capture[i]);
	for (size_t i = 0; i < t->n_stream; i++)
		free(t->stream[i].name);
	for (size_t i = 0; i < t->n_expect; i++) {
		struct wtest_expect *e = &t->expect[i];

		for (unsigned k = 0; k < e->n_check; k++)
			free(e->check[k].text);
		if (e->filter_text)
			filter_free(&e->filter);
		free(e->filter_text);
		free(e->flow_text);
		free(e->class_text);
		free(e->link_text);
	}
	free(t->capture);
	free(t->stream);
	free(t->expect);
	free(t->name);
}

void wtest_free(struct wtest_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		test_free(&f->test[i]);
	free(f->test);
	policy_free(f->policy);
	free(f->policy_path);
	free(f->path);
	free(f);
}
