/*
 * Wake-ups that no event of the lower stream brings: one direction did, or found out, what the other waits for.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/tls_fixture.h"
#include "tls/tls_engine.h"

static void fill(struct test_end *end)
{
	char bytes[5000] = "";
	ssize_t n = 1;

	while (n > 0)
		n = stream_write(end->stream, bytes, sizeof(bytes));
	assert_int_equal(n, STREAM_AGAIN);
}

static const uint8_t forged_record[40] = { 23, 3, 3, 0, 35 };

static void forge(struct test_end *from)
{
	struct stream *lower = test_engine(from->stream)->wire.lower;

	assert_int_equal(stream_write(lower, forged_record, sizeof(forged_record)),
			 sizeof(forged_record));
}

/* The peer reads nothing, so the lower stream never becomes writable: but there is nothing to wait for. */
static void test_reader_fails_while_writer_waits(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	char c;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	fill(&link.client);
	link.client.events = 0;
	forge(&link.server);
	assert_int_equal(stream_read(link.client.stream, &c, 1), STREAM_FAILED);
	assert_int_equal(link.client.events, 0); /* not from inside the call */
	test_turn(link.loop, 3);
	assert_int_equal(link.client.events, STREAM_WRITABLE);
	assert_int_equal(stream_write(link.client.stream, "x", 1), STREAM_FAILED);
	test_link_done(&link);
}

static void test_failure_after_shutdown(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	char c;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	assert_int_equal(test_shutdown(&link.client), STREAM_END);
	forge(&link.server);
	assert_int_equal(test_read(&link.client, &c, 1), STREAM_FAILED);
	assert_int_equal(stream_error(link.client.stream)->kind, ERR_TLS);
	test_link_done(&link);
}

/* An outer TLS stream forgets a wish when it is read before the event: the lower stream will not tell. */
static void test_reader_finishes_the_handshake_that_the_writer_waits_for(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link outer;
	struct test_end client;
	struct test_end server;
	char c;

	tls_fixture_connect(f, &outer, TLS1_3_VERSION, NULL);
	test_own(&client, outer.loop,
		 tls_stream_connect(outer.loop, outer.client.stream, f->client, STR("a.example")));
	test_own(&server, outer.loop,
		 tls_stream_accept(outer.loop, outer.server.stream, f->server));

	assert_int_equal(stream_write(client.stream, "x", 1), STREAM_AGAIN);
	test_turn(outer.loop, 3);
	assert_int_equal(stream_write(server.stream, "y", 1), STREAM_AGAIN);
	test_turn(outer.loop, 3);
	assert_int_equal(stream_write(client.stream, "x", 1), 1);
	server.events = 0;
	assert_int_equal(stream_read(server.stream, &c, 1), 1);
	assert_int_equal(server.events, 0);
	test_turn(outer.loop, 3);
	assert_true(server.events & STREAM_WRITABLE);
	test_write_all(&server, "y", 1);
	test_expect(&client, "y");

	stream_close(client.stream, STREAM_CLOSE_NORMAL);
	stream_close(server.stream, STREAM_CLOSE_NORMAL);
	outer.client.stream = NULL;
	outer.server.stream = NULL;
	test_link_done(&outer);
}

/* Nothing readable comes of it, but the reader must go on until the end of the flood without a new event. */
static void test_reader_pauses(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct tls_stream *client;
	uint8_t waits;
	char c;

	tls_fixture_connect(f, &link, TLS1_3_VERSION,
			    &(struct stream_mem_options){ .read_max = 1 });
	client = test_engine(link.client.stream);
	assert_int_equal(SSL_key_update(client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(client->ssl), 1);
	assert_int_equal(tls_push(client, &waits), STEP_RETRY);
	test_turn(link.loop, 3);
	link.server.events = 0;
	/* 27 bytes, one at a time: more than one operation may take */
	assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_AGAIN);
	assert_true(stream_mem_pending(test_engine(link.server.stream)->wire.lower) > 0);
	assert_int_equal(link.server.events, 0);
	test_turn(link.loop, 2);
	assert_int_equal(link.server.events, STREAM_READABLE);
	assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_AGAIN);
	assert_int_equal(stream_mem_pending(test_engine(link.server.stream)->wire.lower), 0);
	test_link_done(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_fails_while_writer_waits),
		cmocka_unit_test(test_failure_after_shutdown),
		cmocka_unit_test(test_reader_finishes_the_handshake_that_the_writer_waits_for),
		cmocka_unit_test(test_reader_pauses),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
