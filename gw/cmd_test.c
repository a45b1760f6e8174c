/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir test PATH...`: regression tests of policies. */
#include "gw/cmd.h"
#include "gw/outfile.h"
#include "gw/wtest.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".test.yaml"

enum format { TEXT, TAP, JUNIT, JSON };

struct options {
	enum format format;
	const char *junit;
	bool verbose;
};

struct paths {
	char **v;
	size_t n;
};

/* What was complained about a file: to stderr, and kept for the printers. */
struct complaints {
	char *text;
	size_t size;
};

static void out_of_memory(void)
{
	fputs("weir: no memory\n", stderr);
	exit(CMD_FAIL);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

static void add_path(struct paths *p, const char *dir, const char *name)
{
	char **v = realloc(p->v, (p->n + 1) * sizeof(*v));
	size_t n = strlen(dir);

	if (!v ||
	    asprintf(&v[p->n], "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name) < 0)
		out_of_memory();
	p->v = v;
	p->n++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every test file of a directory, by name in the order of bytes: in any locale the same. */
static bool add_directory(struct paths *p, const char *path)
{
	size_t first = p->n;
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d) {
		cmd_fail("%s: %s", path, strerror(errno));
		return false;
	}
	while ((e = readdir(d)))
		if (ends_with(e->d_name, SUFFIX) && e->d_name[0] != '.')
			add_path(p, path, e->d_name);
	closedir(d);
	if (p->n == first) {
		cmd_fail("%s: no *" SUFFIX " in it", path);
		return false;
	}
	qsort(p->v + first, p->n - first, sizeof(*p->v), by_name);
	return true;
}

static bool add_argument(struct paths *p, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return add_directory(p, path);
	if (!ends_with(path, SUFFIX) && ends_with(path, ".yaml")) {
		char *name;

		if (asprintf(&name, "%.*s" SUFFIX, (int)(strlen(path) - 5), path) < 0)
			out_of_memory();
		add_path(p, "", name);
		free(name);
	} else {
		add_path(p, "", path);
	}
	return true;
}

static void complain(void *arg, enum policy_severity sev, const char *file,
		     struct policy_mark at, const char *text)
{
	struct complaints *c = arg;
	const char *kind = sev == POLICY_WARNING ? "warning: " : "";
	char *line, *all;
	int n = at.line ? asprintf(&line, "%s:%d:%d: %s%s", file, at.line, at.col, kind, text)
			: asprintf(&line, "%s: %s%s", file, kind, text);

	if (n < 0)
		out_of_memory();
	cmd_complain(NULL, sev, file, at, text);
	if (sev == POLICY_ERROR) {
		if (asprintf(&all, "%s%s%s", c->text ? c->text : "", c->text ? "\n" : "",
			     line) < 0)
			out_of_memory();
		free(c->text);
		c->text = all;
	}
	free(line);
}

static void run_file(const char *path, struct wtest_report *rep, struct wtest_file **file)
{
	struct complaints c = {0};
	struct policy_report r = {.fn = complain, .arg = &c};

	*file = wtest_read(path, &r);
	rep->path = strdup(path);
	if (!rep->path)
		out_of_memory();
	if (!*file) {
		rep->broken = c.text ? c.text : strdup("it could not be read");
		return;
	}
	rep->result = calloc((*file)->n, sizeof(*rep->result));
	if (!rep->result)
		out_of_memory();
	for (size_t i = 0; i < (*file)->n; i++) {
		wtest_run(*file, &(*file)->test[i], &rep->result[i], &r);
		rep->n = i + 1;
	}
	free(c.text);
}

/* Whether writing there would overwrite a test, a policy or a capture that was read. */
static int check_junit(const char *name, const struct wtest_report *v,
		       struct wtest_file *const *file, size_t n)
{
	char err[1024];

	for (size_t i = 0; i < n; i++) {
		const char *read[] = {v[i].path, file[i] ? file[i]->policy_path : NULL};

		if (outfile_check(name, read, 2, err, sizeof(err)))
			return cmd_fail("%s", err);
		for (size_t k = 0; file[i] && k < file[i]->n; k++)
			if (outfile_check(name, (const char *const *)file[i]->test[k].capture,
					  file[i]->test[k].n_capture, err, sizeof(err)))
				return cmd_fail("%s", err);
	}
	return CMD_OK;
}

static int write_junit(const char *name, const struct wtest_report *v,
		       struct wtest_file *const *file, size_t n)
{
	FILE *f;
	int bad;

	if (check_junit(name, v, file, n) != CMD_OK)
		return CMD_FAIL;
	f = fopen(name, "w");
	if (!f)
		return cmd_fail("%s: %s", name, strerror(errno));
	bad = wtest_out_junit(f, v, n);
	if (fclose(f) || bad)
		return cmd_fail("%s: could not be written", name);
	return CMD_OK;
}

static int print_all(const struct options *o, const struct wtest_report *v,
		     struct wtest_file *const *file, size_t n)
{
	int bad = 0;

	if (o->format == TAP)
		bad = wtest_out_tap(stdout, v, n);
	else if (o->format == JUNIT)
		bad = wtest_out_junit(stdout, v, n);
	else if (o->format == JSON)
		bad = wtest_out_json(stdout, v, n);
	else
		bad = wtest_out_text(stdout, v, n, o->verbose);
	if (bad)
		cmd_fail("standard output: could not be written");
	if (o->junit && write_junit(o->junit, v, file, n))
		bad = -1;
	return bad;
}

static int run_all(const struct options *o, const struct paths *p)
{
	struct wtest_report *v = calloc(p->n, sizeof(*v));
	struct wtest_file **file = calloc(p->n, sizeof(struct wtest_file *));
	struct wtest_totals t;
	int rc;

	if (!v || !file)
		out_of_memory();
	for (size_t i = 0; i < p->n; i++)
		run_file(p->v[i], &v[i], &file[i]);
	t = wtest_total(v, p->n);
	rc = t.errors || !t.tests ? CMD_FAIL : t.failed ? CMD_NO : CMD_OK;
	rc = print_all(o, v, file, p->n) ? CMD_FAIL : cmd_flush(rc);
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < v[i].n; k++)
			wtest_result_fini(&v[i].result[k]);
		free(v[i].result);
		free(v[i].path);
		free(v[i].broken);
		wtest_free(file[i]);
	}
	free(v);
	free(file);
	return rc;
}

/* Whether to go on; else *status is the end. */
static bool read_options(int argc, char **argv, struct options *o, int *status)
{
	static const char *const formats[] = {"text", "tap", "junit", "json"};
	static const struct option longs[] = {{"format", required_argument, NULL, 'f'},
					      {"tap", no_argument, NULL, 't'},
					      {"json", no_argument, NULL, 'j'},
					      {"junit", optional_argument, NULL, 'x'},
					      {"verbose", no_argument, NULL, 'v'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	int c;

	*status = CMD_FAIL;
	while ((c = getopt_long(argc, argv, "vh", longs, NULL)) != -1) {
		const char *arg = optarg ? optarg : "";
		unsigned i = 0;

		switch (c) {
		case 'f':
			while (i < 4 && strcmp(formats[i], arg))
				i++;
			if (i == 4) {
				cmd_usage(&cmd_test, "unknown format \"%s\"", arg);
				return false;
			}
			o->format = (enum format)i;
			break;
		case 't':
			o->format = TAP;
			break;
		case 'j':
			o->format = JSON;
			break;
		case 'x':
			if (optarg)
				o->junit = optarg;
			else
				o->format = JUNIT;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'h':
			*status = cmd_help(&cmd_test);
			return false;
		default:
			cmd_usage(&cmd_test, NULL);
			return false;
		}
	}
	if (optind == argc)
		cmd_usage(&cmd_test, "no PATH");
	return optind < argc;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	struct paths p = {0};
	int status;
	bool bad = false;

	if (!read_options(argc, argv, &o, &status))
		return status;
	for (int i = optind; i < argc; i++)
		bad |= !add_argument(&p, argv[i]);
	status = p.n ? run_all(&o, &p) : CMD_FAIL;
	for (size_t i = 0; i < p.n; i++)
		free(p.v[i]);
	free(p.v);
	return bad ? CMD_FAIL : status;
}

const struct cmd cmd_test = {
	.name = "test",
	.args = "[-v] [--format text|tap|junit|json] [--junit=FILE] PATH...",
	.line = "run the tests of policies",
	.help = "  PATH             a test file (NAME.test.yaml), a policy that has one beside "
		"it,\n"
		"                   or a directory: every *.test.yaml in it\n"
		"  -v, --verbose    what each test did, too\n"
		"  --format FORMAT  text, tap, junit or json\n"
		"  --tap, --junit, --json    short for --format\n"
		"  --junit=FILE     JUnit XML to FILE as well\n"
		"Exit: 0 all hold, 1 some do not, 2 could not run.\n",
	.run = run,
};
