#pragma once

/*
 * list.h - doubly linked list whose nodes are embedded in their owners
 *
 * A zeroed node is in no list. list_remove() on it does nothing.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct list_node {
	struct list_node *prev;
	struct list_node *next;
};

struct list {
	struct list_node head; /* head.next is the first, head.prev the last */
};

static inline void list_init(struct list *l)
{
	l->head.prev = &l->head;
	l->head.next = &l->head;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

static inline bool list_node_is_linked(const struct list_node *n)
{
	return n->next != NULL;
}

static inline void list_append(struct list *l, struct list_node *n)
{
	n->prev = l->head.prev;
	n->next = &l->head;
	l->head.prev->next = n;
	l->head.prev = n;
}

static inline void list_remove(struct list_node *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = NULL;
	n->next = NULL;
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *l)
{
	return list_is_empty(l) ? NULL : l->head.next;
}

/* Visits every node; the visited one may be removed. */
#define LIST_FOREACH(list, node)                                                                   \
	for (struct list_node *node = (list)->head.next, *node##_next = node->next;                \
	     node != &(list)->head; node = node##_next, node##_next = node->next)
