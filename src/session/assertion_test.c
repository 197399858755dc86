#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jose/jwks.h"
#include "jose/jws.h"
#include "session/assertion.h"
#include "tests/vectors/vectors.h"

#define TEXT_MAX (256u * 1024)
#define NOW      1767225600

static void assert_text(struct str is, struct str should)
{
	if (!str_equal(is, should))
		fail_msg("%.*s\nis not\n%.*s", STR_FMT(is), STR_FMT(should));
}

static const struct str admins[] = { { "admins", 6 } };

static const struct identity alice = {
	.user_id = { "user-1", 6 },
	.email = { "alice@example.com", 17 },
	.name = { "Alice", 5 },
	.groups = admins,
	.group_count = 1,
};

static struct assertion_facts facts_about(const struct identity *who)
{
	return (struct assertion_facts){
		.host = STR("app.example.com"),
		.now_unix = NOW,
		.id = STR("0b6f4a0e-6c5f-4d62-9a3c-6b7a8c9d0e1f"),
		.session_id = STR("3b241101-e2bb-4255-8caf-4136c566a962"),
		.who = who,
	};
}

/* What the token says to somebody who has only the published keys. */
static void payload_of(const struct assertion_facts *facts, struct buf *payload)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	struct signing_keys *keys = NULL;
	struct jwks *set = NULL;
	struct err e;

	assert_int_equal(signing_keys_derive(STR("0123456789abcdef0123456789abcdef"), &keys, &e),
			 0);
	signing_keys_write_jwks(keys, &text);
	assert_int_equal(jwks_parse(buf_view(&text), &set, &e), 0);
	assert_int_equal(assertion_write(keys, facts, &token, &e), 0);
	assert_int_equal(jwt_verify(set, 1u << JWS_ES256, buf_view(&token), payload, &e),
			 JWT_GENUINE);
	jwks_unref(set);
	signing_keys_unref(keys);
}

static void test_known_answer(void **state)
{
	json_t *root = vectors_load("identity_jwt.json");
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct assertion_facts facts = facts_about(&alice);

	payload_of(&facts, &payload);
	assert_text(buf_view(&payload), vectors_str(root, "payload"));
	json_decref(root);
}

static void expect_user(const struct assertion_facts *facts, const char *should)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	struct err e;

	assert_int_equal(assertion_user_json(facts, &text, &e), 0);
	assert_text(buf_view(&text), str_from(should));
}

static void test_user(void **state)
{
	struct identity nobody = { .user_id = STR("u") };
	struct assertion_facts facts = facts_about(&alice);

	expect_user(&facts, "{\"email\":\"alice@example.com\",\"groups\":[\"admins\"],"
			    "\"name\":\"Alice\",\"sid\":\"3b241101-e2bb-4255-8caf-4136c566a962\","
			    "\"sub\":\"user-1\",\"user\":\"user-1\"}");
	facts.who = &nobody;
	facts.session_id = STR("");
	expect_user(&facts, "{\"email\":\"\",\"groups\":[],\"name\":\"\",\"sid\":\"\","
			    "\"sub\":\"u\",\"user\":\"u\"}");
}

static void test_issuer(void **state)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct assertion_facts facts = facts_about(&alice);

	facts.issuer_is_uri = true;
	payload_of(&facts, &payload);
	assert_true(str_contains(buf_view(&payload), STR("\"aud\":\"app.example.com\",\"email\"")));
	assert_true(str_contains(buf_view(&payload),
				 STR("\"iss\":\"https://app.example.com/\",\"jti\"")));
}

/* A provider that says "groups", "sub" or "exp" does not get between us and the upstream. */
static void test_extra(void **state)
{
	static const struct str one[] = { { "eng", 3 } };
	static const struct str two[] = { { "a", 1 }, { "b,c", 3 } };
	static const struct claim items[] = {
		{ { "aaa", 3 }, one, 1 },    { { "exp", 3 }, one, 1 },
		{ { "groups", 6 }, one, 1 }, { { "roles", 5 }, two, 2 },
		{ { "sub", 3 }, one, 1 },    { { "unasked", 7 }, one, 1 },
		{ { "void", 4 }, NULL, 0 },  { { "zoo.x", 5 }, one, 1 },
	};
	static const struct str names[] = {
		{ "zoo.x", 5 }, { "groups", 6 }, { "roles", 5 }, { "exp", 3 },  { "aaa", 3 },
		{ "roles", 5 }, { "absent", 6 }, { "sub", 3 },   { "void", 4 },
	};
	struct identity who = alice;
	struct assertion_facts facts = facts_about(&who);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

	who.claims = (struct claims){ .items = items, .count = ARRAY_LEN(items) };
	facts.extra = names;
	facts.extra_count = ARRAY_LEN(names);
	payload_of(&facts, &payload);
	assert_text(buf_view(&payload),
		    STR("{\"aaa\":\"eng\",\"aud\":\"app.example.com\","
			"\"email\":\"alice@example.com\",\"exp\":1767225900,"
			"\"groups\":[\"admins\"],\"iat\":1767225600,\"iss\":\"app.example.com\","
			"\"jti\":\"0b6f4a0e-6c5f-4d62-9a3c-6b7a8c9d0e1f\",\"name\":\"Alice\","
			"\"roles\":\"a,b,c\",\"sid\":\"3b241101-e2bb-4255-8caf-4136c566a962\","
			"\"sub\":\"user-1\",\"user\":\"user-1\",\"void\":\"\",\"zoo.x\":\"eng\"}"));
	expect_user(&facts,
		    "{\"aaa\":\"eng\",\"email\":\"alice@example.com\",\"groups\":[\"admins\"],"
		    "\"name\":\"Alice\",\"roles\":\"a,b,c\","
		    "\"sid\":\"3b241101-e2bb-4255-8caf-4136c566a962\",\"sub\":\"user-1\","
		    "\"user\":\"user-1\",\"void\":\"\",\"zoo.x\":\"eng\"}");
}

static void test_escaping(void **state)
{
	struct identity who = { .user_id = STR("\"\n\\"), .name = STR("<b>&\xff") };
	struct assertion_facts facts = facts_about(&who);

	facts.session_id = STR("s");
	expect_user(&facts, "{\"email\":\"\",\"groups\":[],\"name\":\"\\u003cb\\u003e\\u0026"
			    "\xef\xbf\xbd\",\"sid\":\"s\",\"sub\":\"\\\"\\n\\\\\","
			    "\"user\":\"\\\"\\n\\\\\"}");
}

static void test_limits(void **state)
{
	static const char group[] = "01234567-89ab-cdef-0123-456789abcdef";
	struct str groups[IDENTITY_GROUPS_MAX];
	struct identity who = { .groups = groups, .group_count = IDENTITY_GROUPS_MAX };
	struct assertion_facts facts = facts_about(&who);
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf tiny = BUF_INIT(64);
	struct signing_keys *keys = NULL;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		groups[i] = str_from(group);
	assert_int_equal(signing_keys_derive(STR("k"), &keys, &e), 0);
	assert_int_equal(assertion_write(keys, &facts, &token, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(token.len, 0);
	/* The page has no such limit. */
	assert_int_equal(assertion_user_json(&facts, &token, &e), 0);

	assert_int_equal(buf_append_str(&tiny, STR("x")), 0);
	assert_int_equal(assertion_user_json(&facts, &tiny, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_text(buf_view(&tiny), STR("x"));
	signing_keys_unref(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answer), cmocka_unit_test(test_user),
		cmocka_unit_test(test_issuer),       cmocka_unit_test(test_extra),
		cmocka_unit_test(test_escaping),     cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
