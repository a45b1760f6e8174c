/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir tc` beside a running gateway: what that has is its own. */
#include "gw/claim.h"
#include "gw/cmd_tc_links.h"

int tc_link_unclaimed(const struct policy_link *l, bool apply)
{
	char err[256];
	enum claim is;

	if (claim_of(l->interface, l->direction, &is, err, sizeof(err)))
		return cmd_fail("link \"%s\": %s", l->name, err);
	if (is == CLAIM_TC)
		return cmd_fail(
			"link \"%s\": a running gateway (weir run) has the kernel's "
			"classes of %s: change its policy and \"weir reload\", or stop it "
			"first",
			l->name, policy_shown(l->interface).s);
	/* what was left there before can be taken away meanwhile */
	if (is == CLAIM_QUEUE && apply)
		return cmd_fail(
			"link \"%s\": a running gateway (weir run) shapes what leaves by "
			"%s, and packets would be shaped twice: stop it first, or let it "
			"do that (\"backend: kernel\" in its policy)",
			l->name, policy_shown(l->interface).s);
	return CMD_OK;
}

int tc_links_unclaimed(const struct tc_links *l)
{
	int status = CMD_OK;

	for (size_t i = 0; i < l->n; i++)
		if (tc_link_unclaimed(l->link[i], true))
			status = CMD_FAIL;
	return status;
}

bool tc_link_other_claimed(const struct policy_link *l)
{
	char ignored[256];
	enum claim is;

	return claim_of(l->interface, policy_opposite(l->direction), &is, ignored,
			sizeof(ignored)) ||
	       is == CLAIM_TC;
}
