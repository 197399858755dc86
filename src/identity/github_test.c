#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "identity/oidc_token.h"

static void assert_claims(const char *user, const char *emails, const char *should)
{
	struct arena arena = { 0 };
	struct buf text = BUF_INIT(4096);
	struct claims claims;
	struct err e = { 0 };

	if (github_claims_parse(str_from(user), str_from(emails), &arena, &claims, &e))
		fail_msg("%s: %s", user, e.text);
	assert_int_equal(claims_write(&claims, &text), 0);
	assert_int_equal(buf_append_char(&text, '\0'), 0);
	assert_string_equal((const char *)text.data, should);
	buf_done(&text);
	arena_done(&arena);
}

#define USER                                                                                       \
	"{\"login\":\"octocat\",\"id\":1,\"node_id\":\"MDQ6\",\"name\":\"Mona\",\"email\":\"shown@b\"}"
#define SUB "\"sub\":[\"MDQ6\"]}"

static void test_claims(void **state)
{
	assert_claims(USER,
		      "[{\"email\":\"other@b\",\"primary\":false,\"verified\":true},"
		      "{\"email\":\"mona@b\",\"primary\":true,\"verified\":true,"
		      "\"visibility\":null}]",
		      "{\"email\":[\"mona@b\"],\"email_verified\":[\"true\"],\"login\":"
		      "[\"octocat\"],\"name\":[\"Mona\"]," SUB);
	assert_claims("{\"login\":\"octocat\",\"node_id\":\"MDQ6\",\"name\":null}", "[]",
		      "{\"login\":[\"octocat\"],\"name\":[\"octocat\"]," SUB);
	assert_claims("{\"node_id\":\"MDQ6\"}", "[]", "{" SUB);
}

/* Nothing but the primary address counts, and only if it is verified. */
static void test_addresses_that_do_not_count(void **state)
{
	static const char *const emails[] = {
		"[]",
		"[1,null,\"a@b\",[],{}]",
		"[{\"email\":\"a@b\",\"primary\":true,\"verified\":false}]",
		"[{\"email\":\"a@b\",\"primary\":false,\"verified\":true}]",
		"[{\"email\":\"a@b\",\"primary\":\"true\",\"verified\":\"true\"}]",
		"[{\"email\":\"a@b\",\"primary\":1,\"verified\":1}]",
		"[{\"email\":\"a@b\"}]",
		"[{\"email\":null,\"primary\":true,\"verified\":true}]",
		"[{\"email\":\"\",\"primary\":true,\"verified\":true}]",
	};

	for (size_t i = 0; i < ARRAY_LEN(emails); i++)
		assert_claims(USER, emails[i], "{\"login\":[\"octocat\"],\"name\":[\"Mona\"]," SUB);
}

static void test_refused(void **state)
{
	static const struct {
		struct str user;
		struct str emails;
	} cases[] = {
		{ STR("{}"), STR("[]") },
		{ STR("{\"node_id\":\"\"}"), STR("[]") },
		{ STR("{\"node_id\":1}"), STR("[]") },
		{ STR("{\"node_id\":\"a\\nb\"}"), STR("[]") },
		{ STR("{\"id\":1,\"login\":\"octocat\"}"), STR("[]") },
		{ STR("{\"node_id\":\"a\",\"node_id\":\"b\"}"), STR("[]") },
		{ STR("[]"), STR("[]") },
		{ STR(""), STR("[]") },
		{ STR(USER), STR("") },
		{ STR(USER), STR("{}") },
		{ STR(USER), STR("{\"message\":\"Not Found\"}") },
		{ STR(USER), STR("[{\"email\":\"a@b\",\"email\":\"c@d\"}]") },
		{ STR(USER), STR("[\"\xff\"]") },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct claims claims = { .count = 77 };
		struct err e = { 0 };

		assert_int_equal(
			github_claims_parse(cases[i].user, cases[i].emails, &arena, &claims, &e),
			-1);
		assert_int_equal(e.kind, ERR_PROTOCOL);
		assert_non_null(strstr(e.text, "GitHub"));
		assert_int_equal(claims.count, 77);
		arena_done(&arena);
	}
}

static void test_identity(void **state)
{
	struct arena arena = { 0 };
	struct claims claims;
	struct identity who;

	assert_int_equal(
		github_claims_parse(STR(USER),
				    STR("[{\"email\":\"m@b\",\"primary\":true,\"verified\":true}]"),
				    &arena, &claims, NULL),
		0);
	assert_int_equal(oidc_identity(&claims, &arena, &who, NULL), 0);
	assert_true(str_equal(who.user_id, STR("MDQ6")));
	assert_true(str_equal(who.email, STR("m@b")));
	assert_true(str_equal(who.name, STR("Mona")));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_addresses_that_do_not_count),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
