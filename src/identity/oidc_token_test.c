#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "identity/oidc_token.h"
#include "identity/token_testing.h"
#include "jose/jws.h"

#define NOW 1700000000

static const struct member {
	const char *name;
	const char *value;
} usual[] = {
	{ "iss", "\"https://idp.example.com\"" },
	{ "aud", "\"client\"" },
	{ "sub", "\"u1\"" },
	{ "exp", "1700000300" },
	{ "iat", "1700000000" },
	{ "nonce", "\"n1\"" },
};

struct scene {
	struct test_issuer issuer;
	struct oidc_client client;
	struct oidc_metadata metadata;
	struct oidc_id_token_rules rules;
	struct arena arena;
};

static void scene_init(struct scene *s)
{
	*s = (struct scene){
		.client = { .provider = provider_find(STR("oidc")),
			    .url = STR("https://idp.example.com"),
			    .client_id = STR("client") },
		.metadata = { .issuer = STR("https://idp.example.com"),
			      .id_token_algorithms = 1u << JWS_ES256 },
	};
	test_issuer_init(&s->issuer, "idp");
	s->rules = (struct oidc_id_token_rules){
		.client = &s->client,
		.metadata = &s->metadata,
		.keys = s->issuer.keys,
		.nonce = STR("n1"),
		.now_unix = NOW,
	};
}

static void scene_done(struct scene *s)
{
	test_issuer_done(&s->issuer);
	arena_done(&s->arena);
}

/* The usual payload with one member of another value (NULL: without it), and something more at the end. */
static struct str payload_with(const char *name, const char *value, const char *more,
			       struct arena *arena)
{
	struct str text = arena_printf(arena, "{\"x\":1");

	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		bool is_other = name && strcmp(usual[i].name, name) == 0;
		const char *now = is_other ? value : usual[i].value;

		if (now)
			text = arena_printf(arena, "%.*s,\"%s\":%s", STR_FMT(text), usual[i].name,
					    now);
	}
	return arena_printf(arena, "%.*s%s}", STR_FMT(text), more ? more : "");
}

static enum jwt_verdict verify(struct scene *s, struct str token, struct claims *ret, struct err *e)
{
	return oidc_id_token_verify(&s->rules, token, &s->arena, ret, e);
}

static enum jwt_verdict verify_payload(struct scene *s, struct str payload, struct err *e)
{
	struct claims claims;

	return verify(s, test_issuer_sign(&s->issuer, payload, &s->arena), &claims, e);
}

static void assert_taken(struct scene *s, struct str payload)
{
	struct err e = { 0 };

	if (verify_payload(s, payload, &e) != JWT_GENUINE)
		fail_msg("%.*s: %s", STR_FMT(payload), e.text);
}

static void assert_refused(struct scene *s, struct str payload, const char *reason)
{
	struct err e = { 0 };

	if (verify_payload(s, payload, &e) != JWT_REFUSED)
		fail_msg("accepted: %.*s", STR_FMT(payload));
	if (!strstr(e.text, reason))
		fail_msg("%.*s: \"%s\" does not say \"%s\"", STR_FMT(payload), e.text, reason);
}

static void test_genuine(void **state)
{
	struct scene s;
	struct claims claims;
	struct str payload;

	scene_init(&s);
	payload = payload_with(NULL, NULL, ",\"email\":\"a@b\",\"r\":{\"s\":[1]}", &s.arena);
	assert_int_equal(verify(&s, test_issuer_sign(&s.issuer, payload, &s.arena), &claims, NULL),
			 JWT_GENUINE);
	assert_true(str_equal(claims_text(&claims, STR("email")), STR("a@b")));
	assert_true(str_equal(claims_text(&claims, STR("r.s")), STR("1")));
	assert_true(str_equal(claims_text(&claims, STR("sub")), STR("u1")));
	assert_int_equal(oidc_id_token_expiry(&claims), NOW + 300);
	scene_done(&s);
}

static void test_members_taken(void **state)
{
	static const struct member cases[] = {
		{ "aud", "[\"client\"]" },
		{ "exp", "1700000000" },
		{ "exp", "1699999941" },
		{ "exp", "1.7000003e9" },
		{ "exp", "1700000300.75" },
		{ "iat", "1700000060" },
		{ "iat", "0" },
		{ "iat", "1699999999.9" },
	};
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_taken(&s, payload_with(cases[i].name, cases[i].value, NULL, &s.arena));
	assert_taken(&s, payload_with(NULL, NULL, ",\"nbf\":1700000060", &s.arena));
	assert_taken(&s, payload_with(NULL, NULL, ",\"azp\":\"client\"", &s.arena));
	assert_taken(
		&s, payload_with("aud", "[\"other\",\"client\"]", ",\"azp\":\"client\"", &s.arena));
	scene_done(&s);
}

static void test_members_refused(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		const char *reason;
	} cases[] = {
		{ "iss", NULL, "no issuer" },
		{ "iss", "1", "no issuer" },
		{ "iss", "[\"https://idp.example.com\"]", "no issuer" },
		{ "iss", "\"https://idp.example.com/\"", "another issuer" },
		{ "iss", "\"https://evil.example.com\"", "another issuer" },
		{ "iss", "\"https://IDP.example.com\"", "another issuer" },
		{ "iss", "\"\"", "another issuer" },
		{ "aud", NULL, "no audience" },
		{ "aud", "1", "no audience" },
		{ "aud", "{\"client\":1}", "no audience" },
		{ "aud", "[]", "another audience" },
		{ "aud", "\"Client\"", "another audience" },
		{ "aud", "\"client2\"", "another audience" },
		{ "aud", "\"\"", "another audience" },
		{ "aud", "[\"other\"]", "another audience" },
		{ "aud", "[\"client\",1]", "not text" },
		{ "aud", "[\"client\",[\"client\"]]", "not text" },
		{ "aud", "[\"client\",\"other\"]", "no authorized party" },
		{ "aud", "[\"client\",\"client\"]", "no authorized party" },
		{ "sub", NULL, "no subject" },
		{ "sub", "\"\"", "no subject" },
		{ "sub", "1", "no subject" },
		{ "sub", "[\"u1\"]", "no subject" },
		{ "exp", NULL, "no \"exp\"" },
		{ "exp", "null", "not a time" },
		{ "exp", "\"1700000300\"", "not a time" },
		{ "exp", "-1", "not a time" },
		{ "exp", "1e300", "not a time" },
		{ "exp", "9223372036854775807", "not a time" },
		{ "exp", "[1700000300]", "not a time" },
		{ "exp", "true", "not a time" },
		{ "exp", "1e999", "too large" },
		{ "exp", "99999999999999999999", "too large" },
		{ "exp", "1699999940", "expired" },
		{ "exp", "1699999940.5", "expired" },
		{ "exp", "0", "expired" },
		{ "iat", NULL, "no \"iat\"" },
		{ "iat", "\"now\"", "not a time" },
		{ "iat", "-5", "not a time" },
		{ "iat", "1700000061", "in the future" },
		{ "iat", "1700000000000", "not a time" },
		{ "nonce", NULL, "nonce" },
		{ "nonce", "\"\"", "nonce" },
		{ "nonce", "\"n2\"", "nonce" },
		{ "nonce", "\"n1 \"", "nonce" },
		{ "nonce", "1", "nonce" },
		{ "nonce", "[\"n1\"]", "nonce" },
	};
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(&s, payload_with(cases[i].name, cases[i].value, NULL, &s.arena),
			       cases[i].reason);
	scene_done(&s);
}

static void test_more_members_refused(void **state)
{
	static const struct {
		const char *more;
		const char *reason;
	} cases[] = {
		{ ",\"nbf\":1700000061", "not valid yet" },
		{ ",\"nbf\":\"0\"", "not a time" },
		{ ",\"azp\":\"other\"", "another client" },
		{ ",\"azp\":1", "another client" },
		{ ",\"azp\":null", "another client" },
		{ ",\"azp\":[\"client\"]", "another client" },
		{ ",\"sub\":\"u2\"", "twice" },
		{ ",\"aud\":\"client\"", "twice" },
		{ ",\"e\\u006dail\":\"a@b\",\"email\":\"c@d\"", "twice" },
		{ ",\"a\":\"\xff\"", "not valid JSON" },
		{ ",\"a\":\"\\u0000\"", "not valid JSON" },
		{ ",\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":{\"j\":{\"k\":"
		  "{\"l\":{\"m\":{\"n\":{\"o\":{\"p\":{}}}}}}}}}}}}}}}}",
		  "deeper" },
	};
	struct scene s;

	scene_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(&s, payload_with(NULL, NULL, cases[i].more, &s.arena),
			       cases[i].reason);
	assert_refused(&s, STR("[]"), "not a JSON object");
	assert_refused(&s, STR("not JSON"), "not valid JSON");
	scene_done(&s);
}

/* After a refresh there is no nonce, but the user must be the same. */
static void test_rules_of_a_refresh(void **state)
{
	struct scene s;

	scene_init(&s);
	s.rules.nonce = STR("");
	s.rules.subject = STR("u1");
	assert_taken(&s, payload_with("nonce", NULL, NULL, &s.arena));
	assert_taken(&s, payload_with(NULL, NULL, NULL, &s.arena));
	assert_refused(&s, payload_with("sub", "\"u2\"", NULL, &s.arena), "another user");
	assert_refused(&s, payload_with("sub", "\"u1 \"", NULL, &s.arena), "another user");
	scene_done(&s);
}

static void assert_verdict(struct scene *s, struct str token, enum jwt_verdict should)
{
	struct claims claims = { .count = 77 };
	struct err e = { 0 };

	assert_int_equal(verify(s, token, &claims, &e), should);
	assert_int_not_equal(e.kind, ERR_NONE);
	assert_int_equal(claims.count, 77);
}

static void test_signatures(void **state)
{
	struct test_issuer other;
	struct buf hs256 = BUF_INIT(JWS_MAX);
	struct scene s;
	struct str payload;
	struct str token;
	char *broken;

	scene_init(&s);
	test_issuer_init(&other, "somebody else");
	payload = payload_with(NULL, NULL, NULL, &s.arena);
	assert_verdict(&s, test_issuer_sign(&other, payload, &s.arena), JWT_KEY_UNKNOWN);
	assert_verdict(&s, test_token(STR("{\"alg\":\"none\"}"), payload, STR(""), &s.arena),
		       JWT_REFUSED);
	assert_verdict(&s, test_token(STR("{\"alg\":\"none\"}"), payload, STR("x"), &s.arena),
		       JWT_REFUSED);
	assert_verdict(&s, test_token(STR("{\"alg\":\"None\"}"), payload, STR("x"), &s.arena),
		       JWT_REFUSED);
	assert_int_equal(jws_sign_hs256(STR("client secret"), payload, &hs256, NULL), 0);
	assert_verdict(&s, buf_view(&hs256), JWT_REFUSED);
	assert_verdict(&s, STR(""), JWT_REFUSED);
	assert_verdict(&s, STR("a.b.c"), JWT_REFUSED);
	assert_verdict(&s, STR("a.b.c.d.e"), JWT_REFUSED);

	token = test_issuer_sign(&s.issuer, payload, &s.arena);
	broken = str_copy(token);
	broken[token.len - 5] = broken[token.len - 5] == 'A' ? 'B' : 'A';
	assert_verdict(&s, str_from(broken), JWT_REFUSED);
	mem_free(broken);
	s.metadata.id_token_algorithms = 1u << JWS_RS256; /* ES256 is not listed */
	assert_verdict(&s, token, JWT_REFUSED);
	s.metadata.id_token_algorithms = 0;
	assert_verdict(&s, token, JWT_REFUSED);
	test_issuer_done(&other);
	buf_done(&hs256);
	scene_done(&s);
}

/* One discovery document for all tenants of Azure: the issuer is that of the token's tenant. */
static void test_tenants(void **state)
{
	static const char issuer[] = "\"https://login.microsoftonline.com/72f9-88bf/v2.0\"";
	static const struct {
		const char *more;
		bool is_taken;
	} cases[] = {
		{ ",\"tid\":\"72f9-88bf\"", true },
		{ "", false },
		{ ",\"tid\":\"\"", false },
		{ ",\"tid\":\"other\"", false },
		{ ",\"tid\":1", false },
		{ ",\"tid\":\"72f9-88bf/v2.0\"", false },
	};
	struct scene s;

	scene_init(&s);
	s.metadata.issuer = STR("https://login.microsoftonline.com/{tenantid}/v2.0");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str payload = payload_with("iss", issuer, cases[i].more, &s.arena);
		enum jwt_verdict verdict = verify_payload(&s, payload, NULL);

		assert_int_equal(verdict, cases[i].is_taken ? JWT_GENUINE : JWT_REFUSED);
	}
	/* A tenant cannot be more than a name. */
	assert_refused(&s,
		       payload_with("iss", "\"https://login.microsoftonline.com/a/../b/v2.0\"",
				    ",\"tid\":\"a/../b\"", &s.arena),
		       "no tenant");
	assert_refused(&s,
		       payload_with("iss", "\"https://login.microsoftonline.com/{tenantid}/v2.0\"",
				    ",\"tid\":\"{tenantid}\"", &s.arena),
		       "no tenant");
	scene_done(&s);
}

static void test_expiry(void **state)
{
	static const struct {
		const char *json;
		int64_t should;
	} cases[] = {
		{ "{\"exp\":1700000300}", 1700000300 },
		{ "{\"exp\":1700000300.75}", 1700000300 },
		{ "{\"exp\":[1700000300]}", 1700000300 },
		{ "{}", 0 },
		{ "{\"exp\":null}", 0 },
		{ "{\"exp\":-5}", 0 },
		{ "{\"exp\":1e300}", 0 },
		{ "{\"exp\":\"soon\"}", 0 },
		{ "{\"exp\":\"nan\"}", 0 },
		{ "{\"exp\":\"inf\"}", 0 },
		{ "{\"exp\":\"1 2\"}", 0 },
		{ "{\"exp\":\"\"}", 0 },
		{ "{\"exp\":\"11111111111111111111111111111111111111\"}", 0 },
		{ "{\"exp\":[1,2]}", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = { 0 };
		struct claims claims;

		assert_int_equal(claims_parse(str_from(cases[i].json), &arena, &claims, NULL), 0);
		assert_int_equal(oidc_id_token_expiry(&claims), cases[i].should);
		arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_members_taken),
		cmocka_unit_test(test_members_refused),
		cmocka_unit_test(test_more_members_refused),
		cmocka_unit_test(test_rules_of_a_refresh),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_tenants),
		cmocka_unit_test(test_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
