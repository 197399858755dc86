#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "identity/claims.h"

#define WRITTEN_MAX (2u * 1024 * 1024)

static void assert_written(const struct claims *claims, const char *should)
{
	struct buf text = BUF_INIT(WRITTEN_MAX);

	assert_int_equal(claims_write(claims, &text), 0);
	assert_int_equal(buf_append_char(&text, '\0'), 0);
	assert_string_equal((const char *)text.data, should);
	buf_done(&text);
}

static void assert_parses_to(struct str json, const char *should)
{
	struct arena arena = { 0 };
	struct claims claims;
	struct err e = { 0 };

	if (claims_parse(json, &arena, &claims, &e))
		fail_msg("%.*s: %s", STR_FMT(json), e.text);
	assert_written(&claims, should);
	arena_done(&arena);
}

static void assert_refused(struct str json, enum err_kind kind)
{
	struct arena arena = { 0 };
	struct claims claims = { .count = 77 };
	struct err e = { 0 };

	if (!claims_parse(json, &arena, &claims, &e))
		fail_msg("accepted: %.*s", STR_FMT(str_first(json, 100)));
	assert_int_equal(e.kind, kind);
	assert_int_equal(claims.count, 77);
	arena_done(&arena);
}

static void test_flattens(void **state)
{
	static const struct {
		struct str json;
		const char *should;
	} cases[] = {
		{ STR("{}"), "{}" },
		{ STR("{\"b\":\"2\",\"a\":\"1\"}"), "{\"a\":[\"1\"],\"b\":[\"2\"]}" },
		{ STR("{\"\":\"x\"}"), "{\"\":[\"x\"]}" },
		{ STR("{\"\":{\"\":\"x\"}}"), "{\".\":[\"x\"]}" },
		{ STR("{\"a\":null,\"b\":[null],\"c\":{},\"d\":[]}"), "{\"b\":[],\"d\":[]}" },
		{ STR("{\"a\":true,\"b\":false}"), "{\"a\":[\"true\"],\"b\":[\"false\"]}" },
		{ STR("{\"a\":{\"b\":{\"c\":[1,\"x\"]}}}"), "{\"a.b.c\":[\"1\",\"x\"]}" },
		{ STR("{\"a\":[1,{\"b\":2},[3],null,\"4\",true]}"),
		  "{\"a\":[\"1\",\"4\",\"true\"]}" },
		{ STR("{\"a\":[\"x\",\"x\"]}"), "{\"a\":[\"x\",\"x\"]}" },
		/* Text of numbers. */
		{ STR("{\"n\":9223372036854775807}"), "{\"n\":[\"9223372036854775807\"]}" },
		{ STR("{\"n\":-9223372036854775808}"), "{\"n\":[\"-9223372036854775808\"]}" },
		{ STR("{\"n\":9007199254740993}"), "{\"n\":[\"9007199254740993\"]}" },
		{ STR("{\"n\":0}"), "{\"n\":[\"0\"]}" },
		{ STR("{\"n\":0.1}"), "{\"n\":[\"0.1\"]}" },
		{ STR("{\"n\":1700000000.0}"), "{\"n\":[\"1700000000\"]}" },
		{ STR("{\"n\":1700000000.25}"), "{\"n\":[\"1700000000.25\"]}" },
		{ STR("{\"n\":0.30000000000000004}"), "{\"n\":[\"0.30000000000000004\"]}" },
		{ STR("{\"n\":1e308}"), "{\"n\":[\"1e+308\"]}" },
		/* The less nested name wins, wherever it stands. */
		{ STR("{\"a.b\":\"outer\",\"a\":{\"b\":\"inner\"}}"), "{\"a.b\":[\"outer\"]}" },
		{ STR("{\"a\":{\"b\":\"inner\"},\"a.b\":\"outer\"}"), "{\"a.b\":[\"outer\"]}" },
		{ STR("{\"a\":{\"b\":\"inner\"},\"a.b\":[]}"), "{\"a.b\":[]}" },
		{ STR("{\"a\":{\"b\":\"inner\"},\"a.b\":null}"), "{\"a.b\":[\"inner\"]}" },
		{ STR("{\"a\":{\"b\":{\"c\":1},\"b.c\":2}}"), "{\"a.b.c\":[\"2\"]}" },
		/* Names with regard to case, sorted bytewise. */
		{ STR("{\"b\":1,\"B\":2,\"ab\":3,\"a\":4}"),
		  "{\"B\":[\"2\"],\"a\":[\"4\"],\"ab\":[\"3\"],\"b\":[\"1\"]}" },
		{ STR("{\"https://example/role\":\"x\"}"), "{\"https://example/role\":[\"x\"]}" },
		{ STR("{\"a\":\"\\n\\u0001\\\"\xc3\xa4\"}"),
		  "{\"a\":[\"\\n\\u0001\\\"\xc3\xa4\"]}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_parses_to(cases[i].json, cases[i].should);
}

static void test_refuses(void **state)
{
	static const struct str cases[] = {
		STR(""),
		STR("null"),
		STR("[]"),
		STR("\"a\""),
		STR("{"),
		STR("{}{}"),
		STR("{} x"),
		STR("{\"a\":1}\0"),
		STR("\xef\xbb\xbf{}"),
		STR("{a:1}"),
		STR("{\"a\":1,}"),
		STR("{\"a\":NaN}"),
		STR("{\"a\":Infinity}"),
		STR("{\"a\":01}"),
		STR("{\"a\":1e309}"),
		STR("{\"a\":-1e400}"),
		STR("{\"a\":9223372036854775808}"),
		STR("{\"a\":123456789012345678901234567890}"),
		STR("{\"a\":1,\"a\":1}"),
		STR("{\"email\":\"a@b\",\"email\":\"c@d\"}"),
		STR("{\"a\":1,\"\\u0061\":2}"),
		STR("{\"o\":{\"a\":1,\"a\":2}}"),
		STR("{\"l\":[{\"a\":1,\"a\":2}]}"),
		STR("{\"a\":{\"b.c\":1},\"a.b\":{\"c\":2}}"),
		STR("{\"a\":\"\xff\"}"),
		STR("{\"a\":\"\xc0\xaf\"}"),
		STR("{\"a\":\"\xed\xa0\x80\"}"),
		STR("{\"\xff\":1}"),
		STR("{\"a\":\"\\ud800\"}"),
		STR("{\"a\":\"\\u0000\"}"),
		STR("{\"a\":\"x\\u0000y\"}"),
		STR("{\"\\u0000\":1}"),
		STR("{\"a\":\"x\ny\"}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i], ERR_PROTOCOL);
	assert_refused((struct str){ 0 }, ERR_PROTOCOL);
}

/* {"a":{"a":…1…}}: depth objects. */
static void write_nested(struct buf *text, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buf_append_str(text, STR("{\"a\":")), 0);
	assert_int_equal(buf_append_char(text, '1'), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buf_append_char(text, '}'), 0);
}

static void test_depth(void **state)
{
	static const unsigned deep[] = { CLAIMS_DEPTH_MAX + 1, 1000 };
	struct buf text = BUF_INIT(CLAIMS_JSON_MAX);

	write_nested(&text, CLAIMS_DEPTH_MAX);
	assert_parses_to(buf_view(&text), "{\"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\":[\"1\"]}");
	for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
		buf_truncate(&text, 0);
		write_nested(&text, deep[i]);
		assert_refused(buf_view(&text), ERR_LIMIT);
	}
	buf_truncate(&text, 0);
	write_nested(&text, 100000); /* not what jansson is willing to follow */
	assert_refused(buf_view(&text), ERR_PROTOCOL);
	buf_done(&text);
}

static void write_many(struct buf *text, unsigned claims, unsigned values)
{
	buf_truncate(text, 0);
	for (unsigned i = 0; i < claims; i++) {
		assert_int_equal(buf_printf(text, "%c\"c%u\":[", i ? ',' : '{', i), 0);
		for (unsigned v = 0; v < values; v++)
			assert_int_equal(buf_append_str(text, v ? STR(",7") : STR("7")), 0);
		assert_int_equal(buf_append_char(text, ']'), 0);
	}
	assert_int_equal(buf_append_char(text, '}'), 0);
}

static void test_counts(void **state)
{
	struct buf text = BUF_INIT(CLAIMS_JSON_MAX);
	struct arena arena = { 0 };
	struct claims claims;

	write_many(&text, CLAIMS_MAX, CLAIM_VALUES_MAX / CLAIMS_MAX);
	assert_int_equal(claims_parse(buf_view(&text), &arena, &claims, NULL), 0);
	assert_int_equal(claims.count, CLAIMS_MAX);
	write_many(&text, CLAIMS_MAX + 1, 1);
	assert_refused(buf_view(&text), ERR_LIMIT);
	write_many(&text, 1, CLAIM_VALUES_MAX + 1);
	assert_refused(buf_view(&text), ERR_LIMIT);
	write_many(&text, 2, CLAIM_VALUES_MAX / 2 + 1);
	assert_refused(buf_view(&text), ERR_LIMIT);
	write_many(&text, 1, CLAIM_VALUES_MAX);
	buf_truncate(&text, text.len - 1);
	assert_int_equal(buf_append_str(&text, STR(",\"scalar\":1}")), 0);
	assert_refused(buf_view(&text), ERR_LIMIT);
	arena_done(&arena);
	buf_done(&text);
}

static void write_long(struct buf *text, const char *before, size_t len, const char *after)
{
	buf_truncate(text, 0);
	assert_int_equal(buf_append_str(text, str_from(before)), 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf_append_char(text, '\x7f'), 0);
	assert_int_equal(buf_append_str(text, str_from(after)), 0);
}

static void test_length(void **state)
{
	struct buf text = BUF_INIT(2 * CLAIMS_JSON_MAX);
	struct arena arena = { 0 };
	struct claims claims;

	write_long(&text, "{\"a\":\"", CLAIMS_TEXT_MAX - 1, "\"}");
	assert_int_equal(claims_parse(buf_view(&text), &arena, &claims, NULL), 0);
	write_long(&text, "{\"a\":\"", CLAIMS_TEXT_MAX, "\"}");
	assert_refused(buf_view(&text), ERR_LIMIT);
	write_long(&text, "{\"", CLAIMS_TEXT_MAX + 1, "\":\"\"}");
	assert_refused(buf_view(&text), ERR_LIMIT);
	/* Small objects under a long name must not multiply it, even if nothing is in them. */
	write_long(&text, "{\"", CLAIMS_TEXT_MAX / 2, "\":{\"b\":{},\"c\":{}}}");
	assert_refused(buf_view(&text), ERR_LIMIT);
	write_long(&text, "{\"a\":\"", CLAIMS_JSON_MAX, "\"}");
	assert_refused(buf_view(&text), ERR_LIMIT);
	arena_done(&arena);
	buf_done(&text);
}

/* The most that is allowed, of characters that take the most room, comes back. */
static void test_largest_survives_writing(void **state)
{
	struct str value = { 0 };
	struct claim claim = { .name = STR(""), .values = &value, .value_count = 1 };
	const struct claims claims = { .items = &claim, .count = 1 };
	struct buf plain = BUF_INIT(CLAIMS_TEXT_MAX);
	struct buf text = BUF_INIT(CLAIMS_JSON_MAX);
	struct arena arena = { 0 };
	struct claims again;

	while (plain.len < CLAIMS_TEXT_MAX)
		assert_int_equal(buf_append_char(&plain, '\x01'), 0);
	value = buf_view(&plain);
	assert_int_equal(claims_write(&claims, &text), 0);
	assert_int_equal(claims_parse(buf_view(&text), &arena, &again, NULL), 0);
	assert_true(str_equal(claims_text(&again, STR("")), value));
	buf_truncate(&text, 0);
	text.max = 100;
	assert_int_equal(claims_write(&claims, &text), -1);
	arena_done(&arena);
	buf_done(&plain);
	buf_done(&text);
}

static void test_find(void **state)
{
	struct arena arena = { 0 };
	struct claims claims;
	static const struct str json = STR(
		"{\"a\":\"1\",\"b\":[\"1\",\"2\"],\"c\":[],\"d\":\"4\",\"dd\":\"5\"}");

	assert_int_equal(claims_parse(json, &arena, &claims, NULL), 0);
	assert_true(str_equal(claims_text(&claims, STR("a")), STR("1")));
	assert_true(str_equal(claims_text(&claims, STR("d")), STR("4")));
	assert_true(str_equal(claims_text(&claims, STR("dd")), STR("5")));
	assert_int_equal(claims_text(&claims, STR("b")).len, 0);
	assert_int_equal(claims_text(&claims, STR("c")).len, 0);
	assert_int_equal(claims_find(&claims, STR("b"))->value_count, 2);
	assert_int_equal(claims_find(&claims, STR("c"))->value_count, 0);
	assert_null(claims_find(&claims, STR("A")));
	assert_null(claims_find(&claims, STR("")));
	assert_null(claims_find(&claims, STR("ddd")));
	assert_null(claims_find(&(struct claims){ 0 }, STR("a")));
	arena_done(&arena);
}

static void parse(const char *json, struct arena *arena, struct claims *ret)
{
	assert_int_equal(claims_parse(str_from(json), arena, ret, NULL), 0);
}

static void test_overlay(void **state)
{
	struct arena arena = { 0 };
	struct claims base;
	struct claims over;
	struct claims merged;
	struct claims none = { 0 };

	parse("{\"a\":1,\"c\":[1,2],\"e\":5}", &arena, &base);
	parse("{\"b\":2,\"c\":3,\"f\":6}", &arena, &over);
	assert_int_equal(claims_overlay(&base, &over, &arena, &merged, NULL), 0);
	assert_written(&merged, "{\"a\":[\"1\"],\"b\":[\"2\"],\"c\":[\"3\"],\"e\":[\"5\"],\"f\":"
				"[\"6\"]}");
	assert_int_equal(claims_overlay(&base, &none, &arena, &merged, NULL), 0);
	assert_written(&merged, "{\"a\":[\"1\"],\"c\":[\"1\",\"2\"],\"e\":[\"5\"]}");
	assert_int_equal(claims_overlay(&none, &base, &arena, &base, NULL), 0);
	assert_written(&base, "{\"a\":[\"1\"],\"c\":[\"1\",\"2\"],\"e\":[\"5\"]}");
	arena_done(&arena);
}

static void test_overlay_limits(void **state)
{
	struct arena arena = { 0 };
	struct buf text = BUF_INIT(CLAIMS_JSON_MAX);
	struct claims base;
	struct claims over;
	struct claims merged = { .count = 77 };
	struct err e;

	write_many(&text, CLAIMS_MAX, 1);
	assert_int_equal(claims_parse(buf_view(&text), &arena, &base, NULL), 0);
	parse("{\"c0\":1}", &arena, &over);
	assert_int_equal(claims_overlay(&base, &over, &arena, &merged, NULL), 0);
	parse("{\"x\":1}", &arena, &over);
	merged.count = 77;
	assert_int_equal(claims_overlay(&base, &over, &arena, &merged, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(merged.count, 77);
	write_long(&text, "{\"a\":\"", CLAIMS_TEXT_MAX / 2, "\"}");
	assert_int_equal(claims_parse(buf_view(&text), &arena, &base, NULL), 0);
	write_long(&text, "{\"b\":\"", CLAIMS_TEXT_MAX / 2, "\"}");
	assert_int_equal(claims_parse(buf_view(&text), &arena, &over, NULL), 0);
	assert_int_equal(claims_overlay(&base, &over, &arena, &merged, &e), -1);
	arena_done(&arena);
	buf_done(&text);
}

static void test_without(void **state)
{
	static const char *const names[] = { "iss", "sub", "exp", "iat", NULL };
	static const char *const no_names[] = { NULL };
	struct arena arena = { 0 };
	struct claims claims;
	struct claims rest;

	parse("{\"iss\":1,\"sub\":2,\"exp\":3,\"iat\":4,\"a\":5,\"subject\":6}", &arena, &claims);
	claims_without(&claims, names, &arena, &rest);
	assert_written(&rest, "{\"a\":[\"5\"],\"subject\":[\"6\"]}");
	claims_without(&rest, no_names, &arena, &rest);
	assert_written(&rest, "{\"a\":[\"5\"],\"subject\":[\"6\"]}");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flattens),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_largest_survives_writing),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_overlay_limits),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
