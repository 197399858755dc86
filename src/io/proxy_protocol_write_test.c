#include "io/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

#define IP6_A  "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
#define IP6_B  "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
#define MAPPED "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"

#define LONGEST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* The bytes are those of the specification of the protocol, sections 2.1 and 2.2, written out. */
static const struct test_case {
	const char *source;
	uint16_t source_port;
	const char *destination;
	uint16_t destination_port;
	struct str v1;
	struct str v2;
} cases[] = {
	{ "192.168.0.1", 56324, "192.168.0.11", 443,
	  STR("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
	  STR(SIGNATURE "\x21\x11\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb") },
	{ "255.255.255.255", 65535, "255.255.255.255", 65535,
	  STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	  STR(SIGNATURE "\x21\x11\x00\x0c\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ "2001:db8::1", 4660, "2001:db8::2", 22,
	  STR("PROXY TCP6 2001:db8::1 2001:db8::2 4660 22\r\n"),
	  STR(SIGNATURE "\x21\x21\x00\x24" IP6_A IP6_B "\x12\x34\x00\x16") },
	{ LONGEST, 65535, LONGEST, 65535, STR("PROXY TCP6 " LONGEST " " LONGEST " 65535 65535\r\n"),
	  STR(SIGNATURE "\x21\x21\x00\x24"
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			"\xff\xff\xff\xff") },
	/* both families: the one that holds both */
	{ "192.0.2.1", 1, "2001:db8::2", 2, STR("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"),
	  STR(SIGNATURE "\x21\x21\x00\x24" MAPPED "\xc0\x00\x02\x01" IP6_B "\x00\x01\x00\x02") },
	/* a listener of both families tells of IPv4 peers like this */
	{ "::ffff:192.0.2.1", 1, "::ffff:192.0.2.2", 2,
	  STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	  STR(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02") },
	{ "192.0.2.1", 1, "::ffff:192.0.2.2", 2, STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	  STR(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02") },
};

static void check(int (*write)(struct buf *out, const struct proxy_header *header),
		  const struct proxy_header *header, struct str expected)
{
	struct buf out = BUF_INIT(1024);
	struct buf small = BUF_INIT(expected.len - 1);

	assert_int_equal(buf_append_str(&out, STR("before ")), 0);
	assert_int_equal(write(&out, header), 0);
	buf_consume(&out, strlen("before "));
	assert_int_equal(out.len, expected.len);
	assert_memory_equal(out.data, expected.at, expected.len);
	assert_int_equal(write(&small, header), -1);
	assert_int_equal(small.len, 0);
	buf_done(&out);
	buf_done(&small);
}

static void test_vectors(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct test_case *c = &cases[i];
		struct proxy_header header = { .has_addresses = true };

		assert_true(addr_from_ip(str_from(c->source), c->source_port, &header.source));
		assert_true(addr_from_ip(str_from(c->destination), c->destination_port,
					 &header.destination));
		assert_true(c->v1.len <= PROXY_HEADER_V1_MAX);
		check(proxy_header_write_v1, &header, c->v1);
		check(proxy_header_write_v2, &header, c->v2);
	}
}

static void test_nothing_to_tell(void **state)
{
	struct proxy_header headers[] = {
		{ .has_addresses = false },
		{ .has_addresses = true }, /* a local socket has no address */
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		check(proxy_header_write_v1, &headers[i], STR("PROXY UNKNOWN\r\n"));
		check(proxy_header_write_v2, &headers[i], STR(SIGNATURE "\x20\x00\x00\x00"));
	}
}

/* What is written is what our own reader takes. */
static void test_is_read_back(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str forms[] = { cases[i].v1, cases[i].v2 };

		for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
			struct proxy_header header = { 0 };
			struct err e = { 0 };
			size_t need = 0;

			if (proxy_header_parse(forms[k], &header, &need, &e) !=
			    PROXY_HEADER_COMPLETE)
				fail_msg("%zu: %s", i, e.text);
			assert_true(header.has_addresses);
			assert_int_equal(addr_port(&header.source), cases[i].source_port);
			assert_int_equal(addr_port(&header.destination), cases[i].destination_port);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_nothing_to_tell),
		cmocka_unit_test(test_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
