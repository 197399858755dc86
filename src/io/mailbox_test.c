#include "io/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"

#define THREADS  4
#define MESSAGES 5000

struct note {
	struct mailbox_message message;
	struct bed *bed;
	unsigned thread;
	unsigned number;
};

struct bed {
	struct loop *loop;
	struct mailbox *mailbox;
	unsigned next[THREADS];
	unsigned count;
	unsigned expected;
	unsigned close_at; /* close from inside a delivery; 0: never */
};

struct poster {
	pthread_t thread;
	struct bed *bed;
	unsigned number;
};

static void discard(struct mailbox_message *message)
{
	mem_free(container_of(message, struct note, message));
}

static void deliver(struct mailbox_message *message)
{
	struct note *note = container_of(message, struct note, message);
	struct bed *bed = note->bed;

	assert_int_equal(note->number, bed->next[note->thread]);
	bed->next[note->thread]++;
	bed->count++;
	mem_free(note);
	if (bed->count == bed->close_at)
		mailbox_close(TAKE(bed->mailbox));
	if (bed->count == bed->expected)
		loop_stop(bed->loop);
}

static void post(struct bed *bed, unsigned thread, unsigned number)
{
	struct note *note = mem_alloc(sizeof(*note));

	note->message.deliver = deliver;
	note->message.discard = discard;
	note->bed = bed;
	note->thread = thread;
	note->number = number;
	mailbox_post(bed->mailbox, &note->message);
}

static void prepare(struct bed *bed)
{
	*bed = (struct bed){ .loop = loop_new() };
	bed->mailbox = mailbox_open(bed->loop);
}

static void *run_poster(void *arg)
{
	struct poster *p = arg;

	for (unsigned i = 0; i < MESSAGES; i++)
		post(p->bed, p->number, i);
	return NULL;
}

static void test_messages_of_many_threads(void **state)
{
	struct bed bed;
	struct poster posters[THREADS];

	prepare(&bed);
	bed.expected = THREADS * MESSAGES;
	for (unsigned i = 0; i < THREADS; i++) {
		posters[i] = (struct poster){ .bed = &bed, .number = i };
		assert_int_equal(pthread_create(&posters[i].thread, NULL, run_poster, &posters[i]),
				 0);
	}
	loop_run(bed.loop);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(posters[i].thread, NULL);
		assert_int_equal(bed.next[i], MESSAGES);
	}
	mailbox_close(bed.mailbox);
	loop_free(bed.loop);
}

static void test_delivery_is_from_the_loop(void **state)
{
	struct bed bed;

	prepare(&bed);
	post(&bed, 0, 0);
	post(&bed, 0, 1);
	assert_int_equal(bed.count, 0);
	loop_turn(bed.loop, true);
	assert_int_equal(bed.count, 2);
	mailbox_close(bed.mailbox);
	loop_free(bed.loop);
}

static void test_close_discards(void **state)
{
	struct bed bed;

	prepare(&bed);
	bed.close_at = 2;
	for (unsigned i = 0; i < 5; i++)
		post(&bed, 0, i);
	loop_turn(bed.loop, true);
	assert_int_equal(bed.count, 2);
	assert_null(bed.mailbox);
	loop_turn(bed.loop, false);
	assert_int_equal(bed.count, 2);
	loop_free(bed.loop);

	prepare(&bed);
	post(&bed, 0, 0);
	mailbox_close(bed.mailbox);
	mailbox_close(NULL);
	loop_turn(bed.loop, false);
	assert_int_equal(bed.count, 0);
	loop_free(bed.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_of_many_threads),
		cmocka_unit_test(test_delivery_is_from_the_loop),
		cmocka_unit_test(test_close_discards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
