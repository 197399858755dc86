/*
 * connection_test.c - a client's connection from its first byte to its last: TLS, requests, tunnels, ends
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
#include "tests/support/tls_testing.h"

#define TURNS 300

/* The defaults of timeout_read and timeout_idle. */
#define READ_TIMEOUT_MS 30000
#define IDLE_TIMEOUT_MS 300000

struct client {
	struct exchange_fixture f;
	struct stream *stream; /* TLS; NULL once closed */
	struct buf received;
	ssize_t last; /* result of the last read */
};

static void ignore_event(void *arg, unsigned events)
{
}

/* A connection as the listener hands it over; the far end is still bare. */
static struct stream *open_bare(struct client *c)
{
	struct stream *near;
	struct stream *far;

	stream_mem_pair(c->f.worker.loop, NULL, &far, &near);
	stream_set_owner(far, ignore_event, NULL);
	connection_open(&c->f.worker, near, &c->f.connection.peer);
	return far;
}

static void open_tls(struct client *c)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_config *config = test_client_config(NULL, alpn);

	c->stream = tls_stream_connect(c->f.worker.loop, open_bare(c), config,
				       STR("redis.example.com"));
	stream_set_owner(c->stream, ignore_event, NULL);
	tls_config_unref(config);
}

static int setup(void **state)
{
	struct client *c = mem_alloc(sizeof(*c));

	exchange_fixture_init(&c->f, FIXTURE_SETTINGS);
	c->received = BUF_INIT(FIXTURE_LINES_MAX);
	open_tls(c);
	*state = c;
	return 0;
}

static void close_connections(struct client *c)
{
	LIST_FOREACH (&c->f.worker.connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
}

static int teardown(void **state)
{
	struct client *c = *state;

	close_connections(c);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	exchange_fixture_done(&c->f);
	buf_done(&c->received);
	mem_free(c);
	return 0;
}

/* Reads what comes until nothing more does. */
static void receive(struct client *c)
{
	char piece[4096];

	for (int i = 0; i < TURNS; i++) {
		loop_turn(c->f.worker.loop, false);
		c->last = stream_read(c->stream, piece, sizeof(piece));
		if (c->last > 0)
			assert_int_equal(buf_append(&c->received, piece, (size_t)c->last), 0);
	}
}

static void send_text(struct client *c, struct str text)
{
	for (int i = 0; i < TURNS && text.len > 0; i++) {
		ssize_t count = stream_write(c->stream, text.at, text.len);

		assert_int_not_equal(count, STREAM_FAILED);
		if (count > 0)
			text = str_from_pos(text, (size_t)count);
		loop_turn(c->f.worker.loop, false);
	}
	assert_int_equal(text.len, 0);
	receive(c);
}

static void expect_received(struct client *c, const char *text)
{
	struct buf masked = BUF_INIT(FIXTURE_LINES_MAX);

	exchange_fixture_mask(buf_view(&c->received), &masked);
	(void)buf_append_char(&masked, '\0');
	assert_string_equal((const char *)masked.data, text);
	buf_done(&masked);
	buf_truncate(&c->received, 0);
}

static size_t count_in(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

#define RECORD "\"message\":\"http-request\""
#define OK                                                                                         \
	"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nserver: pomerium\r\n"       \
	"x-request-id: <uuid>\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 3\r\n"
#define PING "GET /ping HTTP/1.1\r\nHost: a.example\r\n"

static void test_requests(void **state)
{
	struct client *c = *state;

	send_text(c, STR(PING "\r\n"));
	expect_received(c, OK "\r\nOK\n");
	send_text(c, STR(PING "\r\nHEAD /ping HTTP/1.1\r\nHost: a.example\r\n\r\n" PING
			      "Connection: close\r\n\r\n"));
	expect_received(c, OK "\r\nOK\n" OK "\r\n" OK "connection: close\r\n\r\nOK\n");
	assert_int_equal(c->last, STREAM_END);
	/* Health is asked often: only whoever debugs wants these lines. */
	assert_int_equal(count_in(exchange_fixture_log(&c->f), RECORD), 0);
}

static void test_bad_request(void **state)
{
	struct client *c = *state;

	send_text(
		c,
		STR("CONNECT redis.example.com HTTP/1.1\r\nHost: x\r\n\r\nGET /ping HTTP/1.1\r\n\r\n"));
	expect_received(
		c,
		"HTTP/1.1 400 Bad Request\r\nserver: pomerium\r\nx-pomerium-reason: bad-request\r\n"
		"date: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 0\r\n"
		"connection: close\r\n\r\n");
	assert_int_equal(c->last, STREAM_END);

	const char *log = exchange_fixture_log(&c->f);

	assert_true(str_starts_with(
		str_from(log),
		STR("{\"level\":\"info\",\"service\":\"proxy\",\"ip\":\"203.0.113.7\","
		    "\"reason\":\"bad-request\",\"error\":\"")));
	assert_non_null(strstr(log, "\"message\":\"bad request\"}\n"));
	assert_int_equal(count_in(log, "\n"), 1);
}

#define TO_ROUTE "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n"

/* What comes with a CONNECT that is refused is no second request. */
static void test_refused_connect(void **state)
{
	struct client *c = *state;

	send_text(c, STR(TO_ROUTE "\r\n" PING "\r\n"));
	assert_true(str_starts_with(buf_view(&c->received), STR("HTTP/1.1 302 Found\r\n")));
	assert_true(str_contains(buf_view(&c->received), STR("\r\nconnection: close\r\n")));
	assert_true(str_ends_with(buf_view(&c->received), STR("</html>\n")));
	assert_int_equal(c->last, STREAM_END);
	assert_int_equal(count_in(exchange_fixture_log(&c->f), RECORD), 1);
	assert_int_equal(c->f.dialed.len, 0);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(&c->f);
	assert_true(list_is_empty(&c->f.worker.connections));
}

static void send_connect(struct client *c, const char *early)
{
	char *token = exchange_fixture_log_in(&c->f, "alice@example.com");
	struct buf text = BUF_INIT(FIXTURE_LINES_MAX);

	(void)buf_printf(&text, TO_ROUTE "Authorization: Pomerium %s\r\n\r\n%s", token, early);
	send_text(c, buf_view(&text));
	buf_done_secret(&text);
	mem_free_secret(token);
	assert_non_null(c->f.dial);
}

static void expect_upstream(struct client *c, const char *text)
{
	char piece[256];
	ssize_t count;

	receive(c);
	count = stream_read(c->f.upstream, piece, sizeof(piece));
	assert_int_equal(count, strlen(text));
	assert_memory_equal(piece, text, strlen(text));
}

static void test_tunnel(void **state)
{
	struct client *c = *state;

	send_connect(c, "early ");
	send_text(c, STR("bytes"));
	exchange_fixture_dial_connects(&c->f);
	receive(c);
	expect_received(c,
			"HTTP/1.1 200 OK\r\nserver: pomerium\r\nx-request-id: <uuid>\r\n"
			"x-pomerium-half-close: ?1\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n");
	expect_upstream(c, "early bytes");
	/* The tunnel has the stream now, the connection is gone. */
	assert_true(list_is_empty(&c->f.worker.connections));
	assert_int_equal(stream_write(c->f.upstream, "answer", 6), 6);
	receive(c);
	expect_received(c, "answer");
	send_text(c, STR("more"));
	expect_upstream(c, "more");
	assert_int_equal(stream_shutdown(c->f.upstream), STREAM_END);
	receive(c);
	assert_int_equal(c->last, STREAM_END);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(&c->f);
	assert_non_null(strstr(exchange_fixture_log(&c->f),
			       "\"bytes-received\":15,\"bytes-sent\":6,"
			       "\"end-reason\":\"upstream-closed\""));
}

static void test_reset_while_dialing(void **state)
{
	struct client *c = *state;
	const char *log;

	send_connect(c, "");
	(void)exchange_fixture_log(&c->f);
	stream_close(TAKE(c->stream), STREAM_CLOSE_RESET);
	exchange_fixture_settle(&c->f);
	assert_int_equal(c->f.dials_cancelled, 1);
	log = exchange_fixture_log(&c->f);
	assert_int_equal(count_in(log, RECORD), 1);
	assert_non_null(strstr(log, "\"response-code\":0"));
	assert_non_null(strstr(log, "\"end-reason\":\"client-reset\""));
	assert_true(list_is_empty(&c->f.worker.connections));
}

/* An end in good order is a half-close, also before the answer: the upstream shall see it, and may still answer. */
static void test_end_while_dialing(void **state)
{
	struct client *c = *state;
	char byte;

	send_connect(c, "question");
	assert_int_equal(stream_shutdown(c->stream), STREAM_END);
	receive(c);
	assert_int_equal(c->last, STREAM_AGAIN);
	exchange_fixture_dial_connects(&c->f);
	expect_upstream(c, "question");
	assert_int_equal(stream_read(c->f.upstream, &byte, 1), STREAM_END);
	assert_int_equal(stream_write(c->f.upstream, "answer", 6), 6);
	assert_int_equal(stream_shutdown(c->f.upstream), STREAM_END);
	receive(c);
	assert_true(str_ends_with(buf_view(&c->received), STR("\r\n\r\nanswer")));
	assert_int_equal(c->last, STREAM_END);
}

static void test_no_tls(void **state)
{
	static const char hello[] = "SSH-2.0-OpenSSH_9.2p1 and more than five bytes\r\n";
	struct client *c = *state;
	struct stream *bare = open_bare(c);
	const char *log;

	assert_int_equal(stream_write(bare, hello, sizeof(hello) - 1), sizeof(hello) - 1);
	exchange_fixture_settle(&c->f);
	stream_close(bare, STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(&c->f);
	log = exchange_fixture_log(&c->f);
	assert_non_null(strstr(log, "\"ip\":\"203.0.113.7\",\"reason\":\"tls\",\"error\":\""));
	assert_non_null(strstr(log, "\"message\":\"connection failed\""));
}

/* The handshake and the first head together have their time; what is still silent then is closed, and logged. */
static void test_silence(void **state)
{
	struct client *c = *state;
	struct stream *bare = open_bare(c);

	clock_fake_advance_ms(READ_TIMEOUT_MS - 1);
	receive(c);
	assert_int_equal(c->last, STREAM_AGAIN);
	clock_fake_advance_ms(1);
	receive(c);
	assert_int_equal(c->last, STREAM_END);
	assert_true(list_is_empty(&c->f.worker.connections));
	assert_non_null(strstr(exchange_fixture_log(&c->f),
			       "\"reason\":\"timeout\",\"error\":\"the client took too long\""));
	stream_close(bare, STREAM_CLOSE_NORMAL);
}

static void test_idle(void **state)
{
	struct client *c = *state;

	send_text(c, STR(PING "\r\n"));
	clock_fake_advance_ms(IDLE_TIMEOUT_MS - 1);
	receive(c);
	assert_int_equal(c->last, STREAM_AGAIN);
	clock_fake_advance_ms(1);
	receive(c);
	assert_int_equal(c->last, STREAM_END);
	assert_true(list_is_empty(&c->f.worker.connections));
}

/* The gateway ends while a connection is in any of its states. */
static void test_close_in_every_state(void **state)
{
	static const char *const sent[] = {
		"",
		"GE",
		PING,
		PING "\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
		"CONNECT nowhere.example:1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"\r\n",
	};
	struct client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		if (!c->stream)
			open_tls(c);
		if (sent[i][0])
			send_text(c, str_from(sent[i]));
		close_connections(c);
		assert_true(list_is_empty(&c->f.worker.connections));
		assert_true(list_is_empty(&c->f.worker.exchanges));
		receive(c);
		stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
		exchange_fixture_settle(&c->f);
	}
	open_tls(c);
	send_connect(c, "early");
	(void)exchange_fixture_log(&c->f);
	close_connections(c);
	assert_int_equal(c->f.dials_cancelled, 1);
	assert_non_null(strstr(exchange_fixture_log(&c->f), "\"end-reason\":\"shutdown\""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_while_dialing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_while_dialing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_in_every_state, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
