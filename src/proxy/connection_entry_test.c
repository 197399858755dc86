/*
 * connection_entry_test.c - what is decided before a request: headers in front, plain HTTP, limits, time
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

#define PLAIN   "insecure_server: true\n" FIXTURE_SETTINGS
#define CLIENTS 4
#define HEADER  "PROXY TCP4 192.0.2.9 198.51.100.1 1 2\r\n"
#define LOCAL   "PROXY UNKNOWN\r\n"
#define PING    "GET /ping HTTP/1.1\r\nHost: a.example\r\n"
#define BAD     "bad\r\n\r\n"

static int setup(void **state)
{
	struct exchange_fixture *f = mem_alloc(sizeof(*f));

	exchange_fixture_init(f, PLAIN);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct exchange_fixture *f = *state;

	LIST_FOREACH (&f->worker.connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
	assert_int_equal(f->control.admission.handshakes.inside, 0);
	exchange_fixture_done(f);
	assert_int_equal(f->control.admission.connections.inside, 0);
	mem_free(f);
	return 0;
}

static void expect_answer(struct exchange_fixture *f, struct stream *client, const char *begin)
{
	char text[4096];

	assert_true(entry_client_receive(f, client, text, sizeof(text)) > 0);
	if (!str_starts_with(str_from(text), str_from(begin)))
		fail_msg("%s", text);
}

static void test_plain(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client = entry_client_open(f);

	entry_client_send(f, client, PING "\r\n");
	expect_answer(f, client, "HTTP/1.1 200 OK\r\n");
	entry_client_hang_up(f, client);
}

static void test_header_names_the_client(void **state)
{
	static const struct {
		const char *header;
		const char *ip;
	} rows[] = {
		{ HEADER, "\"ip\":\"192.0.2.9\"" },
		{ LOCAL, "\"ip\":\"" FIXTURE_PEER "\"" },
	};
	struct exchange_fixture *f = *state;

	exchange_fixture_reload(f, "use_proxy_protocol: true\n" PLAIN);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream *client = entry_client_open(f);

		entry_client_send(f, client, rows[i].header);
		entry_client_send(f, client, BAD);
		expect_answer(f, client, "HTTP/1.1 400 ");
		assert_non_null(strstr(exchange_fixture_log(f), rows[i].ip));
		entry_client_hang_up(f, client);
	}
}

static void test_header_is_required(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;
	char byte[2];
	const char *log;

	exchange_fixture_reload(f, "use_proxy_protocol: true\n" PLAIN);
	client = entry_client_open(f);
	entry_client_send(f, client, PING "\r\n");
	assert_true(entry_client_receive(f, client, byte, sizeof(byte)) <= 0);
	assert_false(entry_client_is_open(f, client));
	log = exchange_fixture_log(f);
	assert_int_equal(entry_count(log, "\n"), 1);
	assert_non_null(strstr(log, "\"ip\":\"" FIXTURE_PEER "\",\"reason\":\"protocol\","
				    "\"error\":\"PROXY protocol: "));
	assert_non_null(strstr(log, "\"message\":\"connection failed\""));
	entry_client_hang_up(f, client);
}

/* Load balancers look every second whether we are there. */
static void test_probes_are_silent(void **state)
{
	static const char *const settings[] = {
		"use_proxy_protocol: true\n" PLAIN,
		FIXTURE_SETTINGS,
		PLAIN,
	};
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		struct stream *client;

		exchange_fixture_reload(f, settings[i]);
		client = entry_client_open(f);
		assert_int_equal(stream_shutdown(client), STREAM_END);
		exchange_fixture_settle(f);
		assert_true(list_is_empty(&f->worker.connections));
		entry_client_hang_up(f, client);
		assert_string_equal(exchange_fixture_log(f), "");
	}
}

/* One time for header, handshake and head: what was waited for first is gone. */
static void test_time_is_one(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;

	exchange_fixture_reload(f, "use_proxy_protocol: true\ntimeout_read: 8s\n" PLAIN);
	client = entry_client_open(f);
	clock_fake_advance_ms(5000);
	entry_client_send(f, client, HEADER);
	clock_fake_advance_ms(2999);
	assert_true(entry_client_is_open(f, client));
	clock_fake_advance_ms(1);
	assert_false(entry_client_is_open(f, client));
	entry_client_hang_up(f, client);

	client = entry_client_open(f);
	entry_client_send(f, client, "PROXY");
	clock_fake_advance_ms(8000);
	assert_false(entry_client_is_open(f, client));
	assert_int_equal(entry_count(exchange_fixture_log(f), "\"reason\":\"timeout\""), 2);
	entry_client_hang_up(f, client);
}

static void test_no_time_limit(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;

	exchange_fixture_reload(f, "timeout_read: 0s\ntimeout_idle: 0s\n"
				   "use_proxy_protocol: true\n" PLAIN);
	client = entry_client_open(f);
	clock_fake_advance_ms(86400000);
	assert_true(entry_client_is_open(f, client));
	entry_client_send(f, client, HEADER PING);
	clock_fake_advance_ms(86400000);
	assert_true(entry_client_is_open(f, client));
	entry_client_send(f, client, "\r\n");
	expect_answer(f, client, "HTTP/1.1 200 OK\r\n");
	clock_fake_advance_ms(86400000);
	assert_true(entry_client_is_open(f, client));
	entry_client_hang_up(f, client);
}

static void test_idle_time(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;

	exchange_fixture_reload(f, "timeout_idle: 7s\n" PLAIN);
	client = entry_client_open(f);
	entry_client_send(f, client, PING "\r\n");
	expect_answer(f, client, "HTTP/1.1 200 OK\r\n");
	clock_fake_advance_ms(6999);
	assert_true(entry_client_is_open(f, client));
	clock_fake_advance_ms(1);
	assert_false(entry_client_is_open(f, client));
	entry_client_hang_up(f, client);
}

static void connect_as_alice(struct exchange_fixture *f, struct stream *client)
{
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	struct buf text = BUF_INIT(FIXTURE_LINES_MAX);

	(void)buf_printf(&text,
			 "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n"
			 "Authorization: Pomerium %s\r\n\r\n%c",
			 token, '\0');
	entry_client_send(f, client, (const char *)text.data);
	buf_done_secret(&text);
	mem_free_secret(token);
	assert_non_null(f->dial);
}

/* The tunnel must be there in time, too. */
static void test_late_tunnel(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;

	exchange_fixture_reload(f, "timeout_read: 3s\n" PLAIN);
	client = entry_client_open(f);
	connect_as_alice(f, client);
	clock_fake_advance_ms(2999);
	assert_true(entry_client_is_open(f, client));
	clock_fake_advance_ms(1);
	expect_answer(f, client, "HTTP/1.1 503 ");
	assert_int_equal(f->dials_cancelled, 1);
	assert_true(list_is_empty(&f->worker.exchanges));
	assert_non_null(strstr(exchange_fixture_log(f), "upstream-timeout"));
	entry_client_hang_up(f, client);
}

static uint64_t count_refusals(struct exchange_fixture *f, const char *word)
{
	for (size_t i = 0; counters_refusal_words[i]; i++)
		if (strcmp(counters_refusal_words[i], word) == 0)
			return counter_read(&f->worker.counters.refusals[i]);
	return 0;
}

static void test_max_connections(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *clients[CLIENTS];
	const char *log;

	exchange_fixture_reload(f, "max_connections: 2\n" PLAIN);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = entry_client_open(f);
		assert_int_equal(entry_client_is_open(f, clients[i]), i < 2);
	}
	assert_int_equal(f->control.admission.connections.refused, 2);
	assert_int_equal(count_refusals(f, "overloaded"), 2);
	log = exchange_fixture_log(f);
	assert_int_equal(entry_count(log, "\n"), 1); /* for all of the next five seconds */
	assert_non_null(strstr(log, "\"setting\":\"max_connections\",\"connections-closed\":1"));
	entry_client_hang_up(f, clients[0]);
	clients[0] = entry_client_open(f);
	assert_true(entry_client_is_open(f, clients[0]));
	for (size_t i = 0; i < CLIENTS; i++)
		entry_client_hang_up(f, clients[i]);
	assert_int_equal(f->control.admission.connections.inside, 0);
}

/* A tunnel keeps the place of the connection that it was. */
static void test_tunnels_are_connections(void **state)
{
	struct exchange_fixture *f = *state;
	struct stream *client;
	struct stream *other;

	exchange_fixture_reload(f, "max_connections: 1\n" PLAIN);
	client = entry_client_open(f);
	connect_as_alice(f, client);
	exchange_fixture_dial_connects(f);
	expect_answer(f, client, "HTTP/1.1 200 OK\r\n");
	assert_true(list_is_empty(&f->worker.connections));
	other = entry_client_open(f);
	assert_false(entry_client_is_open(f, other));
	entry_client_hang_up(f, other);
	stream_close(client, STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
	assert_int_equal(f->control.admission.connections.inside, 0);
}

static void send_forwarded(struct exchange_fixture *f, const char *headers)
{
	struct stream *client = entry_client_open(f);
	struct buf text = BUF_INIT(FIXTURE_LINES_MAX);

	(void)buf_printf(&text, "CONNECT nowhere.example:1 HTTP/1.1\r\nHost: a\r\n%s\r\n%c",
			 headers, '\0');
	entry_client_send(f, client, (const char *)text.data);
	expect_answer(f, client, "HTTP/1.1 404 ");
	buf_done(&text);
	entry_client_hang_up(f, client);
}

static void test_trusted_hops(void **state)
{
	struct exchange_fixture *f = *state;

	send_forwarded(f, "X-Forwarded-For: 192.0.2.77\r\n");
	assert_non_null(strstr(exchange_fixture_log(f), "\"forwarded-for\":\"" FIXTURE_PEER "\""));
	exchange_fixture_reload(f, "xff_num_trusted_hops: 1\n" PLAIN);
	send_forwarded(f, "X-Forwarded-For: 192.0.2.77, 192.0.2.78\r\n");
	assert_non_null(strstr(exchange_fixture_log(f), "\"forwarded-for\":\"192.0.2.78\""));
	send_forwarded(f, "");
	assert_non_null(strstr(exchange_fixture_log(f), "\"forwarded-for\":\"" FIXTURE_PEER "\""));
}

/* The gateway ends while connections wait for each of their phases. */
static void test_close_in_every_phase(void **state)
{
	static const struct {
		const char *settings;
		const char *sent;
	} rows[] = {
		{ "use_proxy_protocol: true\n" PLAIN, "PRO" },
		{ "use_proxy_protocol: true\n" PLAIN, HEADER },
		{ "use_proxy_protocol: true\n" FIXTURE_SETTINGS, HEADER },
		{ "use_proxy_protocol: true\n" FIXTURE_SETTINGS, HEADER "\x16\x03" },
		{ FIXTURE_SETTINGS, "\x16" },
	};
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream *client;

		exchange_fixture_reload(f, rows[i].settings);
		client = entry_client_open(f);
		entry_client_send(f, client, rows[i].sent);
		LIST_FOREACH (&f->worker.connections, node) {
			connection_close(container_of(node, struct connection, in_worker),
					 "shutdown");
		}
		assert_true(list_is_empty(&f->worker.connections));
		assert_int_equal(f->control.admission.connections.inside, 0);
		assert_int_equal(f->control.admission.handshakes.inside, 0);
		clock_fake_advance_ms(600000);
		entry_client_hang_up(f, client);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_header_names_the_client),
		TEST(test_header_is_required),
		TEST(test_probes_are_silent),
		TEST(test_time_is_one),
		TEST(test_no_time_limit),
		TEST(test_idle_time),
		TEST(test_late_tunnel),
		TEST(test_max_connections),
		TEST(test_tunnels_are_connections),
		TEST(test_trusted_hops),
		TEST(test_close_in_every_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
