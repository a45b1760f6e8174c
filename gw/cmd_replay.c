/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir replay: what does this policy do to this traffic? */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/cmd.h"
#include "gw/replay.h"
#include "gw/report.h"
#include "gw/setfile.h"

#define SETS_MAX 64u

struct args {
	const char *policy, *link, *out, *trace;
	const char *set[SETS_MAX];
	size_t n_set;
	char **capture;
	int n_capture;
	uint32_t mtu;
	bool json;
};

enum { MTU_LEAST = 68, MTU_MOST = 65535 }; /* RFC 791; what a packet's length can say */

static void warn(void *arg, const char *text)
{
	(void)arg;
	cmd_say("weir: warning: %s", text);
}

static bool is_stdout(const char *name)
{
	return name && !strcmp(name, "-");
}

static int find_link(const struct policy *p, const struct args *a,
		     const struct policy_link **link)
{
	*link = NULL;
	if (!a->link)
		return CMD_OK;
	*link = policy_find_link(p, a->link);
	if (*link)
		return CMD_OK;
	return cmd_fail("%s has no link \"%s\"", p->file, policy_shown(a->link).s);
}

static int report(const struct args *a, const struct replay_result *res)
{
	/* standard output may be one of the files */
	if (is_stdout(a->out) || is_stdout(a->trace))
		return CMD_OK;
	if (a->json ? report_json(stdout, res) : report_text(stdout, res))
		return ferror(stdout) ? cmd_flush(CMD_OK) : cmd_fail("out of memory");
	return cmd_flush(CMD_OK);
}

static int replay_policy(const struct policy *p, const struct args *a)
{
	struct policy_report complain = {.fn = cmd_complain};
	struct replay_opts o = {.policy = p,
				.capture = (const char *const *)a->capture,
				.n_capture = (size_t)a->n_capture,
				.mtu = a->mtu,
				.out = a->out,
				.trace = a->trace,
				.progress = true,
				.warn = warn};
	struct replay *r;
	char err[1024];
	int status = find_link(p, a, &o.link);

	if (status)
		return status;
	r = replay_open(&o, &complain, err, sizeof(err));
	if (!r)
		return *err ? cmd_fail("%s", err) : CMD_NO;
	status = replay_run(r, err, sizeof(err)) ? cmd_fail("%s", err) : CMD_OK;
	if (report(a, replay_result(r)) != CMD_OK)
		status = CMD_FAIL;
	if (status == CMD_OK && replay_result(r)->not_whole)
		status = CMD_NO;
	replay_close(r);
	return status;
}

/* --set NAME=FILE: the name of a set has no "=" */
static int take_sets(struct policy *p, const struct args *a)
{
	struct policy_report r = {.fn = cmd_complain};
	const struct policy_mark none = {0, 0};

	for (size_t i = 0; i < a->n_set; i++) {
		const char *eq = strchr(a->set[i], '=');
		char *name = eq ? strndup(a->set[i], (size_t)(eq - a->set[i])) : NULL;

		if (!eq || !name)
			return eq ? cmd_fail("out of memory")
				  : cmd_usage(&cmd_replay,
					      "--set wants the name of a set and a file: "
					      "\"inet filter kids=kids.txt\"");
		setfile_stand_in(p, name, eq + 1, NULL, none, &r);
		free(name);
	}
	return r.errors ? CMD_NO : CMD_OK;
}

static int replay(const struct args *a)
{
	int status;
	struct policy *p = cmd_policy(a->policy, &status);

	if (!p)
		return status;
	status = take_sets(p, a);
	if (status == CMD_OK)
		status = replay_policy(p, a);
	policy_free(p);
	return status;
}

static int check_args(struct args *a, int argc, char **argv)
{
	int n_stdin = 0;

	if (argc < 1)
		return cmd_usage(&cmd_replay, "no policy and no capture is named");
	if (argc < 2)
		return cmd_usage(&cmd_replay, "no capture is named");
	a->policy = argv[0];
	a->capture = argv + 1;
	a->n_capture = argc - 1;
	for (int i = 0; i < argc; i++)
		n_stdin += !strcmp(argv[i], "-");
	if (n_stdin > 1)
		return cmd_usage(&cmd_replay, "only one of them can be standard input");
	if (is_stdout(a->out) && is_stdout(a->trace))
		return cmd_usage(&cmd_replay,
				 "only one of -o and --trace can be standard output");
	if (a->json && (is_stdout(a->out) || is_stdout(a->trace)))
		return cmd_usage(&cmd_replay, "--json needs standard output for itself");
	return CMD_OK;
}

static int read_mtu(struct args *a, const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || v < MTU_LEAST || v > MTU_MOST)
		return cmd_usage(&cmd_replay, "--mtu wants a number of bytes from %d to %d",
				 MTU_LEAST, MTU_MOST);
	a->mtu = (uint32_t)v;
	return CMD_OK;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"link", required_argument, NULL, 'l'},
						{"mtu", required_argument, NULL, 'm'},
						{"trace", required_argument, NULL, 't'},
						{"json", no_argument, NULL, 'j'},
						{"set", required_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct args a = {0};
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			a.link = optarg;
			break;
		case 'm':
			if (read_mtu(&a, optarg) != CMD_OK)
				return CMD_FAIL;
			break;
		case 'o':
			a.out = optarg;
			break;
		case 't':
			a.trace = optarg;
			break;
		case 's':
			if (a.n_set == SETS_MAX)
				return cmd_usage(&cmd_replay, "--set: at most %u", SETS_MAX);
			a.set[a.n_set++] = optarg;
			break;
		case 'j':
			a.json = true;
			break;
		case 'h':
			return cmd_help(&cmd_replay);
		default:
			return cmd_usage(&cmd_replay, NULL);
		}
	}
	if (check_args(&a, argc - optind, argv + optind) != CMD_OK)
		return CMD_FAIL;
	return replay(&a);
}

const struct cmd cmd_replay = {
	.name = "replay",
	.args = "POLICY CAPTURE... [--link NAME] [--mtu BYTES] [--set NAME=FILE] [-o OUT.pcap] "
		"[--trace "
		"OUT.tsv] [--json]",
	.line = "Puts captured traffic through a policy and tells what became of it",
	.help = "  CAPTURE...       pcap or pcapng, gzip-compressed or not, - for standard "
		"input;\n"
		"                   several are merged in time order\n"
		"  --link NAME      all packets are on this link; else `capture` of the links "
		"decides\n"
		"  --mtu BYTES      of the line (1500): larger packets are cut as a network "
		"card "
		"would\n"
		"  --set NAME=FILE  what a set of nftables holds, \"inet filter "
		"kids=kids.txt\"\n"
		"  -o OUT.pcap      writes the packets that left, as and when they left\n"
		"  --trace OUT.tsv  writes a line for each packet, in the order of the "
		"capture\n"
		"  --json           the report for programs\n\n"
		"With - for one of the files to write, it goes to standard output, and no "
		"report.\n"
		"Exit: 0 done; 1 the policy is not valid, or the figures are not those of the "
		"traffic,\n"
		"as was told (on no link, in the captures twice, not to be read); 2 it could "
		"not "
		"be done.\n",
	.run = run,
};
