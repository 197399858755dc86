/*
 * bearer_test.c - tokens of programs, at a gateway whose provider says what the test wants
 *
 * The functions of idp_service.h are the ones below.
 */

#include "proxy/bearer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "jose/jws.h"
#include "proxy/idp_service.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

#define ROUTE(name, more)                                                                          \
	"- from: tcp+https://" name ".example.com:6379\n"                                          \
	"  to: tcp://10.0.0.5:6379\n"                                                              \
	"  allowed_users: [ci/repo, sub-1]\n" more

#define JWT_SETTINGS                                                                               \
	"databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS "identity_providers:\n"    \
	"  ci: {issuer: 'https://ci.example.com', audiences: [gate]}\n"                            \
	"  cluster: {issuer: 'https://cluster.example.com', audiences: [gate]}\n"                  \
	"routes:\n" ROUTE("redis", "  bearer_token_format: jwt\n  identity_providers: [ci]\n")     \
		ROUTE("both", "  bearer_token_format: jwt\n"                                       \
			      "  identity_providers: [ci, cluster]\n") ROUTE("people", "")

#define IDP_SETTINGS(format)                                                                       \
	"databroker_storage_type: memory\n" FIXTURE_LOGIN                                          \
	"idp_provider: oidc\nidp_provider_url: https://idp.example.com\n"                          \
	"idp_client_id: gate\nidp_client_secret: hush\n"                                           \
	"bearer_token_format: " format "\nroutes:\n" ROUTE("redis", "")                            \
		ROUTE("strict", "  idp_access_token_allowed_audiences: [gate]\n")

/* What the provider says, and what it was asked last. */
struct idp_service {
	enum idp_result result;
	int64_t expires_unix;
	unsigned count;
	enum idp_verb verb;
	char issuer[64];
	bool has_audiences;
	char token[4096];
	struct idp_call *held; /* of a provider that takes its time */
	bool is_slow;
};

struct scene {
	struct exchange_fixture f;
	struct idp_service idps;
};

void idp_service_start(struct idp_service *s, struct idp_call *call)
{
	const struct identity who = {
		.user_id = call->issuer ? STR("ci/repo") : STR("sub-1"),
	};

	s->count++;
	s->verb = call->verb;
	s->has_audiences = call->audiences;
	(void)snprintf(s->token, sizeof(s->token), "%.*s", STR_FMT(call->token));
	(void)snprintf(s->issuer, sizeof(s->issuer), "%.*s",
		       STR_FMT(call->issuer ? call->issuer->name : STR("")));
	if (s->is_slow) {
		s->held = call;
		return;
	}
	call->result = s->result;
	if (s->result == IDP_DONE) {
		call->who = identity_new(&who);
		call->expires_unix = s->expires_unix;
	} else {
		(void)err_set(&call->error, ERR_PROTOCOL, "because of that");
	}
	call->on_done(call);
}

void idp_call_done(struct idp_call *call)
{
	arena_done(&call->arena);
	identity_unref(TAKE(call->who));
	snapshot_unref(TAKE(call->snapshot));
}

struct oidc_metadata *idp_service_metadata(struct idp_service *s, const struct idp *idp)
{
	(void)s;
	(void)idp;
	return NULL;
}

static void begin(struct scene *s, const char *settings)
{
	*s = (struct scene){ .idps = { .expires_unix = FIXTURE_NOW + 3600 } };
	exchange_fixture_init(&s->f, settings);
	clock_fake_set_ms(1000000);
	s->f.control.idps = &s->idps;
}

static char *make_token(const char *issuer)
{
	struct buf text = BUF_INIT(JWS_MAX);
	char payload[128];

	(void)snprintf(payload, sizeof(payload), "{\"iss\":\"%s\",\"sub\":\"repo\"}", issuer);
	assert_int_equal(jws_sign_hs256(STR("whatever"), str_from(payload), &text, NULL), 0);
	return buf_take_string(&text);
}

/* How a CONNECT ends: 200 stands for being let through. */
static int connect_with(struct scene *s, const char *name, const char *headers)
{
	exchange_fixture_sendf(&s->f,
			       "CONNECT %s.example.com:6379 HTTP/1.1\r\n"
			       "Host: %s.example.com:6379\r\n%s\r\n",
			       name, name, headers);
	if (!s->f.dial)
		return s->f.status;
	exchange_fixture_dial_fails(&s->f, ERR_REFUSED);
	exchange_fixture_settle(&s->f);
	return 200;
}

static int show(struct scene *s, const char *name, const char *token)
{
	char headers[4096];

	(void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
	return connect_with(s, name, headers);
}

static void pass_time(unsigned seconds)
{
	clock_fake_advance_ms(seconds * 1000);
}

static void test_asked_once(void **state)
{
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	assert_int_equal(show(&s, "redis", token), 200);
	assert_int_equal(s.idps.verb, IDP_CHECK_WORKLOAD);
	assert_string_equal(s.idps.issuer, "ci");
	assert_string_equal(s.idps.token, token);
	assert_non_null(strstr(exchange_fixture_log(&s.f), "\"user\":\"ci/repo\""));
	pass_time(BEARER_KEEP_S - 1);
	assert_int_equal(show(&s, "redis", token), 200);
	assert_int_equal(s.idps.count, 1);
	pass_time(1);
	assert_int_equal(show(&s, "redis", token), 200);
	assert_int_equal(s.idps.count, 2);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

static void test_not_longer_than_the_token(void **state)
{
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	s.idps.expires_unix = FIXTURE_NOW + 10;
	assert_int_equal(show(&s, "redis", token), 200);
	s.idps.result = IDP_REFUSED;
	pass_time(10 + 60 - 1); /* clocks may differ */
	assert_int_equal(show(&s, "redis", token), 200);
	pass_time(1);
	assert_int_equal(show(&s, "redis", token), 403);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

static void test_refused(void **state)
{
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	s.idps.result = IDP_REFUSED;
	assert_int_equal(show(&s, "redis", token), 403);
	assert_true(str_equal(exchange_fixture_header(&s.f, "x-pomerium-reason"), STR("denied")));
	assert_non_null(strstr(exchange_fixture_log(&s.f), "because of that"));
	assert_int_equal(show(&s, "redis", token), 403);
	assert_int_equal(s.idps.count, 1);
	assert_null(strstr(exchange_fixture_log(&s.f), token));
	s.idps.result = IDP_DONE;
	pass_time(BEARER_KEEP_REFUSED_S);
	assert_int_equal(show(&s, "redis", token), 200);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

/* Nothing is known then, so nothing is remembered. */
static void test_unavailable(void **state)
{
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	s.idps.result = IDP_UNAVAILABLE;
	assert_int_equal(show(&s, "redis", token), 503);
	s.idps.result = IDP_DONE;
	assert_int_equal(show(&s, "redis", token), 200);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

static void test_refused_without_asking(void **state)
{
	static const char *const issuers[] = { "https://cluster.example.com",
					       "https://ci.example.com/", "" };
	static const char *const junk[] = { "x", "a.b.c", "e30.e30.", "a b", "\xff" };
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	for (size_t i = 0; i < ARRAY_LEN(issuers); i++) {
		char *token = make_token(issuers[i]);

		assert_int_equal(show(&s, "redis", token), 403);
		mem_free(token);
	}
	for (size_t i = 0; i < ARRAY_LEN(junk); i++)
		assert_int_equal(show(&s, "redis", junk[i]), 403);
	assert_int_equal(s.idps.count, 0);
	exchange_fixture_done(&s.f);
}

static void test_not_for_us(void **state)
{
	static const char *const headers[] = { "Authorization: Bearer Pomerium-a.b.c\r\n",
					       "Authorization: Basic eDp5\r\n",
					       "Authorization: Bearer\r\n",
					       "Authorization: Bearers a.b.c\r\n", "" };
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_int_not_equal(connect_with(&s, "redis", headers[i]), 403);
	assert_int_equal(show(&s, "people", token), 302);
	assert_int_equal(s.idps.count, 0);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

static void test_cookie_and_token(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	assert_int_equal(
		connect_with(&s, "redis", "Cookie: _pomerium=x\r\nAuthorization: Bearer a.b.c\r\n"),
		400);
	exchange_fixture_done(&s.f);
	begin(&s, IDP_SETTINGS("idp_identity_token"));
	assert_int_equal(
		connect_with(&s, "redis", "Cookie: _pomerium=x\r\nAuthorization: Bearer a.b.c\r\n"),
		200);
	exchange_fixture_done(&s.f);
}

static void test_identity_token(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, IDP_SETTINGS("idp_identity_token"));
	assert_int_equal(show(&s, "redis", "a.b.c"), 200);
	assert_int_equal(s.idps.verb, IDP_CHECK_ID_TOKEN);
	assert_int_equal(show(&s, "redis", "a.b.c"), 200);
	assert_int_equal(s.idps.count, 1);
	exchange_fixture_done(&s.f);
}

/* The answer comes when nobody waits for it any more. */
static void test_client_leaves(void **state)
{
	char *token = make_token("https://ci.example.com");
	struct scene s;

	(void)state;
	begin(&s, JWT_SETTINGS);
	s.idps.is_slow = true;
	s.f.is_held = true;
	assert_int_equal(show(&s, "redis", token), 0);
	while (!s.idps.held)
		loop_turn(s.f.worker.loop, true);
	exchange_abort(exchange_fixture_only(&s.f), "client-reset");
	s.idps.held->result = IDP_REFUSED;
	s.idps.held->on_done(s.idps.held);
	exchange_fixture_settle(&s.f);
	assert_int_equal(s.f.answer_count, 0);
	exchange_fixture_done(&s.f);
	mem_free(token);
}

/* What one route takes says nothing about another. */
static void test_access_token(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, IDP_SETTINGS("idp_access_token"));
	s.idps.expires_unix = 0;
	assert_int_equal(connect_with(&s, "redis", "Authorization: bEARER opaque\r\n"), 200);
	assert_int_equal(s.idps.verb, IDP_CHECK_ACCESS_TOKEN);
	assert_false(s.idps.has_audiences);
	s.idps.result = IDP_REFUSED;
	assert_int_equal(show(&s, "strict", "opaque"), 403);
	assert_true(s.idps.has_audiences);
	pass_time(BEARER_KEEP_ACCESS_S - 1);
	assert_int_equal(show(&s, "redis", "opaque"), 200);
	pass_time(1);
	assert_int_equal(show(&s, "redis", "opaque"), 403);
	exchange_fixture_done(&s.f);
}

static void test_settings_that_change(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, IDP_SETTINGS("idp_access_token"));
	assert_int_equal(show(&s, "redis", "a.b.c"), 200);
	exchange_fixture_reload(&s.f, IDP_SETTINGS("idp_identity_token"));
	s.idps.result = IDP_REFUSED;
	assert_int_equal(show(&s, "redis", "a.b.c"), 403);
	assert_int_equal(s.idps.count, 2);
	exchange_fixture_done(&s.f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_once),
		cmocka_unit_test(test_not_longer_than_the_token),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unavailable),
		cmocka_unit_test(test_refused_without_asking),
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_cookie_and_token),
		cmocka_unit_test(test_identity_token),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_access_token),
		cmocka_unit_test(test_settings_that_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
