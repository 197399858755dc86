/*
 * How a TLS stream ends: in order, cut, refused, reset, and closed at any moment.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/tls_fixture.h"
#include "tls/tls_engine.h"

#define CHUNK      TLS_NOISE_CHUNK
#define NOISE_SIZE TLS_NOISE_SIZE

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void expect_failure(struct test_end *end, enum err_kind kind, const char *text)
{
	char c;

	assert_int_equal(test_read(end, &c, 1), STREAM_FAILED);
	assert_int_equal(test_read(end, &c, 1), STREAM_FAILED);
	if (!str_contains(str_from(stream_error(end->stream)->text), str_from(text)))
		fail_msg("\"%s\" does not contain \"%s\"", stream_error(end->stream)->text, text);
	assert_int_equal(stream_error(end->stream)->kind, kind);
}

/* ---- ends ---- */

static void test_half_close(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
		struct test_link link;
		struct test_end *first = i / 2 ? &link.client : &link.server;
		struct test_end *second = i / 2 ? &link.server : &link.client;
		char c;

		tls_fixture_connect(f, &link, versions[i % 2], NULL);
		test_write_all(first, "last words", 10);
		assert_int_equal(test_shutdown(first), STREAM_END);
		test_expect(second, "last words");
		assert_int_equal(test_read(second, &c, 1), STREAM_END);
		for (int k = 0; k < 3; k++) {
			test_write_all(second, "answer", 6);
			test_expect(first, "answer");
		}
		assert_int_equal(test_shutdown(second), STREAM_END);
		assert_int_equal(test_read(first, &c, 1), STREAM_END);
		assert_int_equal(test_read(second, &c, 1), STREAM_END);
		test_link_done(&link);
	}
}

static void test_shutdown_comes_first(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		char c;

		tls_fixture_open(f, &link, versions[i], NULL);
		assert_int_equal(stream_shutdown(link.client.stream), STREAM_AGAIN);
		assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_AGAIN);
		for (int k = 0; k < 10; k++) {
			test_turn(link.loop, 3);
			if (link.server.events)
				(void)stream_read(link.server.stream, &c, 1);
			if (link.client.events)
				(void)stream_shutdown(link.client.stream);
		}
		assert_int_equal(stream_shutdown(link.client.stream), STREAM_END);
		assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_END);
		test_write_all(&link.server, "x", 1);
		test_expect(&link.client, "x");
		test_link_done(&link);
	}
}

/* Without reading or writing: who must choose a protocol by ALPN has nobody to read yet. */
static void test_handshake_alone(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct tls_facts facts;
	int client = STREAM_AGAIN;
	int server = STREAM_AGAIN;

	tls_fixture_open(f, &link, TLS1_3_VERSION, &(struct stream_mem_options){ .read_max = 100 });
	link.client.events = STREAM_READABLE;
	link.server.events = STREAM_READABLE;
	for (int i = 0; i < 1000 && (client == STREAM_AGAIN || server == STREAM_AGAIN); i++) {
		if (link.client.events && client == STREAM_AGAIN)
			client = tls_stream_handshake(link.client.stream);
		if (link.server.events && server == STREAM_AGAIN)
			server = tls_stream_handshake(link.server.stream);
		link.client.events = 0;
		link.server.events = 0;
		loop_turn(link.loop, false);
	}
	assert_int_equal(client, 1);
	assert_int_equal(server, 1);
	assert_true(tls_stream_facts(link.server.stream, &facts));
	assert_int_equal(tls_stream_handshake(link.server.stream), 1);
	test_write_all(&link.client, "x", 1);
	test_expect(&link.server, "x");
	stream_close(link.client.stream, STREAM_CLOSE_NORMAL);
	stream_close(TAKE(link.client.stream), STREAM_CLOSE_RESET); /* changes nothing any more */
	test_link_done(&link);
}

/* A ticket of its own would be one more packet, and nobody waits for it. */
static void test_tickets_go_with_the_first_bytes(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		size_t ticket_len = 0;

		tls_fixture_open(f, &link, versions[i], NULL);
		for (int k = 0; k < 6; k++) {
			(void)tls_stream_handshake(link.client.stream);
			(void)tls_stream_handshake(link.server.stream);
			test_turn(link.loop, 3);
		}
		assert_int_equal(tls_stream_handshake(link.client.stream), 1);
		assert_int_equal(tls_stream_handshake(link.server.stream), 1);
		assert_int_equal(stream_mem_pending(test_engine(link.client.stream)->wire.lower),
				 0);
		ticket_len = test_engine(link.server.stream)->wire.out.len;
		assert_int_equal(ticket_len > 100, versions[i] == TLS1_3_VERSION);
		test_write_all(&link.server, "x", 1);
		assert_true(stream_mem_pending(test_engine(link.client.stream)->wire.lower) >
			    ticket_len);
		assert_false(tls_wire_has_output(&test_engine(link.server.stream)->wire));
		test_expect(&link.client, "x");
		assert_int_equal(test_shutdown(&link.server), STREAM_END);
		test_link_done(&link);
	}
}

static void test_close_tells_the_peer(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		char c;

		tls_fixture_connect(f, &link, versions[i], NULL);
		test_write_all(&link.client, "bye", 3);
		stream_close(TAKE(link.client.stream), STREAM_CLOSE_NORMAL);
		test_expect(&link.server, "bye");
		assert_int_equal(test_read(&link.server, &c, 1), STREAM_END);
		test_link_done(&link);

		tls_fixture_connect(f, &link, versions[i], NULL);
		test_write_all(&link.client, "bye", 3);
		stream_close(TAKE(link.client.stream), STREAM_CLOSE_RESET);
		expect_failure(&link.server, ERR_RESET, "reset");
		test_link_done(&link);
	}
}

static void test_cut_is_not_an_end(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;

		tls_fixture_connect(f, &link, versions[i], NULL);
		test_write_all(&link.client, "half a mess", 11);
		assert_int_equal(stream_shutdown(test_engine(link.client.stream)->wire.lower),
				 STREAM_END);
		test_expect(&link.server, "half a mess");
		expect_failure(&link.server, ERR_RESET,
			       "the connection was cut without TLS close_notify");
		test_engine(link.client.stream)->wire.is_deaf = true;
		test_link_done(&link);
	}
}

/* Who says nothing at all has only looked whether somebody is there. */
static void test_cut_in_the_handshake(void **state)
{
	static const struct {
		const char *sent;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{ "\x16\x03\x01", ERR_RESET, "closed during the TLS handshake" },
		{ "", ERR_CLOSED, "closed before the TLS handshake" },
	};
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loop *loop = loop_new();
		struct stream *raw = NULL;
		struct stream *lower = NULL;
		struct test_end server;

		stream_mem_pair(loop, NULL, &raw, &lower);
		test_own(&server, loop, tls_stream_accept(loop, lower, f->server));
		if (rows[i].sent[0])
			assert_true(stream_write(raw, rows[i].sent, strlen(rows[i].sent)) > 0);
		stream_close(raw, STREAM_CLOSE_NORMAL);
		expect_failure(&server, rows[i].kind, rows[i].text);
		stream_close(server.stream, STREAM_CLOSE_NORMAL);
		test_turn(loop, 2);
		loop_free(loop);
	}
}

static void test_failure_of_the_lower_stream(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	stream_mem_fail(test_engine(link.server.stream)->wire.lower, ERR_TIMEOUT, "cable eaten");
	expect_failure(&link.server, ERR_TIMEOUT, "cable eaten");
	test_link_done(&link);

	tls_fixture_open(f, &link, TLS1_3_VERSION, NULL);
	stream_mem_fail(test_engine(link.client.stream)->wire.lower, ERR_TIMEOUT, "cable eaten");
	expect_failure(&link.client, ERR_TIMEOUT, "during the TLS handshake: cable eaten");
	test_link_done(&link);
}

/* Whoever waits in either direction is told, not only the one who saw it. */
static void test_failure_wakes_both_directions(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	char c;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	while (stream_write(link.client.stream, f->noise, CHUNK) > 0)
		;
	assert_int_equal(stream_read(link.client.stream, &c, 1), STREAM_AGAIN);
	link.client.events = 0;
	stream_close(TAKE(link.server.stream), STREAM_CLOSE_RESET);
	test_turn(link.loop, 5);
	assert_int_equal(link.client.events, STREAM_READABLE | STREAM_WRITABLE);
	test_link_done(&link);
}

/* ---- peers that do not speak TLS ---- */

static void test_plain_http(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"CONNECT a.example:22 HTTP/1.1\r\n\r\n",
		"POST /x HTTP/1.1\r\n\r\n",
		"HEAD / HTTP/1.0\r\n\r\n",
	};
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct loop *loop = loop_new();
		struct stream *raw_stream = NULL;
		struct stream *lower = NULL;
		struct test_end raw;
		struct test_end server;

		stream_mem_pair(loop, NULL, &raw_stream, &lower);
		test_own(&raw, loop, raw_stream);
		test_own(&server, loop, tls_stream_accept(loop, lower, f->server));
		test_write_all(&raw, requests[i], strlen(requests[i]));
		expect_failure(&server, ERR_TLS, "plain HTTP");
		stream_close(server.stream, STREAM_CLOSE_RESET);
		test_turn(loop, 2);
		/* told in its own language, and nothing in TLS */
		test_expect(&raw, PLAIN_HTTP_REPLY);
		assert_int_equal(stream_mem_pending(raw_stream), 0);
		assert_false(stream_mem_peer_was_reset(raw_stream));
		stream_close(raw_stream, STREAM_CLOSE_NORMAL);
		test_turn(loop, 2);
		loop_free(loop);
	}
}

static void test_garbage(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < 400; i++) {
		struct loop *loop = loop_new();
		struct stream *raw = NULL;
		struct stream *lower = NULL;
		struct test_end end;
		uint8_t bytes[600];
		char c;

		memcpy(bytes, f->noise + 991 * i, sizeof(bytes));
		if (i % 3) /* looks like a record with a handshake message */
			memcpy(bytes,
			       i % 3 == 1 ? "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
					  : "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03",
			       11);
		stream_mem_pair(loop, NULL, &raw, &lower);
		if (i % 2)
			test_own(&end, loop, tls_stream_accept(loop, lower, f->server));
		else
			test_own(&end, loop,
				 tls_stream_connect(loop, lower, f->client, STR("a.example")));
		assert_int_equal(stream_write(raw, bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(stream_shutdown(raw), STREAM_END);
		assert_int_equal(test_read(&end, &c, 1), STREAM_FAILED);
		assert_true(stream_error(end.stream)->text[0] != '\0');
		assert_int_equal(ERR_peek_error(), 0);
		stream_close(end.stream, STREAM_CLOSE_NORMAL);
		stream_close(raw, STREAM_CLOSE_NORMAL);
		test_turn(loop, 2);
		loop_free(loop);
	}
}

/* Every byte of a record counts. */
static void test_forged_record(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		uint8_t record[40] = { 23, 3, 3, 0, 35 };

		tls_fixture_connect(f, &link, versions[i], NULL);
		assert_int_equal(
			stream_write(test_engine(link.client.stream)->wire.lower, record, 40), 40);
		expect_failure(&link.server, ERR_TLS, "damaged or forged");
		expect_failure(
			&link.client, ERR_TLS,
			"the peer ended the connection with a TLS alert: a record was damaged");
		test_link_done(&link);
	}
}

/* ---- closed at every step ---- */

struct actor {
	struct test_link *link;
	struct stream **self;
	int *steps_left;
	enum stream_close how;
	size_t sent;
};

static void act(struct actor *actor)
{
	uint8_t bytes[500];
	ssize_t n = 0;

	if (!*actor->self)
		return;
	if ((*actor->steps_left)-- == 0) {
		stream_close(TAKE(*actor->self), actor->how);
		return;
	}
	while ((n = stream_read(*actor->self, bytes, sizeof(bytes))) > 0)
		;
	if (n == STREAM_FAILED)
		return;
	if (actor->sent < 3000) {
		memset(bytes, 'x', sizeof(bytes));
		n = stream_write(*actor->self, bytes, sizeof(bytes));
		actor->sent += n > 0 ? (size_t)n : 0;
	} else {
		(void)stream_shutdown(*actor->self);
	}
}

static void on_actor_event(void *arg, unsigned events)
{
	act(arg);
}

static void play_until(const struct tls_fixture *f, int steps, int version, enum stream_close how)
{
	static const struct stream_mem_options mem = { .capacity = 700,
						       .read_max = 300,
						       .write_max = 200 };
	struct test_link link;
	struct actor actors[2];

	tls_fixture_open(f, &link, version, &mem);
	actors[0] = (struct actor){ .link = &link, .self = &link.client.stream };
	actors[1] = (struct actor){ .link = &link, .self = &link.server.stream };
	for (size_t i = 0; i < 2; i++) {
		actors[i].steps_left = &steps;
		actors[i].how = how;
		stream_set_owner(*actors[i].self, on_actor_event, &actors[i]);
		act(&actors[i]);
	}
	for (int i = 0; i < 300; i++) {
		loop_turn(link.loop, false);
		if (i % 3 == 0) /* writes that did not have to wait bring no event */
			act(&actors[i % 2]);
	}
	test_link_done(&link);
}

static void test_close_at_every_step(void **state)
{
	const struct tls_fixture *f = *state;

	for (int steps = 0; steps < 120; steps++)
		for (size_t i = 0; i < 4; i++)
			play_until(f, steps, versions[i % 2],
				   i / 2 ? STREAM_CLOSE_NORMAL : STREAM_CLOSE_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_shutdown_comes_first),
		cmocka_unit_test(test_handshake_alone),
		cmocka_unit_test(test_tickets_go_with_the_first_bytes),
		cmocka_unit_test(test_close_tells_the_peer),
		cmocka_unit_test(test_cut_is_not_an_end),
		cmocka_unit_test(test_cut_in_the_handshake),
		cmocka_unit_test(test_failure_of_the_lower_stream),
		cmocka_unit_test(test_failure_wakes_both_directions),
		cmocka_unit_test(test_plain_http),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_forged_record),
		cmocka_unit_test(test_close_at_every_step),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
