/*
 * change_feed_test.c - news come together, in bounded memory, and none is lost
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "io/loop.h"
#include "proxy/change_feed.h"

struct fixture {
	struct loop *loop;
	struct mailbox *mailbox;
	struct change_feed *feed;
	struct change_reader reader;
	unsigned message_count;
	struct change_news last;
	uint64_t id_count; /* of all messages */
};

static void on_news(struct change_reader *reader, const struct change_news *news)
{
	struct fixture *f = container_of(reader, struct fixture, reader);

	f->message_count++;
	f->last = *news;
	f->id_count += news->count;
}

static void open_fixture(struct fixture *f)
{
	*f = (struct fixture){ .loop = loop_new(), .feed = change_feed_new() };
	f->mailbox = mailbox_open(f->loop);
	f->reader.mailbox = f->mailbox;
	f->reader.on_news = on_news;
	change_feed_join(f->feed, &f->reader);
}

static void close_fixture(struct fixture *f)
{
	change_feed_leave(&f->reader);
	change_feed_leave(&f->reader);
	mailbox_close(f->mailbox);
	change_reader_done(&f->reader);
	change_feed_free(f->feed);
	loop_turn(f->loop, false);
	loop_free(f->loop);
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 10; i++)
		loop_turn(f->loop, false);
}

static void test_one_message_for_many(void **state)
{
	struct fixture f;

	open_fixture(&f);
	change_feed_tell(f.feed, "a");
	change_feed_tell(f.feed, "b");
	change_feed_tell(f.feed, "a");
	turn(&f);
	assert_int_equal(f.message_count, 1);
	assert_false(f.last.is_everything);
	assert_int_equal(f.last.count, 2);
	assert_string_equal(f.last.ids[0], "a");
	assert_string_equal(f.last.ids[1], "b");
	turn(&f);
	assert_int_equal(f.message_count, 1);
	change_feed_tell(f.feed, "a");
	turn(&f);
	assert_int_equal(f.message_count, 2);
	assert_int_equal(f.last.count, 1);
	close_fixture(&f);
}

static void tell_numbered(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "id-%u", i);
		change_feed_tell(f->feed, id);
	}
}

static void test_too_many_are_everything(void **state)
{
	struct fixture f;

	open_fixture(&f);
	tell_numbered(&f, CHANGE_FEED_IDS_MAX);
	turn(&f);
	assert_false(f.last.is_everything);
	assert_int_equal(f.last.count, CHANGE_FEED_IDS_MAX);
	tell_numbered(&f, CHANGE_FEED_IDS_MAX + 1);
	turn(&f);
	assert_true(f.last.is_everything);
	change_feed_tell(f.feed, NULL);
	change_feed_tell(f.feed, "a");
	turn(&f);
	assert_true(f.last.is_everything);
	assert_int_equal(f.message_count, 3);
	close_fixture(&f);
}

static void test_nothing_for_who_has_left(void **state)
{
	struct fixture f;

	open_fixture(&f);
	change_feed_tell(f.feed, "a");
	change_feed_leave(&f.reader);
	change_feed_tell(f.feed, "b");
	turn(&f);
	assert_int_equal(f.message_count, 0);
	close_fixture(&f);
}

/* Closing discards what is under way: the reader's memory outlives the mailbox. */
static void test_closed_with_news_under_way(void **state)
{
	struct fixture f;

	open_fixture(&f);
	change_feed_tell(f.feed, "a");
	close_fixture(&f);
	assert_int_equal(f.message_count, 0);
}

enum { TOLD = 20000 };

static void *tell_many(void *arg)
{
	tell_numbered(arg, TOLD);
	return NULL;
}

/* Whatever the two threads do at the same time, a reader never has more than one message, and hears the end. */
static void test_another_thread(void **state)
{
	struct fixture f;
	pthread_t thread;

	open_fixture(&f);
	assert_int_equal(pthread_create(&thread, NULL, tell_many, &f), 0);
	while (f.message_count == 0)
		loop_turn(f.loop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	turn(&f);
	change_feed_tell(f.feed, "last");
	turn(&f);
	assert_false(f.last.is_everything);
	assert_int_equal(f.last.count, 1);
	assert_string_equal(f.last.ids[0], "last");
	assert_true(f.id_count <= TOLD + 1);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_message_for_many),
		cmocka_unit_test(test_too_many_are_everything),
		cmocka_unit_test(test_nothing_for_who_has_left),
		cmocka_unit_test(test_closed_with_news_under_way),
		cmocka_unit_test(test_another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
