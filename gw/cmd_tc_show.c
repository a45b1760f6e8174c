/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir tc show: what the kernel's rules would be, and what became of each key. */
#include <getopt.h>
#include <net/if_arp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/cmd_tc.h"
#include "gw/json.h"
#include "gw/tc_nat.h"
#include "gw/tc_show.h"

struct args {
	const char *policy, *link;
	bool strict, json;
};

/*
 * The device as far as anybody may ask. One that is not there is taken for an Ethernet with
 * packets of the usual size.
 */
static void look_at(const struct policy_link *l, struct tc_shown *s)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	s->device = (struct tc_device){14, 1500};
	s->there = false;
	if (fd < 0)
		return;
	if (l->interface && strlen(l->interface) < IFNAMSIZ) {
		memcpy(r.ifr_name, l->interface, strlen(l->interface));
		if (!ioctl(fd, SIOCGIFHWADDR, &r)) {
			s->there = true;
			if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER &&
			    r.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
				s->device.header = 0;
		}
		if (s->there && !ioctl(fd, SIOCGIFMTU, &r) && r.ifr_mtu > 0)
			s->device.mtu = (uint32_t)r.ifr_mtu;
	}
	close(fd);
}

/* One link. CMD_OK, CMD_NO: it cannot be had (or not exactly); CMD_FAIL: out of memory. */
static int show_link(const struct args *a, const struct policy *p, const struct policy_link *l,
		     struct policy_report *r, json_t *links)
{
	static const struct tc_can all = {true, true, true, true, true, true, true};
	struct tc_shown s = {0};
	int status = CMD_OK, loose, translates;
	char err[1024], who[160];

	look_at(l, &s);
	s.plan = tc_plan_new(p, l, &all, &s.device, r, err, sizeof(err));
	if (!s.plan && !*err && !r->errors)
		return cmd_fail("out of memory");
	if (!s.plan) {
		if (*err)
			cmd_say("%s", err);
		return CMD_NO;
	}
	translates = tc_nat_who(who, sizeof(who));
	if (translates && tc_plan_translated(s.plan, translates > 0)) {
		tc_plan_free(s.plan);
		return cmd_fail("out of memory");
	}
	if (a->strict) {
		loose = tc_plan_complain(s.plan, p, POLICY_ERROR, r);
		status = loose < 0 ? cmd_fail("out of memory") : loose ? CMD_NO : CMD_OK;
	}
	if (a->json)
		json_array_append_new(links, tc_show_json(&s));
	else if (tc_show_text(stdout, &s))
		status = cmd_fail("out of memory");
	tc_plan_free(s.plan);
	return status;
}

static int show_policy(const struct args *a, const struct policy *p)
{
	struct policy_report to = {.fn = cmd_complain};
	struct policy_gather g;
	json_t *links = a->json ? json_array() : NULL;
	int worst = CMD_OK;

	policy_gather_begin(&g, &to);
	for (size_t i = 0, shown = 0; i < p->n_link; i++) {
		int status;

		if (a->link && strcmp(a->link, p->link[i]->name) != 0)
			continue;
		if (shown++ && !a->json)
			putchar('\n');
		status = show_link(a, p, p->link[i], &g.report, links);
		worst = status > worst ? status : worst;
	}
	policy_gather_end(&g);
	if (a->json) {
		json_t *doc = json_object();

		json_head(doc);
		json_object_set_new(doc, "policy", json_text(p->file));
		json_object_set_new(doc, "links", links);
		json_print(doc, stdout);
	}
	return cmd_flush(worst);
}

static int show(const struct args *a)
{
	int status;
	struct policy *p = cmd_policy(a->policy, &status);

	if (!p)
		return status;
	if (a->link && !policy_find_link(p, a->link))
		status = cmd_fail("%s has no link \"%s\"", p->file, policy_shown(a->link).s);
	else
		status = show_policy(a, p);
	policy_free(p);
	return status;
}

int cmd_tc_show(int argc, char **argv)
{
	static const struct option options[] = {{"link", required_argument, NULL, 'l'},
						{"strict", no_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct args a = {0};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			a.link = optarg;
			break;
		case 's':
			a.strict = true;
			break;
		case 'j':
			a.json = true;
			break;
		case 'h':
			return cmd_help(&cmd_tc);
		default:
			return cmd_usage(&cmd_tc, NULL);
		}
	}
	if (argc - optind != 1)
		return cmd_usage(&cmd_tc, optind == argc ? "no policy is named"
							 : "show takes one policy");
	a.policy = argv[optind];
	return show(&a);
}
