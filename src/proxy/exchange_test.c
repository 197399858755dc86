/*
 * exchange_test.c - the life of a tunnel from CONNECT to its record, ended at every step (protocol.md 1.7 to 1.9, 7.2, 7.3;
 * extensions.md 5, 6)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/relay.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/stream_mem.h"

#define ROUTE_ID "ec666713d5920b8c"

static void connect_as(struct exchange_fixture *f, const char *email, const char *early)
{
	char *token = exchange_fixture_log_in(f, email);

	exchange_fixture_sendf(
		f,
		"CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n"
		"User-Agent: Go-http-client/1.1\r\nReferer: https://x.example/y?secret=1\r\n"
		"Authorization: Pomerium %s\r\n\r\n%s",
		token, early);
	mem_free_secret(token);
}

static void open_tunnel(struct exchange_fixture *f)
{
	connect_as(f, "alice@example.com", "early");
	exchange_fixture_dial_connects(f);
}

static void expect_bytes(struct exchange_fixture *f, struct stream *s, const char *text)
{
	char piece[256];
	ssize_t count;

	exchange_fixture_settle(f);
	count = stream_read(s, piece, sizeof(piece));
	assert_int_equal(count, strlen(text));
	assert_memory_equal(piece, text, strlen(text));
}

static void write_bytes(struct exchange_fixture *f, struct stream *s, const char *text)
{
	assert_int_equal(stream_write(s, text, strlen(text)), strlen(text));
	exchange_fixture_settle(f);
}

static void shut(struct exchange_fixture *f, struct stream *s)
{
	assert_int_equal(stream_shutdown(s), STREAM_END);
	exchange_fixture_settle(f);
}

/* ---- the log ---- */

#define AUTHORIZED(who, rest)                                                                      \
	"{\"level\":\"info\",\"service\":\"authorize\",\"request-id\":\"<uuid>\","                 \
	"\"check-request-id\":\"<uuid>\",\"method\":\"CONNECT\",\"path\":\"\","                    \
	"\"host\":\"redis.example.com:6379\",\"ip\":\"203.0.113.7\"," who                          \
	"\"route-id\":\"" ROUTE_ID "\"," rest                                                      \
	",\"time\":\"2026-01-01T00:00:00Z\",\"message\":\"authorize check\"}\n"
#define IS_ALICE "\"session-id\":\"<uuid>\",\"user\":\"user-1\",\"email\":\"alice@example.com\","
#define IS_BOB   "\"session-id\":\"<uuid>\",\"user\":\"user-2\",\"email\":\"bob@example.com\","
#define ALLOWED                                                                                    \
	"\"allow\":true,\"allow-why-true\":[\"email-ok\"],\"deny\":false,\"deny-why-false\":[]"

#define OPENED                                                                                      \
	"{\"level\":\"info\",\"service\":\"proxy\",\"request-id\":\"<uuid>\","                      \
	"\"authority\":\"redis.example.com:6379\",\"ip\":\"203.0.113.7\",\"tunnel-id\":\"<uuid>\"," \
	"\"route-id\":\"" ROUTE_ID "\"," IS_ALICE "\"upstream-address\":\"10.0.0.5:6379\","         \
	"\"time\":\"2026-01-01T00:00:00Z\",\"message\":\"tunnel opened\"}\n"

#define REQUEST(duration, size, status, details)                                                   \
	"{\"level\":\"info\",\"server-name\":\"all\",\"service\":\"envoy\","                       \
	"\"upstream-cluster\":\"route-" ROUTE_ID "\",\"method\":\"CONNECT\","                      \
	"\"authority\":\"redis.example.com:6379\",\"path\":\"\","                                  \
	"\"user-agent\":\"Go-http-client/1.1\",\"referer\":\"https://x.example/y\","               \
	"\"forwarded-for\":\"203.0.113.7\",\"request-id\":\"<uuid>\",\"duration\":" duration       \
	",\"size\":" size ",\"response-code\":" status ",\"response-code-details\":\"" details     \
	"\""
#define TUNNEL(received, sent, end)                                                                \
	",\"tunnel-id\":\"<uuid>\",\"route-id\":\"" ROUTE_ID "\"," IS_ALICE                        \
	"\"upstream-address\":\"10.0.0.5:6379\",\"bytes-received\":" received                      \
	",\"bytes-sent\":" sent ",\"end-reason\":\"" end "\""
#define AT(time) ",\"time\":\"" time "\",\"message\":\"http-request\"}\n"
#define NOW      "2026-01-01T00:00:00Z"

/* ---- a tunnel ---- */

static void test_tunnel(void **state)
{
	struct exchange_fixture *f = *state;

	connect_as(f, "alice@example.com", "early");
	assert_int_equal(f->answer_count, 0);
	assert_true(str_equal(buf_view(&f->dialed), STR("10.0.0.5:6379\n")));
	exchange_fixture_expect_log(f, AUTHORIZED(IS_ALICE, ALLOWED));
	exchange_fixture_dial_connects(f);
	exchange_fixture_expect(
		f, 200, "server: pomerium\nx-request-id: <uuid>\nx-pomerium-half-close: ?1\n");
	assert_int_equal(f->body.len, 0);
	exchange_fixture_expect_log(f, OPENED);
	assert_null(f->connection.exchange);

	expect_bytes(f, f->client, "head|");
	expect_bytes(f, f->upstream, "early");
	write_bytes(f, f->client, "question");
	expect_bytes(f, f->upstream, "question");
	write_bytes(f, f->upstream, "answer");
	expect_bytes(f, f->client, "answer");
	clock_fake_advance_ms(61500);
	shut(f, f->client);
	/* Half-close: the other way stays open. */
	write_bytes(f, f->upstream, "more");
	expect_bytes(f, f->client, "more");
	assert_non_null(exchange_fixture_only(f));
	exchange_fixture_expect_log(f, "");
	shut(f, f->upstream);
	assert_true(list_is_empty(&f->worker.exchanges));
	exchange_fixture_expect_log(f, REQUEST("61500.000", "10", "200", "via_upstream")
					       TUNNEL("13", "10", "client-closed")
						       AT("2026-01-01T00:01:01Z"));
}

static void test_upstream_closes(void **state)
{
	struct exchange_fixture *f = *state;

	open_tunnel(f);
	(void)exchange_fixture_log(f);
	shut(f, f->upstream);
	shut(f, f->client);
	exchange_fixture_expect_log(f, REQUEST("0.000", "0", "200", "via_upstream")
					       TUNNEL("5", "0", "upstream-closed") AT(NOW));
}

static void test_client_resets(void **state)
{
	struct exchange_fixture *f = *state;

	open_tunnel(f);
	(void)exchange_fixture_log(f);
	stream_close(TAKE(f->client), STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
	exchange_fixture_expect_log(f, REQUEST("0.000", "0", "200", "via_upstream")
					       TUNNEL("5", "0", "client-reset") AT(NOW));
	assert_true(stream_mem_peer_was_reset(f->upstream));
}

static void test_upstream_resets(void **state)
{
	struct exchange_fixture *f = *state;

	open_tunnel(f);
	(void)exchange_fixture_log(f);
	stream_close(TAKE(f->upstream), STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
	exchange_fixture_expect_log(f, REQUEST("0.000", "0", "200", "via_upstream")
					       TUNNEL("5", "0", "upstream-reset") AT(NOW));
	assert_true(stream_mem_peer_was_reset(f->client));
}

/* A half-open tunnel that is silent for too long ends too. */
static void test_idle(void **state)
{
	struct exchange_fixture *f = *state;

	open_tunnel(f);
	expect_bytes(f, f->upstream, "early");
	expect_bytes(f, f->client, "head|");
	shut(f, f->client);
	(void)exchange_fixture_log(f);
	clock_fake_advance_ms(RELAY_HALF_OPEN_IDLE_MS + 1);
	clock_fake_set_unix(FIXTURE_NOW); /* so that the session lives on */
	exchange_fixture_settle(f);
	assert_non_null(
		strstr(exchange_fixture_log(f),
		       "\"bytes-received\":5,\"bytes-sent\":0,\"end-reason\":\"idle-timeout\""));
}

static void test_shutdown(void **state)
{
	struct exchange_fixture *f = *state;

	open_tunnel(f);
	expect_bytes(f, f->upstream, "early");
	write_bytes(f, f->upstream, "answer");
	(void)exchange_fixture_log(f);
	exchange_abort(exchange_fixture_only(f), "shutdown");
	exchange_fixture_settle(f);
	assert_non_null(
		strstr(exchange_fixture_log(f),
		       "\"bytes-received\":5,\"bytes-sent\":6,\"end-reason\":\"shutdown\""));
	assert_true(stream_mem_peer_was_reset(f->client));
	assert_true(stream_mem_peer_was_reset(f->upstream));
}

/* ---- refusals, with their lines ---- */

static void test_denied(void **state)
{
	struct exchange_fixture *f = *state;

	connect_as(f, "bob@example.com", "early bytes that must go nowhere");
	assert_int_equal(f->status, 403);
	assert_true(
		str_equal(exchange_fixture_header(f, "x-pomerium-message"),
			  STR("bob@example.com is not allowed to use redis.example.com:6379.")));
	assert_int_equal(f->dialed.len, 0);
	assert_true(list_is_empty(&f->worker.exchanges));

	char expected[4096];

	(void)snprintf(
		expected, sizeof(expected),
		"%s"
		"%s%zu%s",
		AUTHORIZED(IS_BOB, "\"allow\":false,\"allow-why-false\":[\"email-unauthorized\","
				   "\"user-unauthorized\"],\"deny\":false,\"deny-why-false\":[]"),
		"{\"level\":\"info\",\"server-name\":\"all\",\"service\":\"envoy\","
		"\"upstream-cluster\":\"route-" ROUTE_ID "\",\"method\":\"CONNECT\","
		"\"authority\":\"redis.example.com:6379\",\"path\":\"\","
		"\"user-agent\":\"Go-http-client/1.1\",\"referer\":\"https://x.example/y\","
		"\"forwarded-for\":\"203.0.113.7\",\"request-id\":\"<uuid>\",\"duration\":0.000,"
		"\"size\":",
		f->body.len,
		",\"response-code\":403,\"response-code-details\":\"ext_authz_denied\","
		"\"reason\":\"denied\"" AT(NOW));
	exchange_fixture_expect_log(f, expected);
}

struct refused_row {
	const char *request;
	int status;
	const char *reason;
	const char *why; /* in the authorize line; NULL: nobody was asked */
};

#define TO_ROUTE "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n"

static const struct refused_row refused_rows[] = {
	{ TO_ROUTE "\r\n", 302, "login-required", "[\"user-unauthenticated\"]" },
	{ TO_ROUTE "Accept: application/json\r\n\r\n", 401, "login-required",
	  "[\"user-unauthenticated\"]" },
	{ TO_ROUTE "Authorization: Pomerium x\r\n\r\n", 401, "session-unknown",
	  "[\"user-unauthenticated\"]" },
	{ TO_ROUTE "Cookie: _pomerium=x\r\n\r\n", 302, "session-unknown",
	  "[\"user-unauthenticated\"]" },
	{ "CONNECT other.example.com:6379 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "route-not-found",
	  NULL },
	{ "CONNECT redis.example.com:22 HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n\r\n", 404,
	  "route-not-found", NULL },
	{ "GET / HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n\r\n", 404, "route-not-found", NULL },
	{ TO_ROUTE "Origin: https://evil.example\r\n\r\n", 403, "bad-request", NULL },
	{ TO_ROUTE "Origin: null\r\nCookie: _pomerium=x\r\n\r\n", 403, "bad-request", NULL },
	{ "GET /.well-known/masque/udp/redis.example.com/6379/ HTTP/1.1\r\nHost: x\r\n"
	  "Connection: Upgrade\r\nUpgrade: connect-udp\r\nOrigin: https://x\r\n\r\n",
	  403, "bad-request", NULL },
};

static void test_refused(void **state)
{
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(refused_rows); i++) {
		const struct refused_row *row = &refused_rows[i];
		char reason[64];
		const char *log;

		exchange_fixture_send(f, str_from(row->request));
		assert_int_equal(f->status, row->status);
		assert_true(str_equal(exchange_fixture_header(f, "x-pomerium-reason"),
				      str_from(row->reason)));
		(void)snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", row->reason);
		log = exchange_fixture_log(f);
		assert_non_null(strstr(log, reason));
		assert_int_equal(!row->why, !strstr(log, "authorize check"));
		if (row->why)
			assert_non_null(strstr(log, row->why));
	}
	assert_int_equal(f->dialed.len, 0);
}

static void test_expired(void **state)
{
	struct exchange_fixture *f = *state;
	char *token = exchange_fixture_log_in(f, "alice@example.com");

	clock_fake_set_unix(FIXTURE_NOW + 3600);
	exchange_fixture_sendf(f, TO_ROUTE "Authorization: Pomerium %s\r\n\r\n", token);
	assert_int_equal(f->status, 401);
	assert_true(
		str_equal(exchange_fixture_header(f, "x-pomerium-reason"), STR("session-expired")));
	mem_free_secret(token);
}

static void test_public_route(void **state)
{
	struct exchange_fixture *f = *state;

	exchange_fixture_reload(f, "routes:\n- from: tcp+https://" FIXTURE_ROUTE "\n"
				   "  to: tcp://[2001:db8::5]:1\n  name: the-name\n"
				   "  allow_public_unauthenticated_access: true\n");
	exchange_fixture_send(f, STR(TO_ROUTE "\r\n"));
	assert_true(str_equal(buf_view(&f->dialed), STR("2001:db8::5:1\n")));
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 200);
	exchange_abort(exchange_fixture_only(f), "shutdown");
	assert_non_null(strstr(exchange_fixture_log(f), "\"upstream-cluster\":\"the-name-"));
}

/* ---- the upstream ---- */

static void test_dial_failures(void **state)
{
	static const struct {
		enum err_kind kind;
		const char *reason;
	} rows[] = {
		{ ERR_DNS, "upstream-dns" },         { ERR_REFUSED, "upstream-refused" },
		{ ERR_RESET, "upstream-refused" },   { ERR_UNREACHABLE, "upstream-unreachable" },
		{ ERR_TIMEOUT, "upstream-timeout" }, { ERR_LIMIT, "overloaded" },
		{ ERR_SYSTEM, "internal" },
	};
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *log;

		connect_as(f, "alice@example.com", "early");
		exchange_fixture_dial_fails(f, rows[i].kind);
		assert_int_equal(f->status, 503);
		assert_true(str_equal(exchange_fixture_header(f, "x-pomerium-reason"),
				      str_from(rows[i].reason)));
		/* The address is for the operator only. */
		assert_false(exchange_fixture_body_has(f, "10.0.0.5"));
		assert_false(str_contains(buf_view(&f->headers), STR("10.0.0.5")));
		log = exchange_fixture_log(f);
		assert_non_null(
			strstr(log, "\"error\":\"connecting to 10.0.0.5:6379: it did not work\""));
		assert_non_null(strstr(log, "\"message\":\"upstream not reachable\""));
		assert_null(strstr(log, "tunnel-id"));
		assert_true(list_is_empty(&f->worker.exchanges));
	}
}

static void test_gone_while_dialing(void **state)
{
	struct exchange_fixture *f = *state;

	connect_as(f, "alice@example.com", "");
	(void)exchange_fixture_log(f);
	exchange_abort(exchange_fixture_only(f), "client-closed");
	exchange_fixture_settle(f);
	assert_int_equal(f->dials_cancelled, 1);
	assert_int_equal(f->answer_count, 0);
	exchange_fixture_expect_log(
		f,
		REQUEST("0.000", "0", "0",
			"downstream_remote_disconnect") ",\"end-reason\":\"client-closed\"" AT(NOW));
}

/* ---- a new configuration ---- */

/* What was allowed before the dial is asked again after it, by the rules in force then. */
static void test_reload_while_dialing(void **state)
{
	struct exchange_fixture *f = *state;

	connect_as(f, "alice@example.com", "");
	exchange_fixture_reload(f, FIXTURE_LOGIN FIXTURE_USERS);
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 404);
	assert_true(list_is_empty(&f->worker.exchanges));
}

/* ---- ended at every step ---- */

enum { STEPS = 7 };

static void do_step(struct exchange_fixture *f, int step)
{
	switch (step) {
	case 0:
		connect_as(f, "alice@example.com", "early");
		return;
	case 1:
		exchange_fixture_dial_connects(f);
		return;
	case 2:
		write_bytes(f, f->client, "question");
		return;
	case 3:
		write_bytes(f, f->upstream, "answer");
		return;
	case 4:
		shut(f, f->client);
		return;
	case 5:
		write_bytes(f, f->upstream, "more");
		return;
	case 6:
		shut(f, f->upstream);
		return;
	}
}

static size_t count_records(const char *log)
{
	size_t count = 0;

	while ((log = strstr(log, "\"message\":\"http-request\""))) {
		log++;
		count++;
	}
	return count;
}

/* However it ends: one record, nothing left, and the address sanitizer silent. */
static void test_abort_at_every_step(void **state)
{
	for (int last = 0; last < STEPS; last++) {
		struct exchange_fixture f;

		exchange_fixture_init(&f, FIXTURE_SETTINGS);
		f.is_held = last % 2 == 0;
		for (int step = 0; step <= last; step++)
			do_step(&f, step);
		if (last < STEPS - 1)
			exchange_abort(exchange_fixture_only(&f), "shutdown");
		exchange_fixture_settle(&f);
		assert_true(list_is_empty(&f.worker.exchanges));
		assert_int_equal(count_records(exchange_fixture_log(&f)), 1);
		exchange_fixture_done(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tunnel, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_upstream_closes, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_client_resets, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_upstream_resets, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_idle, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_shutdown, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_denied, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_refused, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_expired, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_public_route, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_dial_failures, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_gone_while_dialing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_reload_while_dialing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test(test_abort_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
