#include "io/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/proxy_protocol_v2.h"

#define V2               "\r\n\r\n\0\r\nQUIT\n"
#define IP4              "\xC0\0\2\1\xC6\x33\x64\2\xDC\4\1\xBB" /* 192.0.2.1:56324 to 198.51.100.2:443 */
#define FAMILY_UNIX_SIZE 216

/* Bytes of a TLS handshake, which must stay where they are. */
#define BEHIND "\x16\3\1\2\0"

/* What a reader does that takes all it may, and one that gets single bytes. Returns how many bytes were taken. */
static enum proxy_header_result feed(struct str bytes, size_t most, struct proxy_header *ret,
				     size_t *ret_taken, struct err *e)
{
	enum proxy_header_result result = PROXY_HEADER_MORE;
	size_t taken = 0;
	size_t need = 0;

	for (;;) {
		result = proxy_header_parse(str_first(bytes, taken), ret, &need, e);
		if (result != PROXY_HEADER_MORE || taken == bytes.len)
			break;
		assert_true(need > 0);
		need = need < most ? need : most;
		taken += need < bytes.len - taken ? need : bytes.len - taken;
	}
	*ret_taken = taken;
	return result;
}

static const struct good {
	struct str header;
	const char *source; /* NULL: no addresses */
	const char *destination;
} good[] = {
	{ STR("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1:56324",
	  "198.51.100.2:443" },
	{ STR("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0", "0.0.0.0:0" },
	{ STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	  "255.255.255.255:65535", "255.255.255.255:65535" },
	{ STR("PROXY TCP6 2001:db8::1 :: 1 2\r\n"), "[2001:db8::1]:1", "[::]:2" },
	{ STR("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ STR("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1", "[::1]:2" },
	{ STR("PROXY UNKNOWN\r\n"), NULL, NULL },
	{ STR("PROXY UNKNOWN \r\n"), NULL, NULL },
	{ STR("PROXY UNKNOWN whatever this may be\r\n"), NULL, NULL },
	{ STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  NULL, NULL }, /* the longest there is: 107 bytes */
	{ STR(V2 "\x21\x11\0\x0C" IP4), "192.0.2.1:56324", "198.51.100.2:443" },
	{ STR(V2 "\x21\x21\0\x24"
		 "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1"
		 "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\2"
		 "\1\xBB\x20\xFB"),
	  "[2001:db8::1]:443", "[2001:db8::2]:8443" },
	{ STR(V2 "\x21\x11\0\x12" IP4 "\4\0\0"
		 "\x30\0\0"),
	  "192.0.2.1:56324", "198.51.100.2:443" },
	{ STR(V2 "\x21\x11\0\x17" IP4 "\x05\0\1x"
		 "\3\0\4\xBC\xAD\x22\x8F"),
	  "192.0.2.1:56324", "198.51.100.2:443" },
	{ STR(V2 "\x20\0\0\0"), NULL, NULL },
	{ STR(V2 "\x20\x11\0\x0C" IP4), NULL, NULL },
	{ STR(V2 "\x20\x99\0\4junk"), NULL, NULL },
	{ STR(V2 "\x21\0\0\0"), NULL, NULL },
	{ STR(V2 "\x21\0\0\4junk"), NULL, NULL },
	{ STR(V2 "\x21\x12\0\x0C" IP4), NULL, NULL }, /* UDP: valid, but not of ours */
};

static void check_good(const struct good *c, size_t most)
{
	char bytes[256];
	char source[ADDR_TEXT_MAX];
	char destination[ADDR_TEXT_MAX];
	struct proxy_header header = { 0 };
	struct err e = { 0 };
	size_t taken;

	memcpy(bytes, c->header.at, c->header.len);
	memcpy(bytes + c->header.len, BEHIND, sizeof(BEHIND));
	assert_int_equal(
		feed(str_of(bytes, c->header.len + sizeof(BEHIND)), most, &header, &taken, &e),
		PROXY_HEADER_COMPLETE);
	assert_int_equal(taken, c->header.len);
	assert_int_equal(header.has_addresses, c->source != NULL);
	if (!c->source)
		return;
	addr_format(&header.source, source);
	addr_format(&header.destination, destination);
	assert_string_equal(source, c->source);
	assert_string_equal(destination, c->destination);
}

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		check_good(&good[i], SIZE_MAX);
		check_good(&good[i], 1);
		check_good(&good[i], 7);
	}
}

static void test_bad(void **state)
{
	static const struct str cases[] = {
		STR("\x16\3\1\2\0\1\0\1\xFC\3\3 and so on: a ClientHello"),
		STR("GET / HTTP/1.1\r\n\r\n"),
		STR("\0"),
		STR("\r\n\r\n\0\r\nQUIt\n"),
		STR("\n"),
		STR("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP41 1.1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY UNKNOWNs\r\n"),
		STR("PROXY UNKNOWN\n\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"),
		STR("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rX"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n"),
		STR("PROXY TCP4 1.1.1.1 2.2.2.2 1 \r\n"),
		STR("PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 ::1 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP6 1.1.1.1 ::1 1 2\r\n"),
		STR("PROXY TCP6 [::1] ::1 1 2\r\n"),
		STR("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
		STR("PROXY TCP4 localhost 2.2.2.2 1 2\r\n"),
		STR("PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n"),
		STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n"), /* 108 bytes */
		STR(V2 "\x11\x11\0\x0C" IP4),                                    /* version 1 */
		STR(V2 "\x22\x11\0\x0C" IP4), /* no such command */
		STR(V2 "\x21\x13\0\x0C" IP4),
		STR(V2 "\x21\x41\0\x0C" IP4),
		STR(V2 "\x21\x11\0\x0B" IP4),
		STR(V2 "\x21\x21\0\x0C" IP4),
		STR(V2 "\x21\x31\0\x0C" IP4),
		STR(V2 "\x21\x11\x10\0" IP4), /* 4096 bytes and the first 16 */
		STR(V2 "\x20\x11\xFF\xFF" IP4),
		STR(V2 "\x21\x11\0\x0D" IP4 "\4"),
		STR(V2 "\x21\x11\0\x10" IP4 "\4\0\2x"),
		STR(V2 "\x21\x11\0\x0F" IP4 "\4\xFF\xFF"),
		STR(V2 "\x21\x11\0\x17" IP4 "\x05\0\1x"
		       "\3\0\4\xBC\xAD\x22\x8E"),
		STR(V2 "\x21\x11\0\x12" IP4 "\3\0\3\0\0\0"),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t most = 1; most < 100; most += 33) {
			struct proxy_header header = { 0 };
			struct err e = { 0 };
			size_t taken;

			if (feed(cases[i], most, &header, &taken, &e) != PROXY_HEADER_BAD)
				fail_msg("case %zu was not refused", i);
			assert_int_equal(e.kind, ERR_PROTOCOL);
			assert_false(header.has_addresses);
		}
	}
}

static void test_each_beginning_wants_more(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t len = 0; len < good[i].header.len; len++) {
			struct proxy_header header = { 0 };
			struct err e = { 0 };
			size_t need = 0;

			assert_int_equal(proxy_header_parse(str_first(good[i].header, len), &header,
							    &need, &e),
					 PROXY_HEADER_MORE);
			assert_true(need > 0 && len + need <= good[i].header.len);
		}
	}
}

/* The check value of the polynomial, from its definition. */
static void test_crc32c(void **state)
{
	assert_int_equal(proxy_crc32c(0, "123456789", 9), 0xE3069283);
	assert_int_equal(proxy_crc32c(proxy_crc32c(0, "1234", 4), "56789", 5), 0xE3069283);
}

/* Any changed bit of a header with a checksum is noticed, or makes it another kind of header. */
static void test_checksum_covers_everything(void **state)
{
	const struct str with_sum = STR(V2 "\x21\x11\0\x17" IP4 "\x05\0\1x"
					   "\3\0\4\xBC\xAD\x22\x8F");
	char bytes[64];
	size_t need;

	for (size_t i = 16; i < 16 + 12; i++) {
		struct proxy_header header = { 0 };
		struct err e = { 0 };

		memcpy(bytes, with_sum.at, with_sum.len);
		bytes[i] = (char)(bytes[i] ^ 1);
		assert_int_equal(
			proxy_header_parse(str_of(bytes, with_sum.len), &header, &need, &e),
			PROXY_HEADER_BAD);
	}
}

static void test_unix_addresses_are_left_out(void **state)
{
	char bytes[PROXY_V2_FIXED_SIZE + FAMILY_UNIX_SIZE] = V2 "\x21\x31\0\xD8/run/x";
	struct proxy_header header = { .has_addresses = true };
	struct err e = { 0 };
	size_t taken;

	assert_int_equal(feed(str_of(bytes, sizeof(bytes)), 1000, &header, &taken, &e),
			 PROXY_HEADER_COMPLETE);
	assert_int_equal(taken, sizeof(bytes));
	assert_false(header.has_addresses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_each_beginning_wants_more),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_checksum_covers_everything),
		cmocka_unit_test(test_unix_addresses_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
