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
#include "tests/support/clock_fake.h"
#include "tests/support/idp_fake.h"

#define LIFE_MS 300000
#define DUE_MS  (LIFE_MS - REFRESH_BEFORE_S * 1000)
#define LOOK_MS (USERINFO_INTERVAL_S * 1000)

/* Logged in, and the call as upkeep would make it. */
static int set_up(void **state)
{
	struct idp_fake *i = mem_alloc(sizeof(*i));

	idp_fake_init(i, "");
	idp_fake_run(i, IDP_LOGIN);
	idp_fake_expect(i, IDP_DONE, "");
	i->call.old_who = TAKE(i->call.who);
	buf_truncate(&i->f.diary, 0);
	*state = i;
	return 0;
}

static int tear_down(void **state)
{
	idp_fake_done(*state);
	mem_free(*state);
	return 0;
}

static void expect_tokens(const struct idp_fake *i, const char *access, const char *refresh)
{
	const struct session_secrets *s = i->call.secrets;

	assert_true(str_equal(s->access_token, str_from(access)));
	assert_true(str_equal(s->refresh_token, str_from(refresh)));
}

static void test_nothing_is_due(void **state)
{
	struct idp_fake *i = *state;

	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "");
	expect_tokens(i, "access-1", "refresh-1");
	assert_true(str_equal(i->call.who->user_id, STR("sub-1")));
}

static void test_refresh(void **state)
{
	struct idp_fake *i = *state;
	struct str issued = claims_text(&i->call.old_who->claims, STR("iat"));

	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "token ");
	expect_tokens(i, "access-2", "refresh-2");
	assert_int_equal(i->call.secrets->refreshed_unix, clock_now_unix());
	assert_int_equal(i->call.secrets->access_expires_unix, clock_now_unix() + 300);
	assert_int_equal(i->call.secrets->id_expires_unix, clock_now_unix() + 300);
	/* What is new counts, but for what belongs to the token. */
	assert_true(str_equal(claims_text(&i->call.who->claims, STR("groups")), STR("g2")));
	assert_true(str_equal(claims_text(&i->call.who->claims, STR("iat")), issued));
}

static void test_refresh_token_that_stays(void **state)
{
	struct idp_fake *i = *state;

	i->rotates = false;
	i->has_refresh_without_id_token = true;
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_DONE, "");
	expect_tokens(i, "access-1", "refresh-1");
	assert_true(i->call.secrets->id_token.len > 0); /* the old one, for the sign-out */
	assert_int_equal(session_upkeep_due(i->call.secrets), clock_now_unix() + DUE_MS / 1000);
}

static void test_refresh_with_userinfo(void **state)
{
	struct idp_fake *i = *state;

	i->email = "ann@new.example.com";
	clock_fake_advance_ms(LOOK_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "token userinfo ");
	assert_true(str_equal(i->call.who->email, STR("ann@new.example.com")));
	assert_int_equal(i->call.secrets->userinfo_unix, clock_now_unix());
}

static void test_refresh_is_refused(void **state)
{
	struct idp_fake *i = *state;

	i->token = (struct idp_fake_answer){ 400, "{\"error\":\"invalid_grant\"}" };
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_REFUSED, "invalid_grant");
	assert_null(i->call.who);
}

static void test_refresh_is_not_to_be_had(void **state)
{
	struct idp_fake *i = *state;

	i->token = (struct idp_fake_answer){ 502, "<html>" };
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_UNAVAILABLE, "status 502");
	expect_tokens(i, "access-1", "refresh-1");
}

static void test_refresh_for_another_user(void **state)
{
	struct idp_fake *i = *state;

	i->subject = "sub-2";
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_REFUSED, "another user");
	assert_null(i->call.who);
}

/* The old refresh token is worthless by then. */
static void expect_rescued(const struct idp_fake *i)
{
	assert_int_equal(i->call.result, IDP_DONE);
	expect_tokens(i, "access-2", "refresh-2");
	assert_int_equal(i->call.secrets->failures, 1);
	assert_ptr_equal(i->call.who, i->call.old_who);
	assert_true(session_upkeep_due(i->call.secrets) >= i->call.now_unix + REFRESH_INTERVAL_S);
}

static void test_fresh_tokens_survive_broken_userinfo(void **state)
{
	struct idp_fake *i = *state;

	i->userinfo.status = 500;
	clock_fake_advance_ms(LOOK_MS);
	idp_fake_run(i, IDP_RENEW);
	fetch_fixture_expect_diary(&i->f, "token userinfo ");
	expect_rescued(i);

	/* Later only userinfo is asked, with the new token. */
	i->userinfo.status = 0;
	clock_fake_advance_ms(REFRESH_INTERVAL_S * 1000);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_DONE, "");
	fetch_fixture_expect_diary(&i->f, "userinfo ");
	assert_int_equal(i->call.secrets->failures, 0);
}

static void test_fresh_tokens_survive_broken_keys(void **state)
{
	struct idp_fake *i = *state;

	i->keys.status = 500;
	idp_fake_sign_with(i, "second");
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	fetch_fixture_expect_diary(&i->f, "token keys ");
	expect_rescued(i);
}

static void start_and_fall_silent(struct idp_fake *i)
{
	i->userinfo.status = 500;
	idp_fake_sign_with(i, "second");
	clock_fake_advance_ms(DUE_MS);
	idp_fake_start(i, IDP_RENEW);
	while (i->generation < 2)
		loop_turn(i->f.loop, true);
	i->is_silent = true;
	while (!str_ends_with(buf_view(&i->f.diary), STR("keys ")))
		loop_turn(i->f.loop, true);
}

static void test_fresh_tokens_survive_the_deadline(void **state)
{
	struct idp_fake *i = *state;

	start_and_fall_silent(i);
	clock_fake_advance_ms(IDP_CALL_TIMEOUT_MS);
	idp_fake_wait(i);
	expect_rescued(i);
}

static void test_fresh_tokens_survive_shutting_down(void **state)
{
	struct idp_fake *i = *state;

	start_and_fall_silent(i);
	idp_service_free(TAKE(i->idps));
	expect_rescued(i);
}

static void test_userinfo_alone(void **state)
{
	struct idp_fake *i = *state;
	struct session_secrets *old = i->call.secrets;
	struct session_secrets facts = *old;

	/* As for a provider without refresh tokens. */
	facts.refresh_token = STR("");
	i->call.secrets = session_secrets_new(&facts);
	session_secrets_free(old);
	clock_fake_advance_ms(LOOK_MS);
	i->userinfo.status = 503;
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_UNAVAILABLE, "status 503");
	i->userinfo = (struct idp_fake_answer){ .status = 401 };
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_REFUSED, "status 401");
	fetch_fixture_expect_diary(&i->f, "userinfo userinfo ");
}

/* A document that is no good any more says nothing about a session. */
static void test_garbage_for_discovery_ends_nothing(void **state)
{
	struct idp_fake *i = *state;

	idp_service_free(i->idps);
	i->idps = idp_service_new(i->f.loop, i->f.fetcher, i->keyring);
	i->discovery.body = "<html>";
	clock_fake_advance_ms(DUE_MS);
	idp_fake_run(i, IDP_RENEW);
	idp_fake_expect(i, IDP_UNAVAILABLE, "discovery document");
	expect_tokens(i, "access-1", "refresh-1");
}

/* Pauses grow and begin at the failure, however long ago it became due. */
static void test_pauses_after_failures(void **state)
{
	static const int64_t pauses[] = { 10, 20, 40, 60, 60, 60 };
	struct idp_fake *i = *state;
	struct session_secrets *s = i->call.secrets;

	clock_fake_advance_ms(LOOK_MS);
	for (size_t k = 0; k < ARRAY_LEN(pauses); k++) {
		idp_count_failure(s, clock_now_unix());
		assert_int_equal(session_upkeep_due(s), clock_now_unix() + pauses[k]);
		clock_fake_advance_ms((uint64_t)pauses[k] * 1000);
		assert_true(session_refresh_is_due(s, clock_now_unix()));
		assert_true(session_userinfo_is_due(s, clock_now_unix()));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_due, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_token_that_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_with_userinfo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_is_not_to_be_had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_for_another_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fresh_tokens_survive_broken_userinfo, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_fresh_tokens_survive_broken_keys, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_fresh_tokens_survive_the_deadline, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_fresh_tokens_survive_shutting_down, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_userinfo_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage_for_discovery_ends_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_pauses_after_failures, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
