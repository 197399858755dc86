/*
 * A proxy played byte by byte: what it is sent, what it may answer, and what it may not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "io/loop.h"
#include "io/socks5.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define TIMEOUT_MS  5000
#define BYTES(text) ((struct str){ .at = (text), .len = sizeof(text) - 1 })

#define OK_METHOD "\5\0"
#define OK_REPLY  "\5\0\0\1\0\0\0\0\0\0"

struct fixture {
	struct loop *loop;
	struct stream *proxy; /* the test's end */
	struct socks5 *socks;
	struct stream *stream;
	struct err failure;
	unsigned done_count;
};

static void on_done(void *arg, struct stream *stream, const struct err *e)
{
	struct fixture *f = arg;

	f->done_count++;
	assert_true((stream == NULL) != (e == NULL));
	f->stream = stream;
	if (e)
		f->failure = *e;
}

static void ignore_event(void *arg, unsigned events)
{
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 100; i++)
		loop_turn(f->loop, false);
}

static void begin_with(struct fixture *f, size_t read_max, const struct socks5_request *request)
{
	const struct stream_mem_options options = { .read_max = read_max, .write_max = read_max };
	struct stream *client;

	*f = (struct fixture){ .loop = loop_new() };
	stream_mem_pair(f->loop, &options, &client, &f->proxy);
	stream_set_owner(f->proxy, ignore_event, NULL);
	f->socks = socks5_start(f->loop, client, request, on_done, f);
	settle(f);
}

static void begin(struct fixture *f, size_t read_max, const char *user)
{
	const struct socks5_request request = { .host = STR("db.example"),
						.port = 443,
						.user = str_from(user),
						.password = STR("s3cret"),
						.timeout_ms = TIMEOUT_MS };

	begin_with(f, read_max, &request);
}

static void end(struct fixture *f)
{
	stream_close(f->stream, STREAM_CLOSE_NORMAL);
	stream_close(f->proxy, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
}

static void expect(struct fixture *f, struct str bytes)
{
	char got[600] = { 0 };
	size_t len = 0;
	ssize_t piece;

	settle(f);
	while ((piece = stream_read(f->proxy, got + len, sizeof(got) - len)) > 0) {
		len += (size_t)piece;
		settle(f);
	}
	assert_int_equal(len, bytes.len);
	assert_memory_equal(got, bytes.at, len);
}

static void answer(struct fixture *f, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t put = stream_write(f->proxy, bytes.at, bytes.len);

		assert_true(put > 0);
		bytes = str_from_pos(bytes, (size_t)put);
	}
	settle(f);
}

/* What follows the answer stays in the stream. */
static void expect_open(struct fixture *f, const char *rest)
{
	char got[16] = { 0 };
	size_t len = 0;
	ssize_t piece;

	assert_int_equal(f->done_count, 1);
	assert_non_null(f->stream);
	while (len < sizeof(got) &&
	       (piece = stream_read(f->stream, got + len, sizeof(got) - len)) > 0)
		len += (size_t)piece;
	assert_string_equal(got, rest);
}

static void test_without_authentication(void **state)
{
	static const size_t pieces[] = { 0, 1, 2, 3 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct fixture f;

		begin(&f, pieces[i], NULL);
		expect(&f, BYTES("\5\1\0"));
		answer(&f, BYTES(OK_METHOD));
		expect(&f, BYTES("\5\1\0\3\12db.example\1\273"));
		answer(&f, BYTES(OK_REPLY "hello"));
		expect_open(&f, "hello");
		end(&f);
	}
}

static void test_with_password(void **state)
{
	static const size_t pieces[] = { 0, 1 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct fixture f;

		begin(&f, pieces[i], "ada");
		expect(&f, BYTES("\5\2\0\2"));
		answer(&f, BYTES("\5\2"));
		expect(&f, BYTES("\1\3ada\6s3cret"));
		answer(&f, BYTES("\1\0"));
		expect(&f, BYTES("\5\1\0\3\12db.example\1\273"));
		answer(&f, BYTES("\5\0\0\3\4abcd\0\1x"));
		expect_open(&f, "x");
		end(&f);
	}
}

static void test_address_types(void **state)
{
	static const struct {
		const char *host;
		struct str message;
	} cases[] = {
		{ "192.0.2.7", { "\5\1\0\1\300\0\2\7\0\26", 10 } },
		{ "2001:db8::1", { "\5\1\0\4\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\26", 22 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct socks5_request request = { .host = str_from(cases[i].host),
							.port = 22,
							.timeout_ms = TIMEOUT_MS };
		struct fixture f;

		begin_with(&f, 0, &request);
		expect(&f, BYTES("\5\1\0"));
		answer(&f, BYTES(OK_METHOD));
		expect(&f, cases[i].message);
		answer(&f, BYTES("\5\0\0\4"
				 "0123456789abcdef"
				 "\0\1"));
		expect_open(&f, "");
		end(&f);
	}
}

static const struct {
	const char *user;
	struct str answers;
	enum err_kind kind;
	const char *text;
} refusals[] = {
	{ NULL, BYTES("\4\0"), ERR_PROTOCOL, "it does not speak SOCKS version 5" },
	{ NULL, BYTES("HTTP/1.1 400"), ERR_PROTOCOL, "it does not speak SOCKS version 5" },
	{ NULL, BYTES("\5\377"), ERR_PROTOCOL, "it asks for a user and a password" },
	{ NULL, BYTES("\5\2"), ERR_PROTOCOL, "it chose an authentication that was not offered" },
	{ "ada", BYTES("\5\1"), ERR_PROTOCOL, "it chose an authentication that was not offered" },
	{ "ada", BYTES("\5\377"), ERR_PROTOCOL,
	  "it wants another authentication than with user and password" },
	{ "ada", BYTES("\5\2\1\1"), ERR_PROTOCOL, "it does not accept the user and the password" },
	{ "ada", BYTES("\5\2\5\0"), ERR_PROTOCOL, "it sent a malformed answer" },
	{ NULL, BYTES(OK_METHOD "\4\0\0\1\0"), ERR_PROTOCOL, "it sent a malformed answer" },
	{ NULL, BYTES(OK_METHOD "\5\0\1\1\0"), ERR_PROTOCOL, "it sent a malformed answer" },
	{ NULL, BYTES(OK_METHOD "\5\0\0\2\0"), ERR_PROTOCOL, "it sent a malformed answer" },
	{ NULL, BYTES(OK_METHOD "\5\2\0\1\0"), ERR_UNREACHABLE,
	  "its rules do not allow the connection" },
	{ NULL, BYTES(OK_METHOD "\5\5\0\1\0"), ERR_REFUSED, "the connection was refused" },
	{ NULL, BYTES(OK_METHOD "\5\11\0\1\0"), ERR_UNREACHABLE,
	  "it refused for a reason of its own" },
	{ NULL, BYTES(OK_METHOD "\5\377\0\1\0"), ERR_UNREACHABLE,
	  "it refused for a reason of its own" },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct fixture f;

		begin(&f, 1, refusals[i].user);
		answer(&f, refusals[i].answers);
		assert_int_equal(f.done_count, 1);
		assert_int_equal(f.failure.kind, refusals[i].kind);
		assert_string_equal(f.failure.text, refusals[i].text);
		end(&f);
	}
}

/* Closed, cancelled and left waiting behind every byte of a whole conversation. */
static void test_every_end(void **state)
{
	const struct str answers = BYTES("\5\2\1\0\5\0\0\3\4abcd\0\1");

	for (size_t len = 0; len < answers.len; len++) {
		for (int way = 0; way < 3; way++) {
			struct fixture f;

			begin(&f, 0, "ada");
			answer(&f, str_first(answers, len));
			assert_int_equal(f.done_count, 0);
			if (way == 0)
				stream_close(TAKE(f.proxy), STREAM_CLOSE_NORMAL);
			else if (way == 1)
				socks5_cancel(f.socks);
			else
				clock_fake_advance_ms(TIMEOUT_MS + 1);
			settle(&f);
			assert_int_equal(f.done_count, way == 1 ? 0 : 1);
			if (way == 0)
				assert_int_equal(f.failure.kind, ERR_CLOSED);
			if (way == 2)
				assert_int_equal(f.failure.kind, ERR_TIMEOUT);
			end(&f);
		}
	}
}

static void test_what_does_not_fit(void **state)
{
	char text[SOCKS5_TEXT_MAX + 1];
	const struct socks5_request requests[] = {
		{ .host = STR(""), .timeout_ms = TIMEOUT_MS },
		{ .host = { text, sizeof(text) }, .timeout_ms = TIMEOUT_MS },
		{ .host = STR("a"), .user = { text, sizeof(text) }, .timeout_ms = TIMEOUT_MS },
		{ .host = STR("a"),
		  .user = STR("u"),
		  .password = { text, sizeof(text) },
		  .timeout_ms = TIMEOUT_MS },
	};

	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct fixture f;

		begin_with(&f, 0, &requests[i]);
		assert_int_equal(f.failure.kind, ERR_CONFIG);
		assert_int_equal(stream_mem_pending(f.proxy), 0);
		end(&f);
	}
}

static void test_longest_that_fits(void **state)
{
	char text[SOCKS5_TEXT_MAX];
	const struct str longest = { text, sizeof(text) };
	const struct socks5_request request = { .host = longest,
						.port = 1,
						.user = longest,
						.password = longest,
						.timeout_ms = TIMEOUT_MS };
	struct fixture f;
	char message[600];

	memset(text, 'a', sizeof(text));
	begin_with(&f, 0, &request);
	expect(&f, BYTES("\5\2\0\2"));
	answer(&f, BYTES("\5\2"));
	memset(message, 'a', sizeof(message));
	message[0] = 1;
	message[1] = (char)0xff;
	message[257] = (char)0xff;
	expect(&f, (struct str){ message, 3 + 2 * SOCKS5_TEXT_MAX });
	answer(&f, BYTES("\1\0"));
	assert_int_equal(stream_mem_pending(f.proxy), 5 + SOCKS5_TEXT_MAX + 2);
	answer(&f, BYTES(OK_REPLY));
	expect_open(&f, "");
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_authentication),
		cmocka_unit_test(test_with_password),
		cmocka_unit_test(test_address_types),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_every_end),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_longest_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
