#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "identity/oidc_token.h"

static void assert_text(struct str is, const char *should)
{
	if (!str_equal(is, str_from(should)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(is), should);
}

static int identify(const char *json, struct arena *arena, struct identity *ret, struct err *e)
{
	struct claims claims;

	assert_int_equal(claims_parse(str_from(json), arena, &claims, NULL), 0);
	return oidc_identity(&claims, arena, ret, e);
}

static void test_everything(void **state)
{
	struct arena arena = { 0 };
	struct identity who;

	assert_int_equal(
		identify("{\"sub\":\"s1\",\"email\":\"ann@example.com\",\"name\":\"Ann\","
			 "\"email_verified\":true,\"groups\":[\"b\",\"a\"],\"x\":{\"y\":1}}",
			 &arena, &who, NULL),
		0);
	assert_text(who.user_id, "s1");
	assert_text(who.email, "ann@example.com");
	assert_text(who.name, "Ann");
	assert_int_equal(who.group_count, 2);
	assert_text(who.groups[0], "b");
	assert_text(who.groups[1], "a");
	assert_text(claims_text(&who.claims, STR("x.y")), "1");
	arena_done(&arena);
}

static void test_user_id(void **state)
{
	static const struct {
		const char *json;
		const char *should; /* NULL: refused */
	} cases[] = {
		{ "{\"sub\":\"s\"}", "s" },
		{ "{\"sub\":\"s\",\"oid\":\"o\"}", "o" },
		{ "{\"oid\":\"o\"}", "o" },
		{ "{\"sub\":\"s\",\"oid\":null}", "s" },
		{ "{\"sub\":\"auth0|1 2\xc3\xa4\"}", "auth0|1 2\xc3\xa4" },
		{ "{}", NULL },
		{ "{\"sub\":\"\"}", NULL },
		{ "{\"sub\":\"s\",\"oid\":\"\"}", NULL },
		{ "{\"sub\":\"s\",\"oid\":[\"a\",\"b\"]}", NULL },
		{ "{\"sub\":[\"a\",\"b\"]}", NULL },
		{ "{\"sub\":{\"a\":\"b\"}}", NULL },
		{ "{\"sub\":\"a\\nb\"}", NULL },
		{ "{\"sub\":\"a\x7f\"}", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct identity who = { .user_id = STR("untouched") };
		struct err e;
		int rc = identify(cases[i].json, &arena, &who, &e);

		if ((rc == 0) != (cases[i].should != NULL))
			fail_msg("%s", cases[i].json);
		assert_text(who.user_id, rc ? "untouched" : cases[i].should);
		arena_done(&arena);
	}
}

static void test_long_user_id(void **state)
{
	struct arena arena = { 0 };
	struct buf text = BUF_INIT(4096);
	struct identity who;

	assert_int_equal(buf_append_str(&text, STR("{\"sub\":\"")), 0);
	for (size_t i = 0; i < 1025; i++)
		assert_int_equal(buf_append_char(&text, 'x'), 0);
	assert_int_equal(buf_append(&text, "\"}", 3), 0);
	assert_int_equal(identify((const char *)text.data, &arena, &who, NULL), -1);
	buf_done(&text);
	arena_done(&arena);
}

static void test_email(void **state)
{
	static const struct {
		const char *members;
		const char *should;
	} cases[] = {
		{ "\"email\":\"a@b\"", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":true", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":\"true\"", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":\"True\"", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":null", "a@b" },
		{ "\"email\":\"a@b\",\"email_verified\":false", "" },
		{ "\"email\":\"a@b\",\"email_verified\":\"false\"", "" },
		{ "\"email\":\"a@b\",\"email_verified\":\"FALSE\"", "" },
		{ "\"email\":\"a@b\",\"email_verified\":\"no\"", "" },
		{ "\"email\":\"a@b\",\"email_verified\":0", "" },
		{ "\"email\":\"a@b\",\"email_verified\":[]", "" },
		{ "\"email\":\"a@b\",\"email_verified\":[false,true]", "" },
		{ "\"email\":\"a@b@c\"", "" },
		{ "\"email\":\"a\"", "" },
		{ "\"email\":\"a@b c\"", "" },
		{ "\"email\":\"a@b\\n\"", "" },
		{ "\"email\":\"a@b\\u0001\"", "" },
		{ "\"email\":\"a@b,c@d\"", "" },
		{ "\"email\":[\"a@b\",\"c@d\"]", "" },
		{ "\"email\":[\"a@b\"]", "a@b" },
		{ "\"email\":{\"work\":\"a@b\"}", "" },
		{ "\"mail\":\"m@b\"", "m@b" },
		{ "\"mail\":\"m@b\",\"email\":\"\"", "m@b" },
		{ "\"mail\":\"m@b\",\"email\":[]", "m@b" },
		{ "\"mail\":\"m@b\",\"email\":\"a@b\"", "a@b" },
		{ "\"mail\":\"m@b\",\"email\":\"a@b@c\"", "" },
		{ "\"mail\":\"m@b\",\"email\":[\"a@b\",\"c@d\"]", "" },
		{ "\"mail\":\"m@b\",\"email_verified\":false", "" },
		{ "\"mail\":\"nobody\"", "" },
		{ "\"preferred_username\":\"p@b\",\"upn\":\"u@b\"", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct identity who;
		struct str json = arena_printf(&arena, "{\"sub\":\"s\",%s}", cases[i].members);

		assert_int_equal(identify(json.at, &arena, &who, NULL), 0);
		if (!str_equal(who.email, str_from(cases[i].should)))
			fail_msg("%s: \"%.*s\"", cases[i].members, STR_FMT(who.email));
		arena_done(&arena);
	}
}

static void test_groups(void **state)
{
	struct arena arena = { 0 };
	struct buf text = BUF_INIT(65536);
	struct identity who;
	struct err e;

	assert_int_equal(identify("{\"sub\":\"s\",\"groups\":\"one\"}", &arena, &who, NULL), 0);
	assert_int_equal(who.group_count, 1);
	assert_text(who.groups[0], "one");
	assert_int_equal(identify("{\"sub\":\"s\",\"groups\":[]}", &arena, &who, NULL), 0);
	assert_int_equal(who.group_count, 0);
	assert_int_equal(identify("{\"sub\":\"s\"}", &arena, &who, NULL), 0);
	assert_int_equal(who.group_count, 0);
	assert_int_equal(buf_append_str(&text, STR("{\"sub\":\"s\",\"groups\":[0")), 0);
	for (size_t i = 1; i < IDENTITY_GROUPS_MAX; i++)
		assert_int_equal(buf_printf(&text, ",%zu", i), 0);
	assert_int_equal(buf_append(&text, "]}", 3), 0);
	assert_int_equal(identify((const char *)text.data, &arena, &who, &e), 0);
	assert_int_equal(who.group_count, IDENTITY_GROUPS_MAX);
	buf_truncate(&text, text.len - 3);
	assert_int_equal(buf_append(&text, ",9]}", 5), 0);
	assert_int_equal(identify((const char *)text.data, &arena, &who, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	buf_done(&text);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),   cmocka_unit_test(test_user_id),
		cmocka_unit_test(test_long_user_id), cmocka_unit_test(test_email),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
