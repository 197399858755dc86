/*
 * utf8_test.c - what is a character and what is not
 */

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_decode(void **state)
{
	static const struct {
		struct str text;
		size_t len;
		uint32_t code_point;
	} cases[] = {
		{ { "a", 1 }, 1, 'a' },
		{ { "\0", 1 }, 1, 0 },
		{ { "\x7f", 1 }, 1, 0x7f },
		{ { "\xc2\x80", 2 }, 2, 0x80 },
		{ { "\xdf\xbf", 2 }, 2, 0x7ff },
		{ { "\xe0\xa0\x80", 3 }, 3, 0x800 },
		{ { "\xed\x9f\xbf", 3 }, 3, 0xd7ff },
		{ { "\xee\x80\x80", 3 }, 3, 0xe000 },
		{ { "\xef\xbf\xbf", 3 }, 3, 0xffff },
		{ { "\xf0\x90\x80\x80", 4 }, 4, 0x10000 },
		{ { "\xf4\x8f\xbf\xbf", 4 }, 4, 0x10ffff },
		{ { "\xc3\xa9z", 3 }, 2, 0xe9 },
		{ { NULL, 0 }, 0, 0 },
		{ { "\x80", 1 }, 0, 0 },                 /* continuation without start */
		{ { "\xc0\x80", 2 }, 0, 0 },             /* overlong NUL */
		{ { "\xc1\xbf", 2 }, 0, 0 },             /* overlong */
		{ { "\xe0\x9f\xbf", 3 }, 0, 0 },         /* overlong */
		{ { "\xf0\x8f\xbf\xbf", 4 }, 0, 0 },     /* overlong */
		{ { "\xed\xa0\x80", 3 }, 0, 0 },         /* surrogate */
		{ { "\xed\xbf\xbf", 3 }, 0, 0 },         /* surrogate */
		{ { "\xf4\x90\x80\x80", 4 }, 0, 0 },     /* beyond the end */
		{ { "\xf8\x88\x80\x80\x80", 5 }, 0, 0 }, /* five bytes */
		{ { "\xff", 1 }, 0, 0 },
		{ { "\xc3", 1 }, 0, 0 }, /* cut */
		{ { "\xe2\x82", 2 }, 0, 0 },
		{ { "\xe2\x28\xa1", 3 }, 0, 0 },
		{ { "\xe2\x82\x28", 3 }, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t code_point = 12345;
		size_t len = utf8_decode(cases[i].text, &code_point);
		assert_int_equal(len, cases[i].len);
		assert_int_equal(code_point, len ? cases[i].code_point : 12345);
	}
}

static void test_shown(void **state)
{
	static const struct {
		struct str text;
		struct str shown;
	} cases[] = {
		{ { "", 0 }, { "", 0 } },
		{ { "a b~", 4 }, { "a b~", 4 } },
		{ { "J\xc3\xb6rg \xf0\x9f\x98\x80", 10 }, { "J\xc3\xb6rg \xf0\x9f\x98\x80", 10 } },
		{ { "a\x1b[2J", 5 }, { "a?[2J", 5 } },
		{ { "a\tb\nc\x7f\0", 7 }, { "a?b?c??", 7 } },
		{ { "\302\2332J", 4 }, { "?2J", 3 } },         /* CSI */
		{ { "\xc2\xa0", 2 }, { "\xc2\xa0", 2 } },      /* the first behind them */
		{ { "\342\200\256oce.", 7 }, { "?oce.", 5 } }, /* from right to left */
		{ { "\2332J", 3 }, { "?2J", 3 } },             /* no UTF-8 */
		{ { "\xe2\x82", 2 }, { "??", 2 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(16);

		assert_int_equal(utf8_append_shown(&out, cases[i].text), 0);
		assert_true(str_equal(buf_view(&out), cases[i].shown));
		buf_done(&out);
	}
}

static void test_shown_does_not_cut_a_letter(void **state)
{
	struct buf out = BUF_INIT(2);

	assert_int_equal(utf8_append_shown(&out, STR("a\xc3\xb6")), -1);
	assert_true(str_equal(buf_view(&out), STR("a")));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_does_not_cut_a_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
