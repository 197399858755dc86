#pragma once

/*
 * mailbox.h - messages from any thread into one loop
 *
 * A message carries what is to be done with it.
 *
 * Ownership  A posted message belongs to the mailbox, then to its deliver, or to its discard if the mailbox closes first.
 * Threads    mailbox_post() from any thread; everything else on the loop's thread. deliver runs on the loop.
 */

#include "base/list.h"

struct loop;
struct mailbox;

struct mailbox_message {
	struct list_node node;
	void (*deliver)(struct mailbox_message *message);
	void (*discard)(struct mailbox_message *message); /* NULL: nothing to release */
};

struct mailbox *mailbox_open(struct loop *loop);
void mailbox_post(struct mailbox *mailbox, struct mailbox_message *message);

/* Messages not yet delivered are discarded. Nobody may post any more. NULL is ignored. */
void mailbox_close(struct mailbox *mailbox);
