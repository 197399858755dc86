/*
 * upstream_connect_test.c - each step of a connection to a target, in pieces, too late, and given up at any moment
 *
 * dial_start() and dial_unix_start() are the test's: they give one end of a pair in memory.
 */

#include "proxy/upstream_connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/dial_unix.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"
#include "tests/support/tls_testing.h"

#define TURNS      200
#define TIMEOUT_MS 5000
#define TEXT_MAX   65536

struct bed {
	struct loop *loop;
	struct later later; /* of the dial that is under way */
	void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
			const struct err *e);
	void (*on_done_unix)(void *arg, struct stream *stream, const struct err *e);
	void *arg;
	struct stream_mem_options mem;
	struct stream *far; /* the target's end */
	struct buf got;     /* what it received */
	struct upstream_connect *connect;
	unsigned done;
	struct upstream_connected connected;
	struct err err;
};

/* ---- in the place of io/dial.c and io/dial_unix.c ---- */

static void ignore_event(void *arg, unsigned events)
{
}

static void on_dial_due(struct later *later)
{
	struct bed *bed = container_of(later, struct bed, later);
	struct stream *near;
	struct addr peer;

	assert_true(addr_from_ip(STR("10.0.0.5"), 6379, &peer));
	stream_mem_pair(bed->loop, &bed->mem, &bed->far, &near);
	stream_set_owner(bed->far, ignore_event, NULL);
	if (bed->on_done)
		bed->on_done(bed->arg, near, &peer, NULL);
	else
		bed->on_done_unix(bed->arg, near, NULL);
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg)
{
	struct bed *bed = (struct bed *)resolver;

	bed->on_done = on_done;
	bed->arg = arg;
	later_start(&bed->later, loop, on_dial_due);
	return (struct dial *)bed;
}

void dial_cancel(struct dial *d)
{
	if (d)
		later_cancel(&((struct bed *)d)->later);
}

struct dial_unix *dial_unix_start(struct loop *loop, struct str path, uint64_t timeout_ms,
				  void (*on_done)(void *arg, struct stream *stream,
						  const struct err *e),
				  void *arg)
{
	struct err e = { 0 };

	/* Only its failure is looked at here: dial_unix_test.c and the end-to-end tests do the rest. */
	(void)err_set(&e, ERR_REFUSED, "connecting to %.*s: refused", STR_FMT(path));
	on_done(arg, NULL, &e);
	return NULL;
}

void dial_unix_cancel(struct dial_unix *d)
{
}

/* ---- the bed ---- */

static void on_done(void *arg, struct upstream_connected *connected, const struct err *e)
{
	struct bed *bed = arg;

	assert_int_equal(connected == NULL, e != NULL);
	bed->done++;
	if (connected)
		bed->connected = *connected;
	else
		bed->err = *e;
	upstream_connect_cancel(bed->connect); /* is nothing any more */
}

static struct upstream_connect_options options_for(struct bed *bed,
						   const struct config_target *target)
{
	struct upstream_connect_options options = {
		.loop = bed->loop,
		.resolver = (struct resolver *)bed,
		.target = target,
		.timeout_ms = TIMEOUT_MS,
		.authority = STR("db.example.com:5432"),
		.headers = { { STR("user-agent"), STR("test") } },
		.header_count = 1,
	};

	assert_true(addr_from_ip(STR("192.0.2.1"), 1000, &options.source));
	assert_true(addr_from_ip(STR("192.0.2.2"), 443, &options.destination));
	return options;
}

static void bed_open(struct bed *bed)
{
	*bed = (struct bed){ .loop = loop_new(), .got = BUF_INIT(TEXT_MAX) };
}

static void turn(struct bed *bed)
{
	char piece[512];
	ssize_t count;

	for (int i = 0; i < TURNS; i++) {
		loop_turn(bed->loop, false);
		while (bed->far && (count = stream_read(bed->far, piece, sizeof(piece))) > 0)
			(void)buf_append(&bed->got, piece, (size_t)count);
	}
}

static void start(struct bed *bed, const struct upstream_connect_options *options)
{
	bed->connect = upstream_connect_start(options, on_done, bed);
	assert_int_equal(bed->done, 0);
	turn(bed);
}

static void bed_close(struct bed *bed)
{
	stream_close(bed->connected.stream, STREAM_CLOSE_NORMAL);
	stream_close(bed->far, STREAM_CLOSE_NORMAL);
	buf_done(&bed->connected.early);
	buf_done(&bed->got);
	loop_turn(bed->loop, false);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static void expect_got(const struct bed *bed, const char *text)
{
	assert_int_equal(bed->got.len, strlen(text));
	assert_memory_equal(bed->got.data, text, strlen(text));
}

static void say(struct bed *bed, const char *text)
{
	assert_int_equal(stream_write(bed->far, text, strlen(text)), strlen(text));
	turn(bed);
}

static const struct config_target tcp = { .hop = CONFIG_HOP_TCP, .host = STR("db"), .port = 5432 };
static const struct config_target proxy = { .hop = CONFIG_HOP_HTTP_PROXY,
					    .host = STR("proxy"),
					    .port = 3128 };
static const struct config_target secure_proxy = { .hop = CONFIG_HOP_HTTPS_PROXY,
						   .host = STR("proxy.test"),
						   .port = 3128 };

#define HEADER_V1 "PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n"
#define CONNECT                                                                                    \
	"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n"                    \
	"user-agent: test\r\n\r\n"

/* ---- the tests ---- */

static void test_plain(void **state)
{
	struct bed bed;

	bed_open(&bed);
	start(&bed, &(struct upstream_connect_options){ .loop = bed.loop,
							.resolver = (struct resolver *)&bed,
							.target = &tcp,
							.timeout_ms = TIMEOUT_MS });
	assert_int_equal(bed.done, 1);
	assert_non_null(bed.connected.stream);
	assert_int_equal(addr_port(&bed.connected.address), 6379);
	expect_got(&bed, "");
	bed_close(&bed);
}

/* The header comes first and whole, however little the connection takes at once. */
static void test_proxy_header_in_pieces(void **state)
{
	static const struct config_target *const targets[] = { &tcp, &proxy };

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct upstream_connect_options options;
		struct bed bed;

		bed_open(&bed);
		bed.mem = (struct stream_mem_options){ .write_max = 3, .capacity = 4 };
		options = options_for(&bed, targets[i]);
		options.proxy_header = CONFIG_PROXY_HEADER_V1;
		start(&bed, &options);
		expect_got(&bed, i == 0 ? HEADER_V1 : HEADER_V1 CONNECT);
		assert_int_equal(bed.done, i == 0 ? 1 : 0);
		if (i == 1)
			upstream_connect_cancel(bed.connect);
		bed_close(&bed);
	}
}

static void test_destination_that_is_not_known(void **state)
{
	struct upstream_connect_options options;
	struct bed bed;

	bed_open(&bed);
	options = options_for(&bed, &tcp);
	options.proxy_header = CONFIG_PROXY_HEADER_V1;
	options.destination = (struct addr){ 0 };
	start(&bed, &options);
	expect_got(&bed, "PROXY TCP4 192.0.2.1 10.0.0.5 1000 6379\r\n");
	bed_close(&bed);
}

static void test_proxy_opens(void **state)
{
	static const size_t sizes[] = { 1, 7, 1000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct upstream_connect_options options;
		struct bed bed;
		char text[8];

		bed_open(&bed);
		bed.mem.read_max = sizes[i];
		options = options_for(&bed, &proxy);
		start(&bed, &options);
		expect_got(&bed, CONNECT);
		assert_int_equal(bed.done, 0);
		say(&bed, "HTTP/1.1 200 Yes\r\nContent-Length: 3\r\n\r\nearly");
		assert_int_equal(bed.done, 1);
		/* What came with the head and what is still in the connection: nothing is lost. */
		while (bed.connected.early.len < 5) {
			ssize_t count = stream_read(bed.connected.stream, text, sizeof(text));

			assert_true(count > 0);
			bed.connected.early.max = TEXT_MAX;
			(void)buf_append(&bed.connected.early, text, (size_t)count);
		}
		assert_memory_equal(bed.connected.early.data, "early", 5);
		bed_close(&bed);
	}
}

static void test_proxy_refuses(void **state)
{
	static const struct {
		const char *answer;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ "HTTP/1.1 403 No\r\n\r\n", ERR_REFUSED,
		  "connecting to proxy:3128: this proxy answered 403" },
		{ "HTTP/1.1 503 No\r\nX-Pomerium-Reason: upstream-dns\r\n\r\n", ERR_REFUSED,
		  "answered 503 upstream-dns" },
		{ "HTTP/1.1 503 No\r\nX-Pomerium-Reason: \x7f\x80\r\n\r\n", ERR_PROTOCOL, "" },
		{ "HTTP/1.1 504 No\r\n\r\n", ERR_TIMEOUT, "answered 504" },
		{ "HTTP/1.1 100 Continue\r\n\r\n", ERR_REFUSED, "answered 100" },
		{ "220 ftp\r\n\r\n", ERR_PROTOCOL, "connecting to proxy:3128: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct upstream_connect_options options;
		struct bed bed;

		bed_open(&bed);
		options = options_for(&bed, &proxy);
		start(&bed, &options);
		say(&bed, cases[i].answer);
		assert_int_equal(bed.done, 1);
		assert_null(bed.connected.stream);
		assert_int_equal(bed.err.kind, cases[i].kind);
		if (!strstr(bed.err.text, cases[i].text))
			fail_msg("%zu: %s", i, bed.err.text);
		bed_close(&bed);
	}
}

static void test_no_socket_at_the_path(void **state)
{
	static const struct config_target target = { .hop = CONFIG_HOP_UNIX,
						     .host = STR("/run/x") };
	struct bed bed;
	struct upstream_connect_options options;

	bed_open(&bed);
	options = options_for(&bed, &target);
	(void)upstream_connect_start(&options, on_done, &bed);
	assert_int_equal(bed.err.kind, ERR_REFUSED);
	assert_string_equal(bed.err.text, "connecting to /run/x: refused");
	bed_close(&bed);
}

/* Each of the steps after the dial may be where the target stops answering. */
static void test_time_is_over(void **state)
{
	struct tls_config *tls = test_client_config(NULL, NULL);
	const struct {
		const struct config_target *target;
		struct stream_mem_options mem;
		const char *text;
	} cases[] = {
		{ &tcp, { .capacity = 4 }, "does not take the PROXY header" },
		{ &secure_proxy, { .capacity = 0 }, "TLS handshake took too long" },
		{ &proxy, { .capacity = 0 }, "proxy:3128: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct upstream_connect_options options;
		struct bed bed;

		bed_open(&bed);
		bed.mem = cases[i].mem;
		options = options_for(&bed, cases[i].target);
		options.tls = tls;
		options.proxy_header = i == 0 ? CONFIG_PROXY_HEADER_V1 : CONFIG_PROXY_HEADER_NONE;
		bed.connect = upstream_connect_start(&options, on_done, &bed);
		for (int k = 0; k < TURNS; k++)
			loop_turn(bed.loop, false); /* nobody reads */
		clock_fake_advance_ms(TIMEOUT_MS - 1);
		loop_turn(bed.loop, false);
		assert_int_equal(bed.done, 0);
		clock_fake_advance_ms(1);
		loop_turn(bed.loop, false);
		assert_int_equal(bed.done, 1);
		assert_int_equal(bed.err.kind, ERR_TIMEOUT);
		if (!strstr(bed.err.text, cases[i].text))
			fail_msg("%zu: %s", i, bed.err.text);
		bed_close(&bed);
	}
	tls_config_unref(tls);
}

/* The far end as a TLS server of that certificate, which answers one CONNECT. */
static void serve_tls(struct bed *bed, struct tls_config *server)
{
	bed->far = tls_stream_accept(bed->loop, bed->far, server);
	stream_set_owner(bed->far, ignore_event, NULL);
	turn(bed);
}

static void test_tls(void **state)
{
	struct test_pem ca;
	struct test_pem other;
	struct test_pem pem;
	struct tls_config *server;
	const struct {
		const struct test_pem *ca;
		struct str name;
		bool works;
	} cases[] = {
		{ &ca, STR(""), true }, /* the host of the target */
		{ &ca, STR("proxy.test"), true }, { &ca, STR("wrong.test"), false },
		{ &other, STR(""), false },       { NULL, STR("wrong.test"), true },
	};

	test_pem_ca(&ca, "CA");
	test_pem_ca(&other, "Other");
	test_pem_server(&pem, &ca, "proxy.test");
	server = test_server_config(&pem, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_config *client = test_client_config(cases[i].ca, NULL);
		struct upstream_connect_options options;
		struct bed bed;

		bed_open(&bed);
		options = options_for(&bed, &secure_proxy);
		options.tls = client;
		options.server_name = cases[i].name;
		bed.connect = upstream_connect_start(&options, on_done, &bed);
		tls_config_unref(client); /* it has its own reference */
		while (!bed.far)
			loop_turn(bed.loop, false);
		serve_tls(&bed, server);
		if (cases[i].works) {
			expect_got(&bed, CONNECT);
			say(&bed, "HTTP/1.1 200 OK\r\n\r\n");
			assert_int_equal(bed.done, 1);
			assert_non_null(bed.connected.stream);
		} else {
			assert_int_equal(bed.done, 1);
			assert_int_equal(bed.err.kind, ERR_TLS);
			assert_non_null(strstr(bed.err.text, "connecting to proxy.test:3128: "));
		}
		bed_close(&bed);
	}
	tls_config_unref(server);
	test_pem_done(&pem);
	test_pem_done(&other);
	test_pem_done(&ca);
}

/* Silence afterwards, and nothing is left: the sanitizer looks. */
static void test_cancel_at_every_step(void **state)
{
	struct tls_config *tls = test_client_config(NULL, NULL);
	const struct config_target *targets[] = { &tcp, &proxy, &secure_proxy };

	for (int step = 0; step < 60; step++) {
		struct upstream_connect_options options;
		struct bed bed;

		bed_open(&bed);
		bed.mem = (struct stream_mem_options){ .write_max = 5 };
		options = options_for(&bed, targets[step % 3]);
		options.tls = tls;
		options.proxy_header = CONFIG_PROXY_HEADER_V2;
		bed.connect = upstream_connect_start(&options, on_done, &bed);
		for (int i = 0; i < step / 3 && bed.done == 0; i++)
			loop_turn(bed.loop, false);
		if (bed.done == 0) {
			upstream_connect_cancel(bed.connect);
			turn(&bed);
			assert_int_equal(bed.done, 0);
		}
		bed_close(&bed);
	}
	upstream_connect_cancel(NULL);
	tls_config_unref(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_proxy_header_in_pieces),
		cmocka_unit_test(test_destination_that_is_not_known),
		cmocka_unit_test(test_proxy_opens),
		cmocka_unit_test(test_proxy_refuses),
		cmocka_unit_test(test_no_socket_at_the_path),
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_cancel_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
