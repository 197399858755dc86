/*
 * random_test.c - version and variant bits, and that it is random at all
 */

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_uuid_shape(void **state)
{
	for (int round = 0; round < 200; round++) {
		char text[UUID_TEXT_LEN + 1];
		random_uuid(text);
		assert_int_equal(strlen(text), UUID_TEXT_LEN);
		assert_int_equal(strspn(text, "0123456789abcdef-"), UUID_TEXT_LEN);
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
		for (size_t i = 0; i < UUID_TEXT_LEN; i++)
			assert_int_equal(text[i] == '-', i == 8 || i == 13 || i == 18 || i == 23);
	}
}

static void test_uuid_format(void **state)
{
	const unsigned char bytes[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					  0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	char text[UUID_TEXT_LEN + 1];

	uuid_format(bytes, text);
	assert_string_equal(text, "01234567-89ab-cdef-fedc-ba9876543210");
}

static void test_bytes(void **state)
{
	unsigned char a[1000] = { 0 };
	unsigned char b[1000] = { 0 };
	unsigned int seen = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	random_bytes(NULL, 0);
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		seen |= a[i];
	assert_int_equal(seen, 0xff);
	/* the last bytes are filled as well */
	assert_memory_not_equal(a + 984, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid_shape),
		cmocka_unit_test(test_uuid_format),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
