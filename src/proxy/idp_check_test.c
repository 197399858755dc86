/*
 * idp_check_test.c - whose a token is: the provider's own tokens, and those of an issuer beside it
 *
 * The fake provider plays the issuer as well: its address, its keys.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jose/jws.h"
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

/* Checks a token of the provider's address, for that audience. */
static void check(struct idp_fake *i, enum idp_verb verb, const char *audience, int64_t life_s)
{
	struct buf token = BUF_INIT(JWS_MAX);
	char payload[512];

	(void)snprintf(payload, sizeof(payload),
		       "{\"iss\":\"http://127.0.0.1:%u\",\"sub\":\"job-1\",\"aud\":\"%s\","
		       "\"iat\":%lld,\"exp\":%lld}",
		       http_peer_port(i->f.peer), audience, (long long)clock_now_unix(),
		       (long long)(clock_now_unix() + life_s));
	assert_int_equal(signing_keys_sign(i->signer, str_from(payload), &token, NULL), 0);
	i->call.token = arena_copy(&i->call.arena, buf_view(&token));
	buf_done(&token);
	idp_fake_run(i, verb);
}

static void check_workload(struct idp_fake *i, const char *audience, bool has_url)
{
	static const struct str audiences[] = { STR("other"), STR("gate") };
	static const struct str algorithms[] = { STR("ES256") };
	struct config_issuer issuer = {
		.name = STR("ci"),
		.algorithms = { algorithms, ARRAY_LEN(algorithms) },
		.audiences = { audiences, ARRAY_LEN(audiences) },
	};
	char url[64];
	char keys[80];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", http_peer_port(i->f.peer));
	(void)snprintf(keys, sizeof(keys), "%s/keys", url);
	issuer.issuer = str_from(url);
	issuer.jwks_url = str_from(has_url ? keys : "");
	i->call.issuer = &issuer;
	check(i, IDP_CHECK_WORKLOAD, audience, 300);
	i->call.issuer = NULL;
}

static void expect_who(const struct idp_fake *i, const char *user_id)
{
	idp_fake_expect(i, IDP_DONE, "");
	assert_true(str_equal(i->call.who->user_id, str_from(user_id)));
}

/* ---- workloads ---- */

static void test_workload(void **state)
{
	struct idp_fake *i = *state;

	check_workload(i, "gate", true);
	expect_who(i, "ci/job-1");
	assert_int_equal(i->call.expires_unix, clock_now_unix() + 300);
	fetch_fixture_expect_diary(&i->f, "keys ");
	idp_fake_forget(i);
	check_workload(i, "gate", true);
	expect_who(i, "ci/job-1");
	idp_fake_forget(i);
	check_workload(i, "someone else", true);
	idp_fake_expect(i, IDP_REFUSED, "audience");
}

static void test_workload_with_discovery(void **state)
{
	struct idp_fake *i = *state;

	check_workload(i, "gate", false);
	expect_who(i, "ci/job-1");
	fetch_fixture_expect_diary(&i->f, "discovery keys ");
	idp_fake_forget(i);
	check_workload(i, "gate", false);
	expect_who(i, "ci/job-1");
}

static void test_workload_with_new_key(void **state)
{
	struct idp_fake *i = *state;

	check_workload(i, "gate", true);
	idp_fake_forget(i);
	idp_fake_sign_with(i, "second");
	check_workload(i, "gate", true); /* too early to ask again */
	idp_fake_expect(i, IDP_REFUSED, "");
	idp_fake_forget(i);
	clock_fake_advance_ms(KEYRING_REFETCH_S * 1000);
	idp_fake_publish(i, "second");
	check_workload(i, "gate", true);
	expect_who(i, "ci/job-1");
}

static void test_issuer_in_trouble(void **state)
{
	static const struct {
		struct idp_fake_answer discovery;
		struct idp_fake_answer keys;
		const char *error;
	} rows[] = {
		{ { .status = 500 }, { 0 }, "500" },
		{ { .body = "<html>" }, { 0 }, "discovery" },
		{ { .body = "{\"issuer\":\"https://elsewhere\"}" }, { 0 }, "another issuer" },
		{ { 0 }, { .status = 404 }, "404" },
		{ { 0 }, { .body = "[]" }, "key set" },
	};

	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		struct idp_fake i;

		idp_fake_init(&i, "");
		i.discovery = rows[k].discovery;
		i.keys = rows[k].keys;
		check_workload(&i, "gate", false);
		idp_fake_expect(&i, IDP_UNAVAILABLE, rows[k].error);
		idp_fake_done(&i);
	}
}

/* ---- tokens of the provider ---- */

static void test_id_token(void **state)
{
	struct idp_fake *i = *state;

	check(i, IDP_CHECK_ID_TOKEN, IDP_FAKE_CLIENT, 300);
	expect_who(i, "job-1");
	assert_int_equal(i->call.expires_unix, clock_now_unix() + 300);
	fetch_fixture_expect_diary(&i->f, "discovery keys ");
	idp_fake_forget(i);
	check(i, IDP_CHECK_ID_TOKEN, "another client", 300);
	idp_fake_expect(i, IDP_REFUSED, "audience");
	idp_fake_forget(i);
	check(i, IDP_CHECK_ID_TOKEN, IDP_FAKE_CLIENT, -61);
	idp_fake_expect(i, IDP_REFUSED, "expired");
}

static void test_access_token(void **state)
{
	struct idp_fake *i = *state;

	i->call.token = STR("access-0");
	idp_fake_run(i, IDP_CHECK_ACCESS_TOKEN);
	expect_who(i, "sub-1");
	assert_int_equal(i->call.expires_unix, 0);
	idp_fake_forget(i);
	i->call.token = STR("access-9");
	idp_fake_run(i, IDP_CHECK_ACCESS_TOKEN);
	idp_fake_expect(i, IDP_REFUSED, "");
}

static void test_access_token_for_somebody(void **state)
{
	static const struct str gate[] = { STR("gate") };
	const struct config_list audiences = { gate, 1 };
	const struct config_list nobody = { 0 };
	struct idp_fake *i = *state;

	i->call.audiences = &audiences;
	i->call.token = STR("access-0");
	idp_fake_run(i, IDP_CHECK_ACCESS_TOKEN); /* userinfo would take it, but it is no JWT */
	idp_fake_expect(i, IDP_REFUSED, "");
	idp_fake_forget(i);
	i->call.audiences = &audiences;
	check(i, IDP_CHECK_ACCESS_TOKEN, "other", 300);
	idp_fake_expect(i, IDP_REFUSED, "audience");
	idp_fake_forget(i);
	i->call.audiences = &nobody;
	check(i, IDP_CHECK_ACCESS_TOKEN, "gate", 300);
	idp_fake_expect(i, IDP_REFUSED, "audience");
	fetch_fixture_expect_diary(&i->f, "discovery keys ");
	idp_fake_forget(i);
	i->call.audiences = &audiences;
	check(i, IDP_CHECK_ACCESS_TOKEN, "gate", 300);
	/* It is for us; but userinfo, too, must know it. */
	idp_fake_expect(i, IDP_REFUSED, "userinfo");
	fetch_fixture_expect_diary(&i->f, "userinfo ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_workload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workload_with_discovery, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workload_with_new_key, set_up, tear_down),
		cmocka_unit_test(test_issuer_in_trouble),
		cmocka_unit_test_setup_teardown(test_id_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_access_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_access_token_for_somebody, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
