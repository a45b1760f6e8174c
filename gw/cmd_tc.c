/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir tc: the same policy as rules of the kernel's traffic control. */
#include <stdio.h>
#include <string.h>

#include "gw/cmd_tc.h"

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
} subcommands[] = {
	{"show", cmd_tc_show},	   {"apply", cmd_tc_apply},   {"diff", cmd_tc_diff},
	{"remove", cmd_tc_remove}, {"parity", cmd_tc_parity},
};
#define N_SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static int run(int argc, char **argv)
{
	const char *names[N_SUBCOMMANDS + 1] = {0};
	const char *near;

	if (argc < 2)
		return cmd_usage(&cmd_tc, "what is to be done?");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(&cmd_tc);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++) {
		if (!strcmp(subcommands[i].name, argv[1]))
			return subcommands[i].run(argc - 1, argv + 1);
		names[i] = subcommands[i].name;
	}
	near = policy_suggest(argv[1], names);
	return near ? cmd_usage(&cmd_tc, "no \"%s\" (did you mean \"%s\"?)",
				policy_shown(argv[1]).s, near)
		    : cmd_usage(&cmd_tc, "no \"%s\"", policy_shown(argv[1]).s);
}

const struct cmd cmd_tc = {
	.name = "tc",
	.args = "show|apply|diff|remove|parity POLICY [CAPTURE...] [--link NAME] [--strict] "
		"[--replace] [--json]",
	.line = "The same policy as rules of the kernel's traffic control",
	.help = "  show         what the rules would be, and what becomes of each key of the "
		"policy\n"
		"  apply        makes the kernel's rules so: only what differs, all or "
		"nothing\n"
		"  diff         what the kernel has against what the policy wants\n"
		"  remove       deletes the rules, and puts back what they had replaced\n"
		"  parity       whether the kernel puts the packets of captures into the same "
		"classes\n"
		"  POLICY       a file, - for standard input\n"
		"  --link NAME  this link alone; else all that have an interface\n"
		"  --strict     what the kernel does not do exactly is an error\n"
		"  --replace    of apply: a qdisc that weir did not make is put aside until "
		"remove\n"
		"  --json       for programs\n\n"
		"show asks nothing of the kernel and needs no privileges: it takes it to have "
		"all\nthat the policy needs. The others need root.\n"
		"Exit: 0 done, or nothing differs; 1 the policy is invalid, cannot be had in "
		"the\nkernel (or not exactly, with --strict), or what the kernel has differs; "
		"2 "
		"it could\nnot be done.\n",
	.run = run,
};
