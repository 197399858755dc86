/*
 * One mutex for all readers: it is held to copy a name of a few bytes, and by a reader to take what has come. A message that is
 * posted and not yet read is joined by what comes later; so the mailbox of a worker that is busy never grows.
 */

#include "proxy/change_feed.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

struct change_feed {
	pthread_mutex_t lock; /* guards the readers' list, and of each is_posted and news */
	struct list readers;
};

static void lock(struct change_feed *feed)
{
	int rc = pthread_mutex_lock(&feed->lock);

	assert(rc == 0);
}

static void unlock(struct change_feed *feed)
{
	int rc = pthread_mutex_unlock(&feed->lock);

	assert(rc == 0);
}

struct change_feed *change_feed_new(void)
{
	struct change_feed *feed = mem_alloc(sizeof(*feed));
	int rc = pthread_mutex_init(&feed->lock, NULL);

	assert(rc == 0);
	list_init(&feed->readers);
	return feed;
}

void change_feed_free(struct change_feed *feed)
{
	if (!feed)
		return;
	assert(list_is_empty(&feed->readers));
	(void)pthread_mutex_destroy(&feed->lock); /* nobody holds it */
	mem_free(feed);
}

/* ---- telling ---- */

static bool has_id(const struct change_news *news, const char *id)
{
	for (size_t i = 0; i < news->count; i++)
		if (str_equal(str_from(news->ids[i]), str_from(id)))
			return true;
	return false;
}

static void add(struct change_news *news, const char *id)
{
	if (news->is_everything || (id && has_id(news, id)))
		return;
	if (!id || news->count == CHANGE_FEED_IDS_MAX) {
		news->is_everything = true;
		return;
	}
	(void)snprintf(news->ids[news->count], sizeof(news->ids[0]), "%s", id); /* fits */
	news->count++;
}

static void deliver(struct mailbox_message *message)
{
	struct change_reader *reader = container_of(message, struct change_reader, message);
	struct change_feed *feed = reader->feed;
	struct change_news *news;

	if (!feed)
		return;
	news = mem_alloc(sizeof(*news));
	lock(feed);
	*news = *reader->news;
	*reader->news = (struct change_news){ 0 };
	reader->is_posted = false;
	unlock(feed);
	reader->on_news(reader, news);
	mem_free(news);
}

void change_feed_tell(struct change_feed *feed, const char *id)
{
	lock(feed);
	LIST_FOREACH (&feed->readers, node) {
		struct change_reader *reader = container_of(node, struct change_reader, in_feed);

		add(reader->news, id);
		if (reader->is_posted)
			continue;
		reader->is_posted = true;
		reader->message.deliver = deliver;
		mailbox_post(reader->mailbox, &reader->message);
	}
	unlock(feed);
}

/* ---- readers ---- */

void change_feed_join(struct change_feed *feed, struct change_reader *reader)
{
	reader->news = mem_alloc(sizeof(*reader->news));
	reader->feed = feed;
	lock(feed);
	list_append(&feed->readers, &reader->in_feed);
	unlock(feed);
}

void change_feed_leave(struct change_reader *reader)
{
	struct change_feed *feed = TAKE(reader->feed);

	if (!feed)
		return;
	lock(feed);
	list_remove(&reader->in_feed);
	unlock(feed);
}

void change_reader_done(struct change_reader *reader)
{
	assert(!reader->feed);
	mem_free(TAKE(reader->news));
}
