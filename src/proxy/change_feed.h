#pragma once

/*
 * change_feed.h - which sessions have changed, from the store's thread to every worker
 *
 * A reader has at most one message under way, which gathers what comes until it is read. More than CHANGE_FEED_IDS_MAX
 * at once are told as "everything may have changed".
 *
 * Ownership  Part of the control; readers are embedded in their users, who leave before their mailbox closes and keep the
 *            memory until it has closed.
 * Threads    Any.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "io/mailbox.h"
#include "session/store.h"

#define CHANGE_FEED_IDS_MAX 64

struct change_feed;

/* What came together. */
struct change_news {
	bool is_everything;
	size_t count;
	char ids[CHANGE_FEED_IDS_MAX][STORE_KEY_MAX + 1];
};

struct change_reader {
	struct list_node in_feed;
	struct change_feed *feed; /* NULL: it has left */
	struct mailbox *mailbox;
	/* On the mailbox's thread. */
	void (*on_news)(struct change_reader *reader, const struct change_news *news);
	struct mailbox_message message; /* private, like what follows */
	bool is_posted;
	struct change_news *news;
};

struct change_feed *change_feed_new(void);
void change_feed_free(struct change_feed *feed); /* NULL is ignored; all readers have left */

/* mailbox and on_news are set. */
void change_feed_join(struct change_feed *feed, struct change_reader *reader);
void change_feed_leave(struct change_reader *reader); /* idempotent */
void change_reader_done(struct change_reader *reader);

/* Tells all readers. NULL: everything may have changed. */
void change_feed_tell(struct change_feed *feed, const char *id);
