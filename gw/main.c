/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: finds the command and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw/cmd.h"

static const struct cmd *const commands[] = {&cmd_check, &cmd_replay, &cmd_test,
					     &cmd_run,	 &cmd_reload, &cmd_status,
					     &cmd_stats, &cmd_top,    &cmd_tc};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* What the command got, for what is said of its options. */
static int options_n;
static char **options_v;

static void print_usage(FILE *f)
{
	fputs("usage: weir COMMAND [ARGUMENT...]\n\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  weir %-6s %s\n              %s\n", commands[i]->name,
			commands[i]->args, commands[i]->line);
	fputs("\n  weir help COMMAND  (or weir COMMAND --help)  all its options\n"
	      "  weir --version\n\n"
	      "Exit: 0 done; 1 the answer is no; 2 it could not be done. See weir(1).\n",
	      f);
}

int cmd_flush(int status)
{
	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		return cmd_fail("standard output: %s", errno ? strerror(errno) : "write error");
	return status;
}

int cmd_help(const struct cmd *c)
{
	printf("usage: weir %s %s\n\n%s.\n\n%s", c->name, c->args, c->line, c->help);
	return cmd_flush(CMD_OK);
}

/*
 * What getopt would say itself, with the option as it is: opterr is 0. It has gone by the
 * option, or by what stands before the one in a word of short ones.
 */
static void say_option(const struct cmd *c)
{
	const char *arg = optind > 0 && optind <= options_n ? options_v[optind - 1] : "";

	if (!optopt)
		cmd_say("weir %s: unrecognized option '%s'", c->name, arg);
	else if (!strncmp(arg, "--", 2) && strchr(arg, '='))
		cmd_say("weir %s: option '%.*s' takes no argument", c->name,
			(int)strcspn(arg, "="), arg);
	else if (!strncmp(arg, "--", 2))
		cmd_say("weir %s: option '%s' requires an argument", c->name, arg);
	else
		cmd_say("weir %s: invalid option, or one without its argument: '-%c'", c->name,
			optopt);
}

int cmd_usage(const struct cmd *c, const char *fmt, ...)
{
	char prefix[64];
	va_list ap;

	if (fmt) {
		snprintf(prefix, sizeof(prefix), "weir %s: ", c->name);
		va_start(ap, fmt);
		cmd_say_list(prefix, fmt, ap);
		va_end(ap);
	} else {
		say_option(c);
	}
	fprintf(stderr, "usage: weir %s %s\n", c->name, c->args);
	return CMD_FAIL;
}

static const struct cmd *find_command(const char *name)
{
	const char *names[N_COMMANDS + 1] = {0};
	const char *near;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
		names[i] = commands[i]->name;
	}
	near = policy_suggest(name, names);
	fprintf(stderr, "weir: no command \"%s\"", policy_shown(name).s);
	if (near)
		fprintf(stderr, " (did you mean \"%s\"?)", near);
	fputs("\nusage: weir COMMAND [ARGUMENT...]; weir --help lists the commands\n", stderr);
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct cmd *c;

	if (argc > 1) {
		c = find_command(argv[1]);
		return c ? cmd_help(c) : CMD_FAIL;
	}
	print_usage(stdout);
	return cmd_flush(CMD_OK);
}

/*
 * Who starts weir may have closed some of the first three. The next file or socket would get
 * that number, and what is printed would be written into it. So they are taken, by something
 * that fails as a closed one does: reading finds the end, writing is an error.
 */
static int take_standard_files(void)
{
	/* in this order: each that is opened gets the lowest number, which is its own */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	const struct cmd *c;

	if (take_standard_files())
		return CMD_FAIL;
	/* a reader that went away is a write error like others, and exit 2 */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_usage(stderr);
		return CMD_FAIL;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("weir " WEIR_VERSION);
		return cmd_flush(CMD_OK);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	c = find_command(argv[1]);
	if (!c)
		return CMD_FAIL;
	opterr = 0;
	options_n = argc - 1;
	options_v = argv + 1;
	return c->run(options_n, options_v);
}
