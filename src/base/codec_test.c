/*
 * codec_test.c - known answers, round trips, hostile texts
 */

#include "base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct codec_case {
	struct str plain;
	struct str text;
};

static void assert_is(const struct buf *b, struct str expected)
{
	assert_true(str_equal(buf_view(b), expected));
}

static void test_base64_vectors(void **state)
{
	static const struct {
		enum base64_kind kind;
		const char *plain;
		const char *text;
	} cases[] = {
		{ BASE64_STANDARD, "", "" },
		{ BASE64_STANDARD, "f", "Zg==" },
		{ BASE64_STANDARD, "fo", "Zm8=" },
		{ BASE64_STANDARD, "foo", "Zm9v" },
		{ BASE64_STANDARD, "foob", "Zm9vYg==" },
		{ BASE64_STANDARD, "fooba", "Zm9vYmE=" },
		{ BASE64_STANDARD, "foobar", "Zm9vYmFy" },
		{ BASE64_URL, "", "" },
		{ BASE64_URL, "f", "Zg" },
		{ BASE64_URL, "fo", "Zm8" },
		{ BASE64_URL, "foo", "Zm9v" },
		{ BASE64_URL_PADDED, "f", "Zg==" },
		{ BASE64_URL_PADDED, "fo", "Zm8=" },
		{ BASE64_STANDARD, "\xfb\xff\xfe", "+//+" },
		{ BASE64_URL, "\xfb\xff\xfe", "-__-" },
		{ BASE64_URL_PADDED, "\xfb\xff\xfe\xff", "-__-_w==" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(100);
		struct buf plain = BUF_INIT(100);
		struct str expected = str_from(cases[i].plain);
		assert_int_equal(base64_encode(&text, cases[i].kind, expected.at, expected.len), 0);
		assert_is(&text, str_from(cases[i].text));
		assert_int_equal(base64_decode(&plain, cases[i].kind, buf_view(&text)), 0);
		assert_is(&plain, expected);
		buf_done(&text);
		buf_done(&plain);
	}
}

static void test_base64_refuses(void **state)
{
	static const struct {
		enum base64_kind kind;
		struct str text;
	} cases[] = {
		{ BASE64_STANDARD, { "Zg", 2 } },       /* padding missing */
		{ BASE64_STANDARD, { "Zg=", 3 } },      /* half of it */
		{ BASE64_STANDARD, { "Zg===", 5 } },    /* too much */
		{ BASE64_STANDARD, { "Z===", 4 } },     /* one digit is no byte */
		{ BASE64_STANDARD, { "====", 4 } },     /* nothing but padding */
		{ BASE64_STANDARD, { "Zm9v====", 8 } }, /* padding where none is due */
		{ BASE64_STANDARD, { "Zg==Zg==", 8 } }, /* padding inside */
		{ BASE64_STANDARD, { "Z=g=", 4 } },     /* padding inside */
		{ BASE64_STANDARD, { "Zh==", 4 } },     /* trailing bits */
		{ BASE64_STANDARD, { "Zm9=", 4 } },     /* trailing bits */
		{ BASE64_STANDARD, { "Zm9v\n", 5 } },   /* blank */
		{ BASE64_STANDARD, { " Zm9v", 5 } },    /* blank */
		{ BASE64_STANDARD, { "Zm\n9v==", 7 } }, /* blank */
		{ BASE64_STANDARD, { "-__-", 4 } },     /* the other alphabet */
		{ BASE64_STANDARD, { "Zm9\0", 4 } },    /* NUL */
		{ BASE64_STANDARD, { "Zm9\xff", 4 } },  /* beyond ASCII */
		{ BASE64_URL, { "+//+", 4 } },          /* the other alphabet */
		{ BASE64_URL, { "Zg==", 4 } },          /* padded */
		{ BASE64_URL, { "Zm8=", 4 } },          /* padded */
		{ BASE64_URL, { "Z", 1 } },             /* one digit is no byte */
		{ BASE64_URL, { "Zm9vZ", 5 } },         /* one digit is no byte */
		{ BASE64_URL, { "Zh", 2 } },            /* trailing bits */
		{ BASE64_URL, { "Zm9", 3 } },           /* trailing bits */
		{ BASE64_URL_PADDED, { "Zg", 2 } },     /* padding missing */
		{ BASE64_URL_PADDED, { "+w==", 4 } },   /* the other alphabet */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);
		buf_append_str(&out, STR("kept"));
		assert_int_equal(base64_decode(&out, cases[i].kind, cases[i].text), -1);
		assert_is(&out, STR("kept"));
		buf_done(&out);
	}
}

static void test_base64_all_lengths(void **state)
{
	uint8_t bytes[100];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		for (int kind = BASE64_STANDARD; kind <= BASE64_URL_PADDED; kind++) {
			struct buf text = BUF_INIT(200);
			struct buf plain = BUF_INIT(len);
			assert_int_equal(base64_encode(&text, (enum base64_kind)kind, bytes, len),
					 0);
			assert_int_equal(
				base64_decode(&plain, (enum base64_kind)kind, buf_view(&text)), 0);
			assert_is(&plain, str_of(bytes, len));
			buf_done(&text);
			buf_done(&plain);
		}
	}
}

static void test_hex(void **state)
{
	static const struct str refused[] = { { "0", 1 },
					      { "0g", 2 },
					      { "AB", 2 },
					      { "0x", 2 },
					      { " 0", 2 },
					      { "00\0", 3 },
					      { "aB", 2 },
					      { "\xff"
						"0",
						2 } };
	struct buf text = BUF_INIT(100);
	struct buf plain = BUF_INIT(100);

	assert_int_equal(hex_encode(&text, "\x00\x1f\xfe", 3), 0);
	assert_is(&text, STR("001ffe"));
	assert_int_equal(hex_decode(&plain, buf_view(&text)), 0);
	assert_is(&plain, STR("\x00\x1f\xfe"));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(hex_decode(&plain, refused[i]), -1);
	assert_is(&plain, STR("\x00\x1f\xfe"));
	buf_done(&text);
	buf_done(&plain);
}

static void test_query_escape(void **state)
{
	static const struct codec_case cases[] = {
		{ { "x y+z", 5 }, { "x+y%2Bz", 7 } },
		{ { "\xc3\xa9~*/?&=", 8 }, { "%C3%A9~%2A%2F%3F%26%3D", 22 } },
		{ { "AZaz09-_.~", 10 }, { "AZaz09-_.~", 10 } },
		{ { "\x01\x7f%\xff", 4 }, { "%01%7F%25%FF", 12 } },
		{ { "", 0 }, { "", 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(100);
		struct buf back = BUF_INIT(100);
		assert_int_equal(query_escape(&out, cases[i].plain), 0);
		assert_is(&out, cases[i].text);
		assert_int_equal(query_unescape(&back, buf_view(&out)), 0);
		assert_is(&back, cases[i].plain);
		buf_done(&out);
		buf_done(&back);
	}
}

static void test_query_escape_covers_every_byte(void **state)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		struct buf out = BUF_INIT(3);
		char c = (char)byte;
		bool stays = str_find(STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					  "0123456789-_.~"),
				      c) < 66;
		assert_int_equal(query_escape(&out, str_of(&c, 1)), 0);
		assert_int_equal(out.len, stays || c == ' ' ? 1 : 3);
		buf_done(&out);
	}
}

static void test_query_unescape_refuses(void **state)
{
	static const struct str refused[] = {
		{ "%", 1 },    { "%4", 2 },   { "a%", 2 },        { "%zz", 3 }, { "%4g", 3 },
		{ "%%41", 4 }, { "%00", 3 },  { "a\0b", 3 },      { "% 1", 3 }, { "%+1", 3 },
		{ "%-1", 3 },  { "%0x1", 4 }, { "%\xc3\xa9", 3 },
	};
	struct buf out = BUF_INIT(100);

	buf_append_str(&out, STR("kept"));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(query_unescape(&out, refused[i]), -1);
	assert_is(&out, STR("kept"));
	assert_int_equal(query_unescape(&out, STR("%c3%A9+%2b")), 0);
	assert_is(&out, STR("kept\xc3\xa9 +"));
	buf_done(&out);
}

static void test_html(void **state)
{
	struct buf out = BUF_INIT(100);

	assert_int_equal(html_escape(&out, STR("<a href=\"x\" id='y'>&amp;")), 0);
	assert_is(&out, STR("&lt;a href=&#34;x&#34; id=&#39;y&#39;&gt;&amp;amp;"));
	buf_done(&out);
}

static void test_overflow_changes_nothing(void **state)
{
	struct buf out = BUF_INIT(6);

	buf_append_str(&out, STR("ab"));
	assert_int_equal(base64_encode(&out, BASE64_STANDARD, "abcd", 4), -1);
	assert_int_equal(base64_decode(&out, BASE64_STANDARD, STR("Zm9vYmFy")), -1);
	assert_int_equal(hex_encode(&out, "abc", 3), -1);
	assert_int_equal(hex_decode(&out, STR("0011223344")), -1);
	assert_int_equal(query_escape(&out, STR("aa++")), -1);
	assert_int_equal(query_unescape(&out, STR("abcde")), -1);
	assert_int_equal(html_escape(&out, STR("aa<")), -1);
	assert_is(&out, STR("ab"));
	assert_int_equal(base64_encode(&out, BASE64_STANDARD, "abc", 3), 0);
	assert_is(&out, STR("abYWJj"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_vectors),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test(test_base64_all_lengths),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_query_escape),
		cmocka_unit_test(test_query_escape_covers_every_byte),
		cmocka_unit_test(test_query_unescape_refuses),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_overflow_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
