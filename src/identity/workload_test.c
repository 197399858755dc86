#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "identity/token_testing.h"
#include "identity/workload.h"
#include "jose/jws.h"

#define NOW 1700000000

static const struct str audiences[] = { STR("https://gate.example.com"), STR("gate") };

static const struct workload_issuer ci = {
	.name = STR("ci"),
	.issuer = STR("https://token.ci.example.com"),
	.algorithms = 1u << JWS_ES256,
	.audiences = audiences,
	.audience_count = ARRAY_LEN(audiences),
};

#define ISS "\"iss\":\"https://token.ci.example.com\","
#define AUD "\"aud\":\"gate\","
#define SUB "\"sub\":\"repo:org/app:ref:main\","
#define EXP "\"exp\":1700000300"

struct scene {
	struct test_issuer issuer;
	struct arena arena;
	struct identity who;
	int64_t expires_unix;
	struct err e;
};

static void scene_init(struct scene *s)
{
	*s = (struct scene){ .expires_unix = 77 };
	test_issuer_init(&s->issuer, "ci");
}

static void scene_done(struct scene *s)
{
	test_issuer_done(&s->issuer);
	arena_done(&s->arena);
}

static enum jwt_verdict verify(struct scene *s, struct str token)
{
	const struct workload_rules rules = {
		.issuer = &ci,
		.keys = s->issuer.keys,
		.now_unix = NOW,
	};

	return workload_verify(&rules, token, &s->arena, &s->who, &s->expires_unix, &s->e);
}

static enum jwt_verdict verify_payload(struct scene *s, const char *payload)
{
	return verify(s, test_issuer_sign(&s->issuer, str_from(payload), &s->arena));
}

static void assert_text(struct str is, const char *should)
{
	if (!str_equal(is, str_from(should)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(is), should);
}

static void test_genuine(void **state)
{
	struct scene s;

	scene_init(&s);
	assert_int_equal(verify_payload(&s,
					"{" ISS AUD SUB EXP
					",\"iat\":1700000000,\"nbf\":1700000000,\"name\":\"CI\","
					"\"groups\":[\"g\"],\"kubernetes.io\":{\"pod\":"
					"{\"name\":\"p\"}}}"),
			 JWT_GENUINE);
	assert_text(s.who.user_id, "ci/repo:org/app:ref:main");
	assert_text(s.who.name, "CI");
	assert_text(s.who.email, "");
	assert_int_equal(s.who.group_count, 1);
	assert_text(claims_text(&s.who.claims, STR("kubernetes.io.pod.name")), "p");
	assert_int_equal(s.expires_unix, NOW + 300);
	scene_done(&s);
}

static void test_audiences(void **state)
{
	struct scene s;

	scene_init(&s);
	assert_int_equal(verify_payload(&s, "{" ISS SUB EXP ",\"aud\":[\"x\",\"gate\"]}"),
			 JWT_GENUINE);
	assert_int_equal(
		verify_payload(&s, "{" ISS SUB EXP ",\"aud\":\"https://gate.example.com\"}"),
		JWT_GENUINE);
	scene_done(&s);
}

/* "oid" is for users of the identity provider; here it must not replace the subject. */
static void test_user_id_is_the_subject(void **state)
{
	struct scene s;

	scene_init(&s);
	assert_int_equal(verify_payload(&s, "{" ISS AUD SUB EXP ",\"oid\":\"admin\"}"),
			 JWT_GENUINE);
	assert_text(s.who.user_id, "ci/repo:org/app:ref:main");
	scene_done(&s);
}

static void test_email_needs_proof(void **state)
{
	static const struct {
		const char *payload;
		const char *should;
	} cases[] = {
		{ "{" ISS AUD SUB EXP ",\"email\":\"a@b\"}", "" },
		{ "{" ISS AUD SUB EXP ",\"email\":\"a@b\",\"email_verified\":false}", "" },
		{ "{" ISS AUD SUB EXP ",\"email\":\"a@b\",\"email_verified\":true}", "a@b" },
		{ "{" ISS AUD SUB EXP ",\"email\":\"a@b\",\"email_verified\":\"true\"}", "a@b" },
		{ "{" ISS AUD SUB EXP ",\"email\":\"a@b@c\",\"email_verified\":true}", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;

		scene_init(&s);
		assert_int_equal(verify_payload(&s, cases[i].payload), JWT_GENUINE);
		assert_text(s.who.email, cases[i].should);
		scene_done(&s);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *payload;
		const char *reason;
	} cases[] = {
		{ "{" AUD SUB EXP "}", "no issuer" },
		{ "{\"iss\":\"https://token.ci.example.com/\"," AUD SUB EXP "}", "another issuer" },
		{ "{" ISS SUB EXP "}", "no audience" },
		{ "{" ISS "\"aud\":\"other\"," SUB EXP "}", "another audience" },
		{ "{" ISS "\"aud\":[]," SUB EXP "}", "another audience" },
		{ "{" ISS AUD EXP "}", "no subject" },
		{ "{" ISS AUD "\"sub\":\"\"," EXP "}", "no subject" },
		{ "{" ISS AUD "\"sub\":\"a\\nb\"," EXP "}", "no user id" },
		{ "{" ISS AUD "\"sub\":\"a\"}", "no \"exp\"" },
		{ "{" ISS AUD SUB "\"exp\":1699999940}", "expired" },
		{ "{" ISS AUD SUB EXP ",\"nbf\":1700000061}", "not valid yet" },
		{ "{" ISS AUD SUB EXP ",\"iat\":1700000061}", "in the future" },
		{ "{" ISS AUD SUB EXP ",\"iat\":\"x\"}", "not a time" },
		{ "{" ISS ISS AUD SUB EXP "}", "twice" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scene s;

		scene_init(&s);
		if (verify_payload(&s, cases[i].payload) != JWT_REFUSED)
			fail_msg("accepted: %s", cases[i].payload);
		if (!strstr(s.e.text, cases[i].reason))
			fail_msg("%s: %s", cases[i].payload, s.e.text);
		assert_int_equal(s.expires_unix, 77);
		assert_int_equal(s.who.user_id.len, 0);
		scene_done(&s);
	}
}

static void test_signatures(void **state)
{
	static const struct str payload = STR("{" ISS AUD SUB EXP "}");
	struct buf hs256 = BUF_INIT(JWS_MAX);
	struct test_issuer other;
	struct scene s;

	scene_init(&s);
	test_issuer_init(&other, "another one");
	assert_int_equal(verify(&s, test_issuer_sign(&other, payload, &s.arena)), JWT_KEY_UNKNOWN);
	assert_int_equal(
		verify(&s, test_token(STR("{\"alg\":\"none\"}"), payload, STR("x"), &s.arena)),
		JWT_REFUSED);
	assert_int_equal(jws_sign_hs256(STR("key"), payload, &hs256, NULL), 0);
	assert_int_equal(verify(&s, buf_view(&hs256)), JWT_REFUSED);
	assert_int_equal(verify(&s, STR("")), JWT_REFUSED);
	assert_int_equal(s.expires_unix, 77);
	buf_done(&hs256);
	test_issuer_done(&other);
	scene_done(&s);
}

static void test_algorithm_must_be_allowed(void **state)
{
	struct workload_issuer issuer = ci;
	struct scene s;
	struct str token;

	scene_init(&s);
	issuer.algorithms = JWS_ALGORITHMS_ALL & ~(1u << JWS_ES256);
	token = test_issuer_sign(&s.issuer, STR("{" ISS AUD SUB EXP "}"), &s.arena);
	assert_int_equal(workload_verify(&(struct workload_rules){ .issuer = &issuer,
								   .keys = s.issuer.keys,
								   .now_unix = NOW },
					 token, &s.arena, &s.who, &s.expires_unix, &s.e),
			 JWT_REFUSED);
	scene_done(&s);
}

static void test_peek(void **state)
{
	struct arena arena = { 0 };
	static const struct {
		struct str payload;
		const char *should;
	} cases[] = {
		{ STR("{" ISS SUB EXP "}"), "https://token.ci.example.com" },
		{ STR("{\"iss\":1}"), "" },
		{ STR("{\"iss\":\"a\",\"iss\":\"b\"}"), "" },
		{ STR("{}"), "" },
		{ STR("[]"), "" },
		{ STR("x"), "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_text(
			workload_peek_issuer(
				test_token(STR("{}"), cases[i].payload, STR("s"), &arena), &arena),
			cases[i].should);
	assert_text(workload_peek_issuer(STR(""), &arena), "");
	assert_text(workload_peek_issuer(STR("a.b"), &arena), "");
	assert_text(workload_peek_issuer(STR("e30.e30=.e30"), &arena), "");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_audiences),
		cmocka_unit_test(test_user_id_is_the_subject),
		cmocka_unit_test(test_email_needs_proof),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_algorithm_must_be_allowed),
		cmocka_unit_test(test_peek),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
