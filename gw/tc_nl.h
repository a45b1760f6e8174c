/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routing netlink through libnl: dumps, and many requests with an acknowledgement each. The
 * messages themselves are made and read elsewhere (tc_message.h).
 */
#ifndef WEIR_GW_TC_NL_H
#define WEIR_GW_TC_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netlink/msg.h>

struct tc_nl;
struct tc_nl *tc_nl_open(char *err, size_t errsize);
void tc_nl_close(struct tc_nl *nl);

/*
 * The same in a new network namespace, which goes when the socket is closed; this process
 * stays in its own. Needs CAP_SYS_ADMIN.
 */
struct tc_nl *tc_nl_open_scratch(char *err, size_t errsize);

/* Up to so many requests fit one send, so that the room for their answers is sure. */
#define TC_NL_BATCH 256u
#define TC_NL_BATCH_BYTES 131072u

/* What a dump's function says: go on, or stop with an error. */
#define TC_NL_INTERRUPTED 1
/*
 * Sends a dump request (its flags are set here) and hands every message of the answer to fn,
 * which returns 0, or -1 to give up (then err is its own). 0; TC_NL_INTERRUPTED: something
 * changed meanwhile, and what was read may be incomplete; -1 with one line in err, and
 * *error, if there is one, is the errno.
 */
int tc_nl_dump(struct tc_nl *nl, struct nl_msg *request,
	       int (*fn)(const struct nlmsghdr *h, void *arg), void *arg, int *error, char *err,
	       size_t errsize);

/* How one request went. */
struct tc_ack {
	bool came; /* there was an answer */
	int error; /* errno; 0: done */
};

/*
 * Sends the n requests of the buffer in one go (their numbers and NLM_F_ACK are set here) and
 * waits for all the answers; the kernel carries out every one of them, whatever becomes of
 * those before. The words of the first refusal go to `words`. 0, or -1 with one line in err:
 * then not all came.
 */
int tc_nl_batch(struct tc_nl *nl, uint8_t *buf, size_t size, struct tc_ack *ack, size_t n,
		char *words, size_t wordsize, char *err, size_t errsize);

/* One request. 0, or the errno with the kernel's words in err. */
int tc_nl_ask(struct tc_nl *nl, struct nl_msg *request, char *err, size_t errsize);

#endif
