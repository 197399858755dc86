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
	struct session *s = make_session();

	assert_false(session_is_expired(s, 0));
	assert_false(session_is_expired(s, 1999));
	assert_true(session_is_expired(s, 2000));
	assert_true(session_is_expired(s, INT64_MAX));
	session_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_are_kept),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
