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
#include "tests/support/entry_client.h"
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
	client = entry_client_open(f);
	entry_client_send(f, client, "\x16\x03\x01");
	assert_int_equal(f->control.admission.handshakes.inside, 1);
	clock_fake_advance_ms(7999);
	assert_true(entry_client_is_open(f, client));
	clock_fake_advance_ms(1);
	assert_false(entry_client_is_open(f, client));
	assert_int_equal(f->control.admission.handshakes.inside, 0);
	entry_client_hang_up(f, client);
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
		clients[i] = entry_client_open(f);
		assert_true(entry_client_is_open(f, clients[i]));
		assert_int_equal(is_running(f, i), i < 2);
	}
	assert_int_equal(f->control.admission.handshakes.inside, 2);
	assert_int_equal(entry_count(exchange_fixture_log(f), "\"setting\":\"max_handshakes\""), 1);
	entry_client_hang_up(f, clients[0]);
	assert_true(is_running(f, 1));
	assert_false(is_running(f, 2));
	/* Another worker's handshake that ends is noticed, too. */
	admission_leave(&f->control.admission.handshakes);
	late = entry_client_open(f);
	assert_false(is_running(f, 3)); /* others have waited longer */
	clock_fake_advance_ms(HANDSHAKE_RETRY_MS);
	exchange_fixture_settle(f);
	assert_true(is_running(f, 2));
	assert_false(is_running(f, 3));
	entry_client_hang_up(f, late);
	assert_true(admission_enter(&f->control.admission.handshakes, UINT64_MAX));
	for (size_t i = 1; i < CLIENTS; i++)
		entry_client_hang_up(f, clients[i]);
}

/* The time of those who wait goes on, and who is gone takes nobody's turn. */
static void test_waiting_ends(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *clients[3];

	exchange_fixture_reload(f, "max_handshakes: 1\ntimeout_read: 8s\n" FIXTURE_SETTINGS);
	assert_true(admission_enter(&f->control.admission.handshakes, 1)); /* elsewhere */
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = entry_client_open(f);
	entry_client_hang_up(f, clients[0]);
	admission_leave(&f->control.admission.handshakes);
	clock_fake_advance_ms(HANDSHAKE_RETRY_MS);
	exchange_fixture_settle(f);
	assert_true(is_running(f, 0)); /* that of the second client */
	assert_false(is_running(f, 1));
	clock_fake_advance_ms(8000);
	for (size_t i = 1; i < ARRAY_LEN(clients); i++) {
		assert_false(entry_client_is_open(f, clients[i]));
		entry_client_hang_up(f, clients[i]);
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
		clients[i] = entry_client_open(f);
	LIST_FOREACH (&f->worker.connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
	assert_false(timer_is_started(&f->worker.handshakes.retry));
	for (size_t i = 0; i < CLIENTS; i++)
		entry_client_hang_up(f, clients[i]);
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
