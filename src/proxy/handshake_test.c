/*
 * handshake_test.c - whose turn it is: connections that begin no handshake, and those that wait for one
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/stream_mem.h"

#define CLIENTS 4

static int setup(void **state)
{
	struct exchange_fixture *f = mem_alloc(sizeof(*f));

	exchange_fixture_init(f, FIXTURE_SETTINGS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct exchange_fixture *f = *state;

	assert_true(list_is_empty(&f->worker.connections));
	assert_int_equal(f->control.admission.handshakes.inside, 0);
	assert_int_equal(f->control.admission.connections.inside, 0);
	assert_true(list_is_empty(&f->worker.handshakes.waiting));
	assert_false(timer_is_started(&f->worker.handshakes.retry));
	exchange_fixture_done(f);
	mem_free(f);
	return 0;
}

static void ignore_event(void *arg, unsigned events)
{
}

/* As the listener hands it over. */
static struct stream *open_client(struct exchange_fixture *f)
{
	struct stream *near;
	struct stream *far;

	stream_mem_pair(f->worker.loop, NULL, &far, &near);
	stream_set_owner(far, ignore_event, NULL);
	connection_open(&f->worker, near, &f->connection.peer);
	return far;
}

static void send_text(struct exchange_fixture *f, struct stream *client, const char *text)
{
	assert_int_equal(stream_write(client, text, strlen(text)), strlen(text));
	exchange_fixture_settle(f);
}

static ssize_t receive(struct exchange_fixture *f, struct stream *client, char *to, size_t size)
{
	ssize_t count;

	exchange_fixture_settle(f);
	count = stream_read(client, to, size - 1);
	to[count > 0 ? count : 0] = '\0';
	return count;
}

static bool is_open(struct exchange_fixture *f, struct stream *client)
{
	char text[4096];

	return receive(f, client, text, sizeof(text)) == STREAM_AGAIN;
}

static void hang_up(struct exchange_fixture *f, struct stream *client)
{
	stream_close(client, STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(f);
}

static size_t count_in(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

static uint64_t count_refusals(struct exchange_fixture *f, const char *word)
{
	for (size_t i = 0; counters_refusal_words[i]; i++)
		if (strcmp(counters_refusal_words[i], word) == 0)
			return counter_read(&f->worker.counters.refusals[i]);
	return 0;
}

static void test_time_of_a_handshake(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;

	exchange_fixture_reload(f, "timeout_read: 8s\n" FIXTURE_SETTINGS);
	client = open_client(f);
	send_text(f, client, "\x16\x03\x01");
	assert_int_equal(f->control.admission.handshakes.inside, 1);
	clock_fake_advance_ms(7999);
	assert_true(is_open(f, client));
	clock_fake_advance_ms(1);
	assert_false(is_open(f, client));
	assert_int_equal(f->control.admission.handshakes.inside, 0);
	hang_up(f, client);
}

static bool is_running(struct exchange_fixture *f, size_t index)
{
	struct list_node *node = f->worker.connections.head.next;

	while (index-- > 0)
		node = node->next;
	return container_of(node, struct connection, in_worker)->handshake.state ==
	       HANDSHAKE_RUNNING;
}

/* Who comes when there are enough waits, and is served in his turn. */
static void test_max_handshakes(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *clients[CLIENTS];
	struct stream *late;

	exchange_fixture_reload(f, "max_handshakes: 2\n" FIXTURE_SETTINGS);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = open_client(f);
		assert_true(is_open(f, clients[i]));
		assert_int_equal(is_running(f, i), i < 2);
	}
	assert_int_equal(f->control.admission.handshakes.inside, 2);
	assert_int_equal(count_in(exchange_fixture_log(f), "\"setting\":\"max_handshakes\""), 1);
	hang_up(f, clients[0]);
	assert_true(is_running(f, 1));
	assert_false(is_running(f, 2));
	/* Another worker's handshake that ends is noticed, too. */
	admission_leave(&f->control.admission.handshakes);
	late = open_client(f);
	assert_false(is_running(f, 3)); /* others have waited longer */
	clock_fake_advance_ms(HANDSHAKE_RETRY_MS);
	exchange_fixture_settle(f);
	assert_true(is_running(f, 2));
	assert_false(is_running(f, 3));
	hang_up(f, late);
	assert_true(admission_enter(&f->control.admission.handshakes, UINT64_MAX));
	for (size_t i = 1; i < CLIENTS; i++)
		hang_up(f, clients[i]);
}

/* The time of those who wait goes on, and who is gone takes nobody's turn. */
static void test_waiting_ends(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *clients[3];

	exchange_fixture_reload(f, "max_handshakes: 1\ntimeout_read: 8s\n" FIXTURE_SETTINGS);
	assert_true(admission_enter(&f->control.admission.handshakes, 1)); /* elsewhere */
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = open_client(f);
	hang_up(f, clients[0]);
	admission_leave(&f->control.admission.handshakes);
	clock_fake_advance_ms(HANDSHAKE_RETRY_MS);
	exchange_fixture_settle(f);
	assert_true(is_running(f, 0)); /* that of the second client */
	assert_false(is_running(f, 1));
	clock_fake_advance_ms(8000);
	for (size_t i = 1; i < ARRAY_LEN(clients); i++) {
		assert_false(is_open(f, clients[i]));
		hang_up(f, clients[i]);
	}
	assert_non_null(strstr(exchange_fixture_log(f), "no turn for its TLS handshake"));
	assert_int_equal(count_refusals(f, "overloaded"), 1);
}

/* The gateway ends while some shake hands and others wait. */
static void test_shutdown(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *clients[CLIENTS];

	exchange_fixture_reload(f, "max_handshakes: 2\n" FIXTURE_SETTINGS);
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i] = open_client(f);
	LIST_FOREACH (&f->worker.connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
	assert_false(timer_is_started(&f->worker.handshakes.retry));
	for (size_t i = 0; i < CLIENTS; i++)
		hang_up(f, clients[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_time_of_a_handshake),
		TEST(test_max_handshakes),
		TEST(test_waiting_ends),
		TEST(test_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
