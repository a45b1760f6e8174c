/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the gateway would find to go round a link's queue here, at once: the gateway itself
 * looks every ten seconds.
 *
 *   look INTERFACE BIT/S [BACKEND]  a line for each finding; exit 0, or 2: could not look
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "gw/around.h"

static void tell(void *arg, enum policy_around what, const char *text)
{
	(void)what;
	fprintf(arg, "%s\n", text);
}

int main(int argc, char **argv)
{
	enum policy_backend b = POLICY_BACKEND_QUEUE;

	while (argc == 4 && b < POLICY_BACKEND_KERNEL &&
	       strcmp(policy_backend_name(b), argv[3]) != 0)
		b++;
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "look INTERFACE BIT/S [BACKEND]\n");
		return 2;
	}
	if (around_look(argv[1], strtoull(argv[2], NULL, 10), b, tell, stdout) >= 0)
		return 0;
	fprintf(stderr, "look: %s\n", strerror(errno));
	return 2;
}
