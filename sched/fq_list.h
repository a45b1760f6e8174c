/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists of the fq queue. Their first entry is taken out by `l->head = e->next`, which does
 * not touch the one behind it: so what `prev` of a first entry says means nothing.
 */
#ifndef WEIR_SCHED_FQ_LIST_H
#define WEIR_SCHED_FQ_LIST_H

#include "sched/fq.h"

static inline void fq_list_push(struct fq_list *l, struct fq_ent *e, enum fq_where where)
{
	e->where = (uint8_t)where;
	e->next = NULL;
	e->prev = l->tail;
	if (l->head)
		l->tail->next = e;
	else
		l->head = e;
	l->tail = e;
}

/* From any place in it. */
static inline void fq_list_remove(struct fq_list *l, struct fq_ent *e)
{
	if (l->head == e) {
		l->head = e->next;
		return;
	}
	e->prev->next = e->next;
	if (l->tail == e)
		l->tail = e->prev;
	else
		e->next->prev = e->prev;
}

#endif
