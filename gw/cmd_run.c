/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir run`: the gateway in the foreground, and all that reaches it from outside. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/cmd.h"
#include "gw/cmd_policy.h"
#include "gw/control.h"
#include "gw/gateway.h"
#include "gw/json.h"
#include "gw/metrics.h"
#include "gw/nfq.h"
#include "gw/notify.h"
#include "gw/privilege.h"
#include "gw/setnft.h"
#include "gw/snapshot_json.h"
#include "gw/tc_apply.h"
#include "gw/tc_plan.h"
#include "gw/tc_state.h"

#define TICK UINT64_C(1000000000)
#define COMPLAINTS_MAX 1000u

enum { FD_SIGNAL, FD_CONTROL, FD_GATEWAY, FD_METRICS, FD_RELOAD, FD_ALARM, FD_SETS, FD_N };

struct run {
	const char *file, *socket, *listen, *name, *user;
	uint16_t queue_from;
	struct policy *policy;
	struct gateway *gateway;
	struct control *control;
	struct metrics *metrics;
	struct tc_can can;
	int tc_lock; /* -1: none */
	int signals;
	bool core_dumps;
	bool journal; /* lines go to systemd's journal: their level in front */
	bool stop;
	/* of a reload that is under way */
	uint64_t ticket; /* it is the answer to those with this one and all before */
	uint64_t asked;	 /* the last ticket */
	uint64_t began;
	bool again; /* one more was asked for meanwhile: the file may be another by now */
};

static void say(void *arg, int level, const char *text)
{
	const struct run *r = arg;

	if (r->journal)
		cmd_say("<%d>%s", level, text);
	else
		cmd_say("weir: %s%s", level == 4 ? "warning: " : "", text);
}

/* ---- What others ask. */

static json_t *no_memory(void)
{
	json_t *j = json_object();

	json_object_set_new(j, "error", json_string("no memory"));
	return j;
}

static json_t *on_status(void *arg)
{
	struct run *r = arg;
	struct gateway_snapshot *s = gateway_snapshot(r->gateway);
	json_t *j = s ? snapshot_status(s) : no_memory();

	gateway_snapshot_free(s);
	return j;
}

#define CLASS_COST 1024u /* bytes of one in a snapshot, more or less */

static char *next_piece(void *of, size_t *n)
{
	return snapshot_pieces_next(of, n);
}

static void end_pieces(void *of)
{
	snapshot_pieces_end(of);
}

static bool on_stats(void *arg, bool histograms, struct control_pieces *to)
{
	struct run *r = arg;
	struct gateway_snapshot *s = gateway_snapshot(r->gateway);
	size_t classes = 0;

	for (size_t i = 0; s && i < s->n_link; i++)
		classes += s->link[i].n_class;
	*to = (struct control_pieces){next_piece, end_pieces, NULL, classes * CLASS_COST};
	to->of = s ? snapshot_pieces(s, histograms) : NULL;
	return to->of != NULL;
}

static struct gateway_snapshot *on_metrics(void *arg)
{
	struct run *r = arg;

	return gateway_snapshot(r->gateway);
}

/* Complaints of a reload go to the log and to whoever asked for it. */
struct complaints {
	struct run *run;
	json_t *list;
};

static void complain(void *arg, enum policy_severity sev, const char *file,
		     struct policy_mark at, const char *text)
{
	struct complaints *c = arg;
	char line[1024];
	json_t *j;

	snprintf(line, sizeof(line), "%s:%d:%d: %s", file, at.line, at.col, text);
	say(c->run, sev == POLICY_ERROR ? 3 : 4, line);
	if (json_array_size(c->list) >= COMPLAINTS_MAX)
		return;
	j = json_object();
	json_object_set_new(j, "severity",
			    json_string(sev == POLICY_ERROR ? "error" : "warning"));
	json_object_set_new(j, "file", json_text(file));
	json_object_set_new(j, "line", json_integer(at.line));
	json_object_set_new(j, "column", json_integer(at.col));
	json_object_set_new(j, "text", json_text(text));
	json_array_append_new(c->list, j);
}

static json_t *refusal(const char *text)
{
	json_t *j = json_object();

	json_object_set_new(j, "error", json_text(text));
	json_object_set_new(j, "complaints", json_array());
	return j;
}

/* 0, or -1 with one line in err. */
static int begin_reload(struct run *r, char *err, size_t size)
{
	r->ticket = r->asked;
	if (gateway_reload_begin(r->gateway, err, size))
		return -1;
	r->began = clock_now();
	notify_reloading();
	return 0;
}

/*
 * One that comes while another is under way has its turn afterwards: who asks wants the file as
 * it is now, and the one before may have read it earlier. However many ask, it is one more.
 */
static json_t *on_reload(void *arg, uint64_t ticket, bool *ok)
{
	struct run *r = arg;
	char err[300];

	*ok = false;
	r->asked = ticket;
	if (gateway_reloading(r->gateway)) {
		r->again = true;
		return NULL;
	}
	return begin_reload(r, err, sizeof(err)) ? refusal(err) : NULL;
}

static void reload_by_signal(struct run *r)
{
	char err[300];

	if (gateway_reloading(r->gateway)) {
		r->again = true;
		say(r, 6,
		    "SIGHUP while the policy is being read: it is read once more after that");
	} else if (begin_reload(r, err, sizeof(err))) {
		say(r, 3, err);
	}
}

/* What was asked for while another reload was under way. */
static void reload_again(struct run *r)
{
	char err[300];

	r->again = false;
	if (!begin_reload(r, err, sizeof(err)))
		return;
	say(r, 3, err);
	control_answer(r->control, r->ticket, refusal(err), false);
}

/* What a reload that has ended is answered with, and what the log says of it. */
static void end_reload(struct run *r, bool ok, struct complaints *c, char *err, size_t size)
{
	json_t *j = json_object();

	if (ok) {
		say(r, 6, "the policy was read again and is in force");
	} else {
		if (!err[0])
			snprintf(err, size, "%s is not valid", r->file);
		say(r, 3, err);
		say(r, 3, "nothing was changed: the policy before stays in force");
		json_object_set_new(j, "error", json_text(err));
	}
	json_object_set_new(j, "complaints", c->list);
	control_answer(r->control, r->ticket, j, ok);
	notify_send("READY=1");
	if (r->again)
		reload_again(r);
}

/* Goes on with a reload that is under way. */
static void step_reload(struct run *r)
{
	struct complaints c = {r, json_array()};
	struct policy_report report = {.fn = complain, .arg = &c};
	char err[512] = "";
	enum gateway_reload is = gateway_reload_step(r->gateway, &report, err, sizeof(err));

	if (is == RELOAD_GOES_ON)
		json_decref(c.list);
	else
		end_reload(r, is == RELOAD_TOOK_OVER, &c, err, sizeof(err));
}

/* Whoever waits for a reload hears that it goes on. */
static void tell_progress(struct run *r)
{
	char text[128];

	if (!gateway_reloading(r->gateway))
		return;
	snprintf(text, sizeof(text), "%s (%" PRIu64 " s)", gateway_reload_doing(r->gateway),
		 (clock_now() - r->began) / TICK);
	control_progress(r->control, r->asked, text);
}

static void on_signal(struct run *r)
{
	struct signalfd_siginfo s;

	while (read(r->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo == SIGHUP)
			reload_by_signal(r);
		else
			r->stop = true;
	}
}

/* ---- Starting and stopping. */

static int block_signals(struct run *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* before any thread is made: they take it over */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	r->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return r->signals < 0 ? -1 : 0;
}

static int read_policy(struct run *r)
{
	struct policy_report report = {.fn = cmd_complain};
	int status;

	r->policy = cmd_policy_read(r->file, &report, &status);
	if (!r->policy)
		return status;
	if (gateway_check(r->policy, &report) || !setnft_read_all(r->policy, &report))
		return CMD_NO;
	return CMD_OK;
}

static int open_outside(struct run *r, const struct privilege_user *u, char *err, size_t size)
{
	struct control_ops ops = {
		.status = on_status, .stats_pieces = on_stats, .reload = on_reload, .arg = r};
	bool loopback;

	/* its group's only: root finds out whether it is dead, whatever root may do otherwise
	 */
	r->control =
		control_open(r->socket, (uid_t)-1, u ? u->gid : (gid_t)-1, &ops, err, size);
	if (!r->control)
		return -1;
	if (!r->listen)
		return 0;
	r->metrics = metrics_open(r->listen, r->name, on_metrics, r, &loopback, err, size);
	if (r->metrics && !loopback)
		say(r, 4,
		    "the metrics can be read by others than this host: their address is not "
		    "loopback");
	return r->metrics ? 0 : -1;
}

/* Another user could not open it any more, and a later policy may need it. */
static int open_tc_lock(struct run *r)
{
	char err[300], text[400];

	r->tc_lock = tc_lock_open(err, sizeof(err));
	if (r->tc_lock < 0 && gateway_any_in_kernel(r->policy)) {
		snprintf(text, sizeof(text),
			 "%s: a \"weir tc\" of the same moment is not waited for", err);
		say(r, 4, text);
	}
	return r->tc_lock;
}

static int set_core_dumps(const struct run *r, char *err, size_t size)
{
	if (!privilege_core_dumps(r->core_dumps))
		return 0;
	snprintf(err, size, "core dumps: %s", strerror(errno));
	return -1;
}

static int start(struct run *r, char *err, size_t size)
{
	struct gateway_opts o = {.policy = r->policy,
				 .file = r->file,
				 .queue_from = r->queue_from,
				 .log = say,
				 .arg = r};
	struct privilege_user user;
	char unheard[200];
	bool second;

	if (set_core_dumps(r, err, size) || privilege_check(err, size) ||
	    (r->user && privilege_find(r->user, &user, err, size)))
		return -1;
	if (open_outside(r, r->user ? &user : NULL, err, size))
		return -1;
	if (nfq_kernel_keep()) {
		snprintf(err, size, "/proc/net/netfilter/nfnetlink_queue: %s", strerror(errno));
		return -1;
	}
	/* where that is not permitted, status says so */
	if (privilege_allow_realtime())
		(void)privilege_go_first();
	/* a later policy may need it, and then it cannot be found out any more */
	if (!tc_probe(&r->can, unheard, sizeof(unheard)))
		o.can = &r->can;
	o.tc_lock = open_tc_lock(r);
	/* all that follows needs CAP_NET_ADMIN and nothing else */
	if (privilege_drop(r->user ? &user : NULL, err, size))
		return -1;
	if (set_core_dumps(r, err, size))
		return -1;
	r->gateway = gateway_open(&o, &second, err, size);
	if (!r->gateway)
		return -1;
	r->policy = NULL; /* the gateway's now */
	return 0;
}

static void finish(struct run *r)
{
	if (r->control && r->ticket)
		control_answer(
			r->control, r->ticket,
			refusal("the gateway was ended before the policy could take over"),
			false);
	if (r->control)
		control_close(r->control);
	if (r->metrics)
		metrics_close(r->metrics);
	if (r->gateway)
		gateway_close(r->gateway);
	if (r->tc_lock >= 0)
		close(r->tc_lock);
	if (r->signals >= 0)
		close(r->signals);
	policy_free(r->policy);
}

/* ms until `due`, rounded up. */
static int until(uint64_t due, uint64_t now)
{
	return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

static int wait_ms(const struct run *r, uint64_t tick, uint64_t now)
{
	int ms = until(tick, now), other = r->metrics ? metrics_timeout(r->metrics) : -1;
	int reload = gateway_reload_wait(r->gateway), shed = gateway_shed_wait(r->gateway);

	if (other >= 0 && other < ms)
		ms = other;
	if (shed >= 0 && shed < ms)
		ms = shed;
	return reload >= 0 && reload < ms ? reload : ms;
}

/* Until somebody ends it. CMD_OK, or CMD_FAIL: it cannot go on. */
static int serve(struct run *r)
{
	struct pollfd fd[FD_N] = {
		[FD_SIGNAL] = {.fd = r->signals, .events = POLLIN},
		[FD_CONTROL] = {.fd = control_fd(r->control), .events = POLLIN},
		[FD_GATEWAY] = {.fd = gateway_fd(r->gateway), .events = POLLIN},
		[FD_METRICS] = {.fd = r->metrics ? metrics_fd(r->metrics) : -1,
				.events = POLLIN},
		[FD_RELOAD] = {.events = POLLIN},
		[FD_ALARM] = {.events = POLLIN},
		[FD_SETS] = {.events = POLLIN},
	};
	uint64_t every = TICK, tick = clock_now() + every;

	/* half of what the service manager allows, so that one late tick does no harm */
	if (notify_watchdog() && notify_watchdog() / 2 < every)
		every = notify_watchdog() / 2;
	while (!r->stop) {
		fd[FD_RELOAD].fd = gateway_reload_fd(r->gateway);
		fd[FD_ALARM].fd = gateway_alarm_fd(r->gateway);
		fd[FD_SETS].fd = gateway_sets_fd(r->gateway);
		if (poll(fd, FD_N, wait_ms(r, tick, clock_now())) < 0 && errno != EINTR)
			return cmd_fail("poll: %s", strerror(errno));
		if (fd[FD_SIGNAL].revents)
			on_signal(r);
		if (fd[FD_GATEWAY].revents)
			gateway_event(r->gateway);
		if (fd[FD_SETS].revents)
			gateway_sets_event(r->gateway);
		gateway_shed(r->gateway, fd[FD_ALARM].revents != 0);
		if (fd[FD_CONTROL].revents)
			control_event(r->control);
		if (r->metrics)
			metrics_event(r->metrics);
		if (!r->stop && gateway_reloading(r->gateway))
			step_reload(r);
		if (clock_now() < tick)
			continue;
		tick = clock_now() + every;
		gateway_tick(r->gateway);
		if (!gateway_alive(r->gateway))
			return CMD_FAIL;
		notify_send("WATCHDOG=1");
		tell_progress(r);
	}
	return CMD_OK;
}

static int gateway(struct run *r)
{
	char err[512] = "", text[128];
	int status = read_policy(r);

	if (status == CMD_OK && (block_signals(r) || start(r, err, sizeof(err))))
		status = cmd_fail("%s", err[0] ? err : strerror(errno));
	if (status == CMD_OK) {
		snprintf(text, sizeof(text), "%s is in force; weir status --socket %.60s",
			 r->file, r->socket);
		say(r, 6, text);
		notify_send("READY=1\nSTATUS=shaping");
		status = serve(r);
		notify_send("STOPPING=1");
		say(r, 6, "letting go what is held");
	}
	finish(r);
	return status;
}

static int number(const char *text, unsigned long max, unsigned long *n)
{
	char *end;

	errno = 0;
	*n = strtoul(text, &end, 10);
	return errno || end == text || *end || *n > max ? -1 : 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"metrics", required_argument, NULL, 'm'},
						{"metrics-name", required_argument, NULL, 'n'},
						{"user", required_argument, NULL, 'u'},
						{"queue-from", required_argument, NULL, 'q'},
						{"core-dumps", no_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct run r = {.socket = CONTROL_PATH, .signals = -1, .tc_lock = -1};
	unsigned long n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			r.socket = optarg;
			break;
		case 'm':
			r.listen = optarg;
			break;
		case 'n':
			r.name = optarg;
			break;
		case 'u':
			r.user = optarg;
			break;
		case 'q':
			if (number(optarg, UINT16_MAX, &n) || !n)
				return cmd_usage(&cmd_run,
						 "--queue-from %s: a number from 1 to 65535",
						 optarg);
			r.queue_from = (uint16_t)n;
			break;
		case 'c':
			r.core_dumps = true;
			break;
		case 'h':
			return cmd_help(&cmd_run);
		default:
			return cmd_usage(&cmd_run, NULL);
		}
	}
	if (argc - optind != 1)
		return cmd_usage(&cmd_run,
				 optind == argc ? "no policy is named" : "one policy");
	r.file = argv[optind];
	if (!strcmp(r.file, "-"))
		return cmd_usage(&cmd_run, "a policy in a file: it is read again by a reload");
	r.journal = getenv("JOURNAL_STREAM") != NULL;
	return gateway(&r);
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "POLICY [--socket PATH] [--metrics ADDR:PORT] [--metrics-name NAME] [--user "
		"NAME] [--core-dumps]",
	.line = "The gateway: shapes what leaves by the policy's interfaces, in the foreground",
	.help = "  POLICY               a file; every link in it needs an \"interface\"\n"
		"  --socket PATH        where `weir status`, stats, top and reload ask\n"
		"                       (default " CONTROL_PATH ")\n"
		"  --metrics ADDR:PORT  Prometheus metrics at http://ADDR:PORT/metrics\n"
		"  --metrics-name NAME  a name by which the metrics may be asked for, beside\n"
		"                       addresses, localhost and this host's own\n"
		"  --user NAME          become this user when all is set up\n"
		"  --queue-from N       first netfilter queue number to use (21000)\n"
		"  --core-dumps         let a crash leave a core dump, which holds headers of "
		"packets\n\n"
		"Signals: SIGHUP reads the policy again; SIGTERM and SIGINT let go all that "
		"is\n"
		"held, in order, and end it. Needs root, or CAP_NET_ADMIN; keeps only that.\n"
		"Exit: 0 it was ended; 1 the policy is invalid; 2 it could not start or go "
		"on.\n",
	.run = run,
};
