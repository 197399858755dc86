#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "session/session.h"

static struct session *make_session(void)
{
	char idp[] = "idp-1";
	struct identity *who = identity_new(&(struct identity){ .user_id = STR("u1") });
	struct session_facts facts = {
		.idp_id = str_from(idp),
		.who = who,
		.issued_unix = 1000,
		.expires_unix = 2000,
		.valid_until_unix = 2000,
		.credential_tag = { 1, 2, 3 },
	};
	struct session *s = session_new(&facts);

	mem_wipe(idp, sizeof(idp));
	identity_unref(who);
	return s;
}

static void test_facts_are_kept(void **state)
{
	struct session *s = make_session();
	struct session *other = make_session();

	assert_true(str_equal(s->idp_id, STR("idp-1")));
	assert_true(str_equal(s->who->user_id, STR("u1")));
	assert_int_equal(s->issued_unix, 1000);
	assert_int_equal(s->expires_unix, 2000);
	assert_int_equal(s->credential_tag[2], 3);
	assert_int_equal(s->record_version, 0);
	assert_int_equal(strlen(s->id), UUID_TEXT_LEN);
	assert_string_not_equal(s->id, other->id);
	session_unref(s);
	session_unref(other);
	session_unref(NULL);
}

static void test_references(void **state)
{
	struct session *s = make_session();

	assert_ptr_equal(session_ref(s), s);
	session_unref(s);
	assert_true(str_equal(s->who->user_id, STR("u1")));
	session_unref(s);
}

static void test_expiry(void **state)
{
	static const struct {
		int64_t expires;
		int64_t valid_until;
		int64_t now;
		bool is_expired;
	} cases[] = {
		{ 2000, 2000, 1999, false }, { 2000, 2000, 2000, true },
		{ 2000, 2000, 0, false },    { 2000, 2000, INT64_MAX, true },
		{ 2000, 1500, 1499, false }, { 2000, 1500, 1500, true },
		{ 0, 0, INT64_MAX, false },  { 0, 1500, 1500, true },
	};
	struct identity *who = identity_new(&(struct identity){ .user_id = STR("u1") });

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct session *s = session_new(
			&(struct session_facts){ .who = who,
						 .expires_unix = cases[i].expires,
						 .valid_until_unix = cases[i].valid_until });

		assert_int_equal(session_is_expired(s, cases[i].now), cases[i].is_expired);
		session_unref(s);
	}
	identity_unref(who);
}

/* A refresh is a new object with the same id. */
static void test_given_id(void **state)
{
	struct session *s = make_session();
	struct session *next = session_new(&(struct session_facts){
		.kind = SESSION_SERVICE_ACCOUNT,
		.id = str_from(s->id),
		.description = STR("for the build"),
		.who = s->who,
		.record_version = 8,
	});

	assert_string_equal(next->id, s->id);
	assert_int_equal(next->kind, SESSION_SERVICE_ACCOUNT);
	assert_true(str_equal(next->description, STR("for the build")));
	assert_int_equal(next->record_version, 8);
	session_unref(s);
	assert_true(str_equal(next->who->user_id, STR("u1")));
	session_unref(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_are_kept),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_given_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
