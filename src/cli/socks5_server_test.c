/*
 * Messages whole, a byte at a time, and such as nobody should send.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/socks5_server.h"

#define HELLO "\5\1\0"
#define OK    "\5\0"

struct row {
	struct str bytes;
	enum socks5_event event;
	struct str reply; /* without that to a request */
	const char *target;
	size_t left;
};

static const struct row rows[] = {
	{ STR(HELLO "\5\1\0\1\177\0\0\1\x18\xeb"), SOCKS5_REQUEST, STR(OK), "127.0.0.1:6379", 0 },
	{ STR(HELLO "\5\1\0\3\7db.test\x15\x38"), SOCKS5_REQUEST, STR(OK), "db.test:5432", 0 },
	{ STR(HELLO "\5\1\0\3\7db.test\x15\x38more"), SOCKS5_REQUEST, STR(OK), "db.test:5432", 4 },
	{ STR(HELLO "\5\1\0\3\3::1\0\26"), SOCKS5_REQUEST, STR(OK), "[::1]:22", 0 },
	{ STR(HELLO "\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\26"), SOCKS5_REQUEST, STR(OK),
	  "[::1]:22", 0 },
	{ STR("\5\3\2\1\0\5\1\0\1\1\2\3\4\0\26"), SOCKS5_REQUEST, STR(OK), "1.2.3.4:22", 0 },
	/* not whole */
	{ STR(""), SOCKS5_MORE, STR(""), "", 0 },
	{ STR("\5\2\0"), SOCKS5_MORE, STR(""), "", 3 },
	{ STR(HELLO), SOCKS5_MORE, STR(OK), "", 0 },
	{ STR(HELLO "\5\1\0\3\7db.tes"), SOCKS5_MORE, STR(OK), "", 11 },
	/* refused */
	{ STR("\4\1\0\26\1\2\3\4\0"), SOCKS5_BAD, STR(""), "", 9 },
	{ STR("\5\1\2"), SOCKS5_BAD, STR("\5\xff"), "", 0 },
	{ STR("\5\0"), SOCKS5_BAD, STR("\5\xff"), "", 0 },
	{ STR(HELLO "\4\1\0\1\1\2\3\4\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), "", 10 },
	{ STR(HELLO "\5\1\1\1\1\2\3\4\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), "", 10 },
	{ STR(HELLO "\5\2\0\1\1\2\3\4\0\26"), SOCKS5_BAD, STR(OK "\5\7\0\1\0\0\0\0\0\0"), "", 10 },
	{ STR(HELLO "\5\3\0\1\1\2\3\4\0\26"), SOCKS5_BAD, STR(OK "\5\7\0\1\0\0\0\0\0\0"), "", 10 },
	{ STR(HELLO "\5\1\0\2\1\2\3\4\0\26"), SOCKS5_BAD, STR(OK "\5\10\0\1\0\0\0\0\0\0"), "", 10 },
	{ STR(HELLO "\5\1\0\1\1\2\3\4\0\0"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), NULL, 10 },
	{ STR(HELLO "\5\1\0\3\0\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), NULL, 7 },
	{ STR(HELLO "\5\1\0\3\3a\nb\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), NULL, 10 },
	{ STR(HELLO "\5\1\0\3\3a b\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), NULL, 10 },
	{ STR(HELLO "\5\1\0\3\3a/b\0\26"), SOCKS5_BAD, STR(OK "\5\1\0\1\0\0\0\0\0\0"), NULL, 10 },
};

static void check(const struct row *row, size_t step)
{
	struct socks5_server s = { 0 };
	struct buf data = BUF_INIT(SOCKS5_SERVER_MESSAGE_MAX);
	struct buf reply = BUF_INIT(64);
	enum socks5_event event = SOCKS5_MORE;
	size_t at = 0;

	do {
		struct str piece = str_first(str_from_pos(row->bytes, at), step);

		assert_int_equal(buf_append_str(&data, piece), 0);
		at += piece.len;
		event = socks5_server_feed(&s, &data, &reply);
	} while (event == SOCKS5_MORE && at < row->bytes.len);
	assert_int_equal(event, row->event);
	assert_true(str_equal(buf_view(&reply), row->reply));
	if (row->target)
		assert_string_equal(s.target, row->target);
	if (step >= row->bytes.len)
		assert_int_equal(data.len, row->left);
	buf_done(&data);
	buf_done(&reply);
}

static void test_whole(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], SOCKS5_SERVER_MESSAGE_MAX);
}

static void test_a_byte_at_a_time(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&rows[i], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_a_byte_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
