/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir tc apply, weir tc remove: the kernel's rules as the policy wants them, and away again.
 */
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "gw/cmd_tc.h"
#include "gw/cmd_tc_links.h"
#include "gw/json.h"
#include "gw/tc_applied.h"
#include "gw/tc_ingress.h"

static void busy(void)
{
	fputs("weir: another weir is changing traffic control; waiting for it\n", stderr);
}

/*
 * From here on this process is alone with it, and nothing of all or nothing is left half done
 * because somebody was impatient.
 */
static int alone(void)
{
	sigset_t set;
	char err[256];

	if (tc_lock(busy, err, sizeof(err)) < 0)
		return cmd_fail("%s", err);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return CMD_OK;
}

/* The links before i are taken back as well. */
static int give_up(const struct tc_links *l, size_t i, const char *why)
{
	char err[1024];

	if (i < l->n)
		cmd_fail("link \"%s\": %s", l->link[i]->name, why);
	else
		cmd_fail("%s", why);
	while (i-- > 0)
		if (tc_target_revert(l->target[i], err, sizeof(err)))
			cmd_fail("link \"%s\": taking back what was done: %s", l->link[i]->name,
				 err);
	return CMD_FAIL;
}

/* All links or none. *tables: of nftables, that were changed. */
static int apply(const struct tc_links *l, int *tables)
{
	char err[1024];

	for (size_t i = 0; i < l->n; i++) {
		l->changed[i] = tc_target_apply(l->target[i], err, sizeof(err));
		if (l->changed[i] < 0)
			return give_up(l, i, err);
	}
	/* what was changed for all links, each in one transaction; the last can fail whole */
	*tables = tc_nat_commit(l->nat, l->n, err, sizeof(err));
	return *tables < 0 ? give_up(l, l->n, err) : CMD_OK;
}

/* For `weir status` and the like: nothing of weir's runs from here on. */
static void note(const struct tc_links *l, const struct tc_args *a)
{
	char err[512];
	const char *file = strcmp(a->policy, "-") ? a->policy : "<stdin>";

	if (tc_applied_note(file, l->link, l->n, &l->can, err, sizeof(err)))
		cmd_say("weir: %s: it is applied, and \"weir status\" will not know of it",
			err);
}

static void tell(const struct tc_links *l, int tables)
{
	for (size_t i = 0; i < l->n; i++) {
		int n = l->changed[i];

		printf("%s: %s: ", l->link[i]->name, tc_target_device(l->target[i]));
		if (n)
			printf("%d %s changed\n", n, n == 1 ? "object" : "objects");
		else
			puts("nothing to change");
	}
	if (tables)
		printf("nftables: %d %s for classification before address translation "
		       "changed\n",
		       tables, tables == 1 ? "table" : "tables");
}

static void tell_json(const struct tc_links *l, int tables)
{
	json_t *links, *doc = tc_links_document(l, &links);

	for (size_t i = 0; i < l->n; i++) {
		json_t *j = tc_links_entry(l->link[i], tc_target_device(l->target[i]));

		json_object_set_new(j, "changed", json_integer(l->changed[i]));
		json_array_append_new(links, j);
	}
	json_object_set_new(doc, "nat_tables_changed", json_integer(tables));
	json_print(doc, stdout);
}

int cmd_tc_apply(int argc, char **argv)
{
	struct tc_args a;
	struct tc_links l;
	int status, tables = 0;

	if (!tc_args_get(&a, argc, argv, &status))
		return status;
	status = tc_links_read(&l, &a, true);
	if (!status)
		status = alone();
	if (!status)
		status = tc_links_unclaimed(&l);
	if (!status)
		status = tc_links_open(&l, &a, true);
	if (!status)
		status = apply(&l, &tables);
	if (!status) {
		note(&l, &a);
		(a.json ? tell_json : tell)(&l, tables);
		status = cmd_flush(status);
	}
	tc_links_close(&l);
	return status;
}

static void forget(const char *interface, enum policy_direction way)
{
	char err[512];

	if (tc_applied_forget(interface, way, err, sizeof(err)))
		cmd_say("weir: %s", err);
}

/*
 * With what an earlier version of the policy, whose link had another direction, has left on
 * the interface. 1: removed; 0: there was nothing of weir's; -1 with err.
 */
static int remove_one(const struct policy *p, const struct policy_link *l, char *err,
		      size_t errsize)
{
	bool in = l->direction == POLICY_INGRESS;
	bool both = !tc_links_other(p, l);
	int done = tc_remove(l, err, errsize), other = 0, table = 0;

	if (done >= 0 && both)
		other = tc_remove_other(l, err, errsize);
	if (done >= 0)
		forget(l->interface, l->direction);
	if (done >= 0 && other >= 0 && both)
		forget(l->interface, policy_opposite(l->direction));
	if (done >= 0 && other >= 0 && (!in || both))
		table = tc_nat_remove(l->interface, err, errsize);
	return done < 0 || other < 0 || table < 0 ? -1 : done | other | table;
}

static int remove_all(const struct tc_links *l, const struct tc_args *a)
{
	json_t *links, *doc = a->json ? tc_links_document(l, &links) : NULL;
	int status = CMD_OK;
	char err[1024];

	/* one that cannot be removed is no reason to keep the others */
	for (size_t i = l->n; i-- > 0;) {
		int removed;

		if (tc_link_unclaimed(l->link[i], false)) {
			status = CMD_FAIL;
			continue;
		}
		removed = remove_one(l->policy, l->link[i], err, sizeof(err));

		if (removed < 0) {
			status = cmd_fail("link \"%s\": %s", l->link[i]->name, err);
			continue;
		}
		if (doc) {
			char ifb[IFNAMSIZ];
			json_t *j;

			tc_ingress_name(l->link[i]->interface, ifb);
			j = tc_links_entry(l->link[i], l->link[i]->direction == POLICY_INGRESS
							       ? ifb
							       : l->link[i]->interface);

			json_object_set_new(j, "removed", json_boolean(removed));
			json_array_append_new(links, j);
			continue;
		}
		printf("%s: %s: %s%s\n", l->link[i]->name, l->link[i]->interface,
		       removed ? "removed" : "nothing of weir's",
		       if_nametoindex(l->link[i]->interface) ? ""
							     : " (there is no such interface)");
	}
	if (doc)
		json_print(doc, stdout);
	return cmd_flush(status);
}

int cmd_tc_remove(int argc, char **argv)
{
	struct tc_args a;
	struct tc_links l;
	int status;

	if (!tc_args_get(&a, argc, argv, &status))
		return status;
	/* what was once applied can be removed, whatever its filters mean by now */
	status = tc_links_read(&l, &a, false);
	if (!status)
		status = alone();
	if (!status)
		status = remove_all(&l, &a);
	tc_links_close(&l);
	return status;
}
