/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of the links: their health, and how the kernel and the thread do. */
#include <string.h>

#include "gw/metrics_text.h"

static const char counter[] = "counter", gauge[] = "gauge";

#define LINK(name, expression) \
	static uint64_t link_##name(const struct gateway_link *l) \
	{ \
		return expression; \
	}
LINK(up, l->up)
LINK(running, !l->health.error)
LINK(programmed, l->programmed)
LINK(rate, l->rate_bps)
LINK(mtu, l->mtu)
LINK(warnings, l->n_warning)
LINK(accepted, l->n_accepted)
LINK(held_packets, l->health.held_packets)
LINK(held_bytes, l->health.held_bytes)
LINK(held_peak, l->health.held_packets_max)
LINK(held_limit, l->held_max)
LINK(received, l->health.queue.packets)
LINK(receives, l->health.queue.receives)
LINK(verdicts, l->health.queue.verdicts)
LINK(sends, l->health.queue.sends)
LINK(vanished, l->health.vanished)
LINK(missed, l->health.queue.missed)
LINK(gone, l->health.queue.gone)
LINK(errors, l->health.queue.errors)
LINK(broken, l->health.queue.broken)
LINK(refused, l->health.queue.refused)
LINK(kernel_full, l->kernel_dropped)
LINK(kernel_socket, l->kernel_user_dropped)
LINK(twice, l->health.twice)
LINK(undissected, l->health.undissected)
LINK(segments, l->health.segments)
LINK(flows, l->engine.match.flows)
LINK(flows_made, l->engine.match.flows_made)
LINK(flows_evicted, l->engine.match.flows_evicted)
LINK(cpu, l->health.cpu)
LINK(late_max, l->health.late_max)
LINK(unread, l->health.unread)
LINK(unread_peak, l->health.unread_max)
LINK(unread_wait, l->health.unread_wait)
LINK(unread_late, l->health.unread_late)
LINK(received_first, l->health.first)
LINK(shed_hosts, l->shed_counts.shed_packets)
LINK(shed_all, l->shed_counts.limit_packets)
LINK(stalls, l->health.stalls)
LINK(stall_max, l->health.stall_max)

/* Which links have a metric. */
enum link_kind { ANY, WITH_QUEUE, IN_KERNEL };

static bool is_of(const struct gateway_link *l, enum link_kind kind)
{
	return kind == ANY || (kind == WITH_QUEUE ? l->backend != POLICY_BACKEND_KERNEL
						  : l->backend != POLICY_BACKEND_QUEUE);
}

static const struct link_family {
	const char *name, *type, *help;
	enum metrics_unit unit;
	uint64_t (*get)(const struct gateway_link *l);
	enum link_kind of;
} link_families[] = {
	{"weir_link_up", gauge, "Whether the interface is there and up.", COUNT, link_up, ANY},
	{"weir_link_running", gauge, "Whether the link's queue works.", COUNT, link_running,
	 WITH_QUEUE},
	{"weir_link_programmed", gauge,
	 "Whether the link's classes are in the kernel (backends kernel and mark).", COUNT,
	 link_programmed, IN_KERNEL},
	{"weir_link_rate_bytes_per_second", gauge, "What the policy lets the link send.", RATE,
	 link_rate, ANY},
	{"weir_link_mtu_bytes", gauge, "Largest packet of the interface.", COUNT, link_mtu,
	 ANY},
	{"weir_link_warnings", gauge,
	 "How many things were seen by which traffic goes round the link; weir status has "
	 "them.",
	 COUNT, link_warnings, ANY},
	{"weir_link_warnings_accepted", gauge,
	 "How many more were seen that the policy accepts (accepted-warnings).", COUNT,
	 link_accepted, ANY},
	{"weir_link_held_packets", gauge, "Packets that wait in the kernel.", COUNT,
	 link_held_packets, WITH_QUEUE},
	{"weir_link_held_bytes", gauge, "Bytes of the packets that wait, as IP packets.", COUNT,
	 link_held_bytes, WITH_QUEUE},
	{"weir_link_held_peak_packets", gauge, "Most packets that ever waited.", COUNT,
	 link_held_peak, WITH_QUEUE},
	{"weir_link_held_limit_packets", gauge, "How many packets may wait.", COUNT,
	 link_held_limit, WITH_QUEUE},
	{"weir_link_unread_packets", gauge,
	 "Packets in the kernel's queue that weir has not read yet.", COUNT, link_unread,
	 WITH_QUEUE},
	{"weir_link_unread_peak_packets", gauge, "Most packets that were seen unread.", COUNT,
	 link_unread_peak, WITH_QUEUE},
	{"weir_link_unread_wait_max_seconds", gauge,
	 "How long a packet waited to be read, at most.", SECONDS, link_unread_wait,
	 WITH_QUEUE},
	{"weir_link_unread_late_packets_total", counter,
	 "Packets that waited 100 ms or more before weir read them.", COUNT, link_unread_late,
	 WITH_QUEUE},
	{"weir_link_received_first_packets_total", counter,
	 "Packets that came by the queue that is read first.", COUNT, link_received_first,
	 WITH_QUEUE},
	{"weir_link_shed_hosts_packets_total", counter,
	 "Packets of hosts that flood, dropped before the queue.", COUNT, link_shed_hosts,
	 WITH_QUEUE},
	{"weir_link_shed_all_packets_total", counter,
	 "Packets of a crowd of senders that floods, dropped before the queue.", COUNT,
	 link_shed_all, WITH_QUEUE},
	{"weir_link_stalls_total", counter,
	 "Times the link's thread stood still for 250 ms or more.", COUNT, link_stalls,
	 WITH_QUEUE},
	{"weir_link_stall_max_seconds", gauge,
	 "The longest time the thread did not run when it was to.", SECONDS, link_stall_max,
	 WITH_QUEUE},
	{"weir_link_received_packets_total", counter, "Packets that came from the kernel.",
	 COUNT, link_received, WITH_QUEUE},
	{"weir_link_receive_calls_total", counter, "System calls that these took.", COUNT,
	 link_receives, WITH_QUEUE},
	{"weir_link_verdicts_total", counter, "Verdicts given to the kernel.", COUNT,
	 link_verdicts, WITH_QUEUE},
	{"weir_link_verdict_calls_total", counter, "System calls that these took.", COUNT,
	 link_sends, WITH_QUEUE},
	{"weir_link_vanished_packets_total", counter,
	 "Packets that went while they were held: a base chain was deleted, or the interface "
	 "went down.",
	 COUNT, link_vanished, WITH_QUEUE},
	{"weir_link_missed_packets_total", counter,
	 "Packets that were lost between the kernel and weir.", COUNT, link_missed, WITH_QUEUE},
	{"weir_link_verdict_gone_total", counter, "Verdicts on packets that had vanished.",
	 COUNT, link_gone, WITH_QUEUE},
	{"weir_link_verdict_errors_total", counter,
	 "Verdicts that the kernel refused for another reason.", COUNT, link_errors,
	 WITH_QUEUE},
	{"weir_link_broken_messages_total", counter,
	 "Messages of the kernel that could not be understood.", COUNT, link_broken,
	 WITH_QUEUE},
	{"weir_link_queue_changes_refused_total", counter,
	 "Changes of the queue that the kernel would not make: segments whole or cut.", COUNT,
	 link_refused, WITH_QUEUE},
	{"weir_link_kernel_queue_dropped_packets_total", counter,
	 "Packets that the kernel dropped because its queue was full.", COUNT, link_kernel_full,
	 WITH_QUEUE},
	{"weir_link_kernel_socket_dropped_packets_total", counter,
	 "Packets that the kernel dropped because weir did not read fast enough.", COUNT,
	 link_kernel_socket, WITH_QUEUE},
	{"weir_link_repeated_packets_total", counter,
	 "Packets that came a second time and were let through.", COUNT, link_twice,
	 WITH_QUEUE},
	{"weir_link_undissected_packets_total", counter,
	 "Packets without a believable IP header; they were let through.", COUNT,
	 link_undissected, WITH_QUEUE},
	{"weir_link_segmented_packets_total", counter,
	 "Packets of several segments that were taken whole.", COUNT, link_segments,
	 WITH_QUEUE},
	{"weir_link_flows", gauge, "Flows in the flow table.", COUNT, link_flows, WITH_QUEUE},
	{"weir_link_flows_created_total", counter, "Flows that were entered into it.", COUNT,
	 link_flows_made, WITH_QUEUE},
	{"weir_link_flows_evicted_total", counter,
	 "Flows that were forgotten for want of room in it.", COUNT, link_flows_evicted,
	 WITH_QUEUE},
	{"weir_link_cpu_seconds_total", counter, "Processor time of the link's thread.",
	 SECONDS, link_cpu, WITH_QUEUE},
	{"weir_link_wakeup_lateness_max_seconds", gauge,
	 "How late the thread came to what was due, at most.", SECONDS, link_late_max,
	 WITH_QUEUE},
};

static void print_link_labels(FILE *f, const char *family, const struct gateway_link *l)
{
	fprintf(f, "%s{", family);
	metrics_label(f, "link", l->name);
}

static void print_info(FILE *f, const struct gateway_link *l)
{
	print_link_labels(f, "weir_link_info", l);
	fputc(',', f);
	metrics_label(f, "interface", l->interface);
	fprintf(f, ",backend=\"%s\"", policy_backend_name(l->backend));
	if (is_of(l, IN_KERNEL)) {
		fputc(',', f);
		metrics_label(f, "device", l->device ? l->device : "");
	}
	if (is_of(l, WITH_QUEUE))
		fprintf(f, ",queue=\"%u\",segments=\"%s\"", l->queue,
			l->segments ? "whole" : "cut");
	fputs("} 1\n", f);
}

/* late_hist[i] has what is below 2^i us, its last one all that is more. */
static void print_lateness(FILE *f, const struct gateway_snapshot *s)
{
	static const char name[] = "weir_link_wakeup_lateness_seconds";
	const unsigned last = LENGTH(s->link->health.late_hist) - 1;

	metrics_begin(f, name, "histogram", "How late the thread came to what was due.");
	for (size_t i = 0; i < s->n_link; i++) {
		const struct gateway_link *l = &s->link[i];
		uint64_t n = 0;

		if (!is_of(l, WITH_QUEUE))
			continue;

		for (unsigned k = 0; k <= last; k++) {
			n += l->health.late_hist[k];
			if (k > 20 && k < last)
				continue; /* above one second, finer steps tell nothing */
			fprintf(f, "%s_bucket{", name);
			metrics_label(f, "link", l->name);
			fputs(",le=\"", f);
			if (k < last)
				metrics_fraction(f, (1u << k) / 1000000, (1u << k) % 1000000,
						 6);
			else
				fputs("+Inf", f);
			fputs("\"}", f);
			metrics_value(f, COUNT, n);
		}
		fprintf(f, "%s_sum{", name);
		metrics_label(f, "link", l->name);
		fputc('}', f);
		metrics_seconds(f, l->health.late_sum);
		fprintf(f, "%s_count{", name);
		metrics_label(f, "link", l->name);
		fputc('}', f);
		metrics_value(f, COUNT, n);
	}
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static bool same_finding(const struct gateway_finding *a, const struct gateway_finding *b)
{
	return a->kind == b->kind && a->severity == b->severity &&
	       same_text(a->link, b->link) && same_text(a->class, b->class);
}

/* One sample for each finding: its value is how long it has lasted. */
static void print_findings(FILE *f, const struct gateway_snapshot *s)
{
	metrics_begin(f, "weir_finding_age_seconds", "gauge",
		      "What is wrong, as weir status has it: for how long, 0 where that is not "
		      "known.");
	for (size_t i = 0; i < s->n_finding; i++) {
		const struct gateway_finding *k = &s->finding[i];
		bool again = false;

		/* of a class there is one of each kind; two losses, or ways round, are one
		 * sample */
		for (size_t n = 0; k->kind >= JUDGE_LOSS && n < i && !again; n++)
			again = same_finding(&s->finding[n], k);
		if (again)
			continue;
		fputs("weir_finding_age_seconds{", f);
		metrics_label(f, "link", k->link ? k->link : "");
		fputc(',', f);
		metrics_label(f, "class", k->class ? k->class : "");
		fprintf(f, ",kind=\"%s\",severity=\"%s\"}", judge_kind_name(k->kind),
			judge_severity_name(k->severity));
		metrics_seconds(f, k->since && s->now > k->since ? s->now - k->since : 0);
	}
}

void metrics_links(FILE *f, const struct gateway_snapshot *s)
{
	metrics_begin(
		f, "weir_link_info", gauge,
		"The link's interface and backend, the device of its classes in the kernel, "
		"its queue number, and whether large segments are taken whole; always 1.");
	for (size_t i = 0; i < s->n_link; i++)
		print_info(f, &s->link[i]);
	for (size_t k = 0; k < LENGTH(link_families); k++) {
		const struct link_family *o = &link_families[k];

		metrics_begin(f, o->name, o->type, o->help);
		for (size_t i = 0; i < s->n_link; i++) {
			if (!is_of(&s->link[i], o->of))
				continue;
			print_link_labels(f, o->name, &s->link[i]);
			fputc('}', f);
			metrics_value(f, o->unit, o->get(&s->link[i]));
		}
	}
	print_lateness(f, s);
	print_findings(f, s);
}
