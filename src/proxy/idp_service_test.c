#include "proxy/idp_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proxy/document_cache.h"
#include "tests/support/clock_fake.h"
#include "tests/support/idp_fake.h"

static int set_up(void **state)
{
	struct idp_fake *i = mem_alloc(sizeof(*i));

	idp_fake_init(i, "");
	*state = i;
	return 0;
}

static int tear_down(void **state)
{
	idp_fake_done(*state);
	mem_free(*state);
	return 0;
}

static void expect_claim(const struct idp_fake *i, const char *name, const char *value)
{
	struct str text = claims_text(&i->call.who->claims, str_from(name));

	if (!str_equal(text, str_from(value)))
		fail_msg("%s is \"%.*s\" instead of \"%s\"", name, STR_FMT(text), value);
}

/* ---- login ---- */

static void test_login(void **state)
{
	struct idp_fake *i = *state;
	const struct session_secrets *s;

	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "discovery token keys userinfo ");
	assert_non_null(strstr(i->form, "code=code-1"));
	assert_non_null(strstr(i->form, "grant_type=authorization_code"));

	expect_claim(i, "sub", "sub-1");
	expect_claim(i, "groups", "g1");
	expect_claim(i, "email", "ann@example.com"); /* userinfo lies over the id_token */
	assert_true(str_equal(i->call.who->email, STR("ann@example.com")));
	assert_true(str_equal(i->call.who->name, STR("Ann")));

	s = i->call.secrets;
	assert_true(str_equal(s->access_token, STR("access-1")));
	assert_true(str_equal(s->refresh_token, STR("refresh-1")));
	assert_int_equal(s->access_expires_unix, clock_now_unix() + 300);
	assert_int_equal(s->id_expires_unix, clock_now_unix() + 300);
	assert_int_equal(s->userinfo_unix, clock_now_unix());
	assert_int_equal(s->failures, 0);
}

static void test_what_is_known_is_not_asked_again(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_run(i, IDP_LOGIN);
	idp_fake_forget(i);
	buf_truncate(&i->f.diary, 0);
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "token userinfo ");
}

static void test_expiry_of_id_token_need_not_count(void **state)
{
	struct idp_fake i;

	(void)state;
	idp_fake_init(&i, "runtime_flags: {refresh_session_at_id_token_expiration: false}\n");
	idp_fake_run(&i, IDP_LOGIN);
	idp_fake_expect(&i, IDP_DONE, "");
	assert_int_equal(i.call.secrets->id_expires_unix, 0);
	idp_fake_done(&i);
}

static void test_provider_without_userinfo(void **state)
{
	struct idp_fake *i = *state;

	i->has_no_userinfo = true;
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "discovery token keys ");
	expect_claim(i, "email", "of-token@example.com");
	assert_int_equal(i->call.secrets->userinfo_unix, 0);
}

static void ignore(struct idp_call *call)
{
	(void)call;
}

static void test_github(void **state)
{
	struct idp_fake i;

	(void)state;
	idp_fake_init(&i, "idp_provider: github\n");
	idp_fake_run(&i, IDP_LOGIN);
	idp_fake_expect(&i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i.f, "token user emails ");
	assert_true(str_equal(i.call.who->user_id, STR("U_1")));
	assert_true(str_equal(i.call.who->email, STR("ann@example.com")));
	assert_int_equal(i.call.secrets->access_expires_unix, 0);
	assert_int_equal(i.call.secrets->id_expires_unix, 0);

	/* It has nothing to refresh, but says who it is again. */
	i.call.old_who = TAKE(i.call.who);
	clock_fake_advance_ms(USERINFO_INTERVAL_S * 1000);
	idp_fake_run(&i, IDP_RENEW);
	idp_fake_expect(&i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i.f, "user emails ");
	i.userinfo = (struct idp_fake_answer){ .status = 401 };
	clock_fake_advance_ms(USERINFO_INTERVAL_S * 1000);
	idp_fake_run(&i, IDP_RENEW);
	idp_fake_expect(&i, IDP_REFUSED, "status 401");
	idp_fake_done(&i);
}

static void test_too_many_calls(void **state)
{
	struct idp_fake *i = *state;
	struct idp_call *calls = mem_alloc_array(IDP_CALLS_MAX, sizeof(*calls));

	i->is_silent = true;
	for (size_t k = 0; k < IDP_CALLS_MAX; k++) {
		calls[k] = (struct idp_call){
			.verb = IDP_LEARN,
			.idp = idp_fake_client(i),
			.on_done = ignore,
		};
		idp_service_start(i->idps, &calls[k]);
	}
	idp_fake_run(i, IDP_LEARN);
	idp_fake_expect(i, IDP_UNAVAILABLE, "more than");
	assert_int_equal(i->call.error.kind, ERR_LIMIT);
	idp_service_free(TAKE(i->idps));
	for (size_t k = 0; k < IDP_CALLS_MAX; k++)
		assert_int_equal(calls[k].result, IDP_UNAVAILABLE);
	mem_free(calls);
}

static void test_login_with_a_key_that_came_later(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_run(i, IDP_LOGIN);
	idp_fake_forget(i);
	buf_truncate(&i->f.diary, 0);
	clock_fake_advance_ms(KEYRING_REFETCH_S * 1000);
	idp_fake_publish(i, "second");
	idp_fake_sign_with(i, "second");
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "token keys userinfo ");
}

static void test_login_with_a_key_of_somebody_else(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_sign_with(i, "forger");
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_REFUSED, "id_token");
	fetch_fixture_expect_diary(&i->f, "discovery token keys ");
	assert_null(i->call.who);
	assert_null(i->call.secrets);

	/* One more look at the keys, and not one for each try. */
	clock_fake_advance_ms(KEYRING_REFETCH_S * 1000);
	buf_truncate(&i->f.diary, 0);
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_REFUSED, "id_token");
	fetch_fixture_expect_diary(&i->f, "token keys token ");
}

/* What goes wrong, what it is called, and how far it went. */
struct failure {
	const char *title;
	struct idp_fake_answer discovery;
	struct idp_fake_answer keys;
	struct idp_fake_answer token;
	struct idp_fake_answer userinfo;
	const char *nonce;
	enum idp_result result;
	const char *error_has;
};

static const struct failure failures[] = {
	{ "another issuer", .discovery = { .body = "{\"issuer\":\"http://127.0.0.1:1\"}" },
	  .result = IDP_REFUSED, .error_has = "it is of the issuer" },
	{ "discovery: not there", .discovery = { .status = 404 }, .result = IDP_UNAVAILABLE,
	  .error_has = "status 404" },
	{ "discovery: elsewhere", .discovery = { .status = 302 }, .result = IDP_UNAVAILABLE,
	  .error_has = "status 302" },
	{ "keys: broken", .keys = { .status = 500 }, .result = IDP_UNAVAILABLE,
	  .error_has = "status 500" },
	{ "keys: garbage", .keys = { .body = "<html>" }, .result = IDP_UNAVAILABLE,
	  .error_has = "key set" },
	{ "token: the code is no good",
	  .token = { .status = 400, .body = "{\"error\":\"invalid_grant\"}" },
	  .result = IDP_REFUSED, .error_has = "invalid_grant" },
	{ "token: overloaded", .token = { .status = 503, .body = "later" },
	  .result = IDP_UNAVAILABLE, .error_has = "status 503" },
	{ "token: elsewhere", .token = { .status = 302, .body = "" }, .result = IDP_UNAVAILABLE,
	  .error_has = "status 302" },
	{ "token: garbage", .token = { .body = "<html>" }, .result = IDP_UNAVAILABLE,
	  .error_has = "token endpoint" },
	{ "token: refused with status 200", .token = { .body = "error=bad_verification_code" },
	  .result = IDP_REFUSED, .error_has = "bad_verification_code" },
	{ "token: no id_token",
	  .token = { .body = "{\"access_token\":\"access-0\",\"token_type\":\"bearer\"}" },
	  .result = IDP_REFUSED, .error_has = "no id_token" },
	{ "token: of another login", .nonce = "n-2", .result = IDP_REFUSED, .error_has = "nonce" },
	{ "userinfo: refused", .userinfo = { .status = 401 }, .result = IDP_REFUSED,
	  .error_has = "status 401" },
	{ "userinfo: broken", .userinfo = { .status = 500 }, .result = IDP_UNAVAILABLE,
	  .error_has = "status 500" },
	{ "userinfo: of another user", .userinfo = { .body = "{\"sub\":\"sub-2\"}" },
	  .result = IDP_REFUSED, .error_has = "another user" },
	{ "userinfo: a page", .userinfo = { .body = "<html>" }, .result = IDP_UNAVAILABLE,
	  .error_has = "userinfo" },
};

static void test_login_fails(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(failures); k++) {
		const struct failure *failure = &failures[k];
		struct idp_fake i;

		print_message("%s\n", failure->title);
		idp_fake_init(&i, "");
		i.discovery = failure->discovery;
		i.keys = failure->keys;
		i.token = failure->token;
		i.userinfo = failure->userinfo;
		if (failure->nonce)
			i.nonce = failure->nonce;
		idp_fake_run(&i, IDP_LOGIN);
		idp_fake_expect(&i, failure->result, failure->error_has);
		assert_null(i.call.who);
		assert_null(i.call.secrets);
		idp_fake_done(&i);
	}
}

static void test_silent_provider(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_run(i, IDP_LEARN);
	i->is_silent = true;
	idp_fake_start(i, IDP_LOGIN);
	clock_fake_advance_ms(IDP_CALL_TIMEOUT_MS - 1);
	for (int k = 0; k < 5; k++)
		loop_turn(i->f.loop, false);
	assert_int_equal(i->done_count, 1);
	clock_fake_advance_ms(1);
	idp_fake_wait(i);
	idp_fake_expect(i, IDP_UNAVAILABLE, "");
	assert_int_equal(i->call.error.kind, ERR_TIMEOUT);
}

/* ---- the other verbs ---- */

static void test_learn(void **state)
{
	struct idp_fake *i = *state;
	struct oidc_metadata *metadata;

	assert_null(idp_service_metadata(i->idps, idp_fake_client(i)));
	idp_fake_run(i, IDP_LEARN);
	idp_fake_expect(i, IDP_DONE, "");
	metadata = idp_service_metadata(i->idps, idp_fake_client(i));
	assert_non_null(metadata);
	assert_true(str_ends_with(metadata->token_endpoint, STR("/token")));
	oidc_metadata_unref(metadata);
	idp_fake_run(i, IDP_LEARN);
	fetch_fixture_expect_diary(&i->f, "discovery ");
}

static void test_failed_discovery_is_not_repeated_at_once(void **state)
{
	struct idp_fake *i = *state;

	i->discovery.status = 500;
	idp_fake_run(i, IDP_LEARN);
	idp_fake_run(i, IDP_LEARN);
	idp_fake_expect(i, IDP_UNAVAILABLE, "status 500");
	fetch_fixture_expect_diary(&i->f, "discovery ");
	clock_fake_advance_ms(DOCUMENT_REFETCH_S * 1000);
	i->discovery.status = 0;
	idp_fake_run(i, IDP_LEARN);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "discovery ");
}

static void test_revoke(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_run(i, IDP_LOGIN);
	buf_truncate(&i->f.diary, 0);
	idp_fake_run(i, IDP_REVOKE);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "revoke revoke ");
}

static void test_check_access_token(void **state)
{
	struct idp_fake *i = *state;

	i->call.token = STR("access-0");
	idp_fake_run(i, IDP_CHECK_ACCESS_TOKEN);
	idp_fake_expect(i, IDP_DONE, "");
	assert_true(str_equal(i->call.who->user_id, STR("sub-1")));
	idp_fake_forget(i);

	i->call.token = STR("access-of-nobody");
	idp_fake_run(i, IDP_CHECK_ACCESS_TOKEN);
	idp_fake_expect(i, IDP_REFUSED, "status 401");
	assert_null(i->call.who);
}

static void test_shutting_down(void **state)
{
	struct idp_fake *i = *state;

	i->is_silent = true;
	idp_fake_start(i, IDP_LOGIN);
	for (int k = 0; k < 5; k++)
		loop_turn(i->f.loop, false);
	idp_service_free(TAKE(i->idps));
	assert_int_equal(i->done_count, 1);
	idp_fake_expect(i, IDP_UNAVAILABLE, "shutting down");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_known_is_not_asked_again, set_up,
						tear_down),
		cmocka_unit_test(test_expiry_of_id_token_need_not_count),
		cmocka_unit_test_setup_teardown(test_provider_without_userinfo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_login_with_a_key_that_came_later, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_login_with_a_key_of_somebody_else, set_up,
						tear_down),
		cmocka_unit_test(test_github),
		cmocka_unit_test_setup_teardown(test_too_many_calls, set_up, tear_down),
		cmocka_unit_test(test_login_fails),
		cmocka_unit_test_setup_teardown(test_silent_provider, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_learn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_discovery_is_not_repeated_at_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revoke, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_check_access_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shutting_down, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
