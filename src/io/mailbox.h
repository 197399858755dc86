#pragma once

/*
 * mailbox.h - messages from any thread into one loop
 *
 * Ownership  A posted message belongs to the mailbox, then to on_message.
 * Threads    mailbox_post() from any thread; everything else on the loop's thread. on_message runs on the loop.
 */

#include "base/list.h"

struct loop;
struct mailbox;

struct mailbox_message {
	struct list_node node;
};

struct mailbox *mailbox_open(struct loop *loop,
			     void (*on_message)(void *arg, struct mailbox_message *message),
			     void *arg);
void mailbox_post(struct mailbox *mailbox, struct mailbox_message *message);

/* Messages not yet delivered are given to discard. Nobody may post any more. NULL is ignored. */
void mailbox_close(struct mailbox *mailbox, void (*discard)(struct mailbox_message *message));
