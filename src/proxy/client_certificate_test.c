/*
 * client_certificate_test.c - which CA a route asks for, what a certificate is worth there, and for how long
 */

#include "proxy/client_certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"
#include "tests/support/client_pki.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"

#define LIFE_S 1000

struct scene {
	struct test_issued root; /* of the whole gateway */
	struct test_issued own;  /* of one route */
	struct peer_certificate *good;
	struct peer_certificate *of_own;
	char *root_setting;
	char *own_setting;
	struct exchange_fixture f;
};

static struct peer_certificate *show(const struct test_issued *issuer)
{
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct peer_certificate *certificate = NULL;
	struct test_issued leaf;

	test_issue(&leaf, &(struct test_draft){
				  .name = "Ada",
				  .issuer = issuer,
				  .names = "DNS:a.example,email:ada@example.com,URI:spiffe://x/y",
				  .from_unix = FIXTURE_NOW - 10,
				  .until_unix = FIXTURE_NOW + LIFE_S });
	test_issued_write(&leaf, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &certificate, NULL), 0);
	test_issued_done(&leaf);
	buf_done(&pem);
	return certificate;
}

static char *as_setting(const struct test_issued *issued)
{
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct buf text = BUF_INIT(TEST_PKI_PEM_MAX);

	test_issued_write(issued, &pem);
	assert_int_equal(base64_encode(&text, BASE64_STANDARD, pem.data, pem.len), 0);
	buf_done(&pem);
	return buf_take_string(&text);
}

static int set_up(void **state)
{
	struct scene *s = mem_alloc(sizeof(*s));

	clock_fake_set_unix(FIXTURE_NOW);
	test_issue(&s->root, &(struct test_draft){ .name = "Root", .is_ca = true });
	test_issue(&s->own, &(struct test_draft){ .name = "Own", .is_ca = true });
	s->good = show(&s->root);
	s->of_own = show(&s->own);
	s->root_setting = as_setting(&s->root);
	s->own_setting = as_setting(&s->own);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	peer_certificate_unref(s->good);
	peer_certificate_unref(s->of_own);
	test_issued_done(&s->root);
	test_issued_done(&s->own);
	mem_free(s->root_setting);
	mem_free(s->own_setting);
	mem_free(s);
	return 0;
}

/* ---- of a configuration ---- */

/* A public route and one with a CA of its own; two of the latter if is_twice. Free the text. */
static char *settings_text(const char *mtls, const char *own_setting, bool is_twice)
{
	struct buf text = BUF_INIT(TEST_PKI_PEM_MAX);

	(void)buf_printf(&text,
			 "databroker_storage_type: memory\n" FIXTURE_LOGIN FIXTURE_USERS
			 "%sroutes:\n"
			 "- {from: tcp+https://any.example.com:1, to: tcp://10.0.0.1:1,\n"
			 "   allow_public_unauthenticated_access: true}\n"
			 "- {from: tcp+https://mine.example.com:1, to: tcp://10.0.0.2:1,\n"
			 "   allowed_users: [alice@example.com]}\n",
			 mtls);
	for (int i = 0; own_setting && i < 1 + is_twice; i++)
		(void)buf_printf(&text,
				 "- {from: tcp+https://own%d.example.com:1, to: tcp://10.0.0.3:1,\n"
				 "   allow_public_unauthenticated_access: true,\n"
				 "   tls_downstream_client_ca: %s}\n",
				 i, own_setting);
	assert_false(text.is_overflown);
	return buf_take_string(&text);
}

static char *mtls_text(const char *ca, const char *enforcement)
{
	struct buf text = BUF_INIT(TEST_PKI_PEM_MAX);

	(void)buf_printf(&text, "downstream_mtls:\n  enforcement: %s\n", enforcement);
	if (ca)
		(void)buf_printf(&text, "  ca: %s\n", ca);
	return buf_take_string(&text);
}

static struct config *load(const char *text)
{
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	if (config_parse(str_from(text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	report_done(&report);
	return config;
}

static void test_each_distinct_ca_once(void **state)
{
	const struct scene *s = *state;
	_cleanup_(mem_freep) char *mtls = mtls_text(s->root_setting, "policy");
	_cleanup_(mem_freep) char *text = settings_text(mtls, s->own_setting, true);
	struct config *config = load(text);
	struct report report = { 0 };
	struct client_cas cas;

	client_cas_init(&cas, config, &report);
	assert_int_equal(report.error_count, 0);
	assert_int_equal(cas.count, 2);
	assert_ptr_equal(cas.items[0], cas.global);
	assert_ptr_equal(client_cas_of_route(&cas, &config->routes[0]), cas.global);
	assert_ptr_equal(client_cas_of_route(&cas, &config->routes[2]), cas.items[1]);
	assert_ptr_equal(client_cas_of_route(&cas, &config->routes[3]), cas.items[1]);
	client_cas_done(&cas);
	report_done(&report);
	config_free(config);
}

static void test_any_ca_makes_the_rule_for_all(void **state)
{
	const struct scene *s = *state;
	const struct {
		const char *ca;
		const char *own;
		const char *enforcement;
		enum policy_certificate_rule rule;
	} cases[] = {
		{ NULL, NULL, "policy_with_default_deny", POLICY_CERTIFICATE_FREE },
		{ s->root_setting, NULL, "policy_with_default_deny", POLICY_CERTIFICATE_REQUIRED },
		{ s->root_setting, NULL, "reject_connection", POLICY_CERTIFICATE_REQUIRED },
		{ s->root_setting, s->own_setting, "policy", POLICY_CERTIFICATE_FREE },
		{ NULL, s->own_setting, "policy_with_default_deny", POLICY_CERTIFICATE_REQUIRED },
		{ NULL, s->own_setting, "policy", POLICY_CERTIFICATE_FREE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(mem_freep) char *mtls = mtls_text(cases[i].ca, cases[i].enforcement);
		_cleanup_(mem_freep) char *text = settings_text(mtls, cases[i].own, false);
		struct config *config = load(text);

		assert_int_equal(client_certificate_rule(config), cases[i].rule);
		config_free(config);
	}
}

static void test_plain_http_shows_none(void **state)
{
	const struct scene *s = *state;
	_cleanup_(mem_freep) char *text = settings_text("", s->own_setting, false);
	struct config *config = load(text);
	struct report report = { 0 };
	struct client_cas cas;

	config->listen.is_plain = true;
	client_cas_init(&cas, config, &report);
	assert_int_equal(report.error_count, 0);
	assert_int_equal(report.warning_count, 1);
	assert_string_equal(report.problems[0].text,
			    "downstream_mtls: with insecure_server no client can show a "
			    "certificate");
	client_cas_done(&cas);
	report_done(&report);
	config_free(config);
}

/* Strict settings that have no effect are not passed over. */
static void test_without_a_ca_nobody_is_asked(void **state)
{
	static const struct {
		const char *mtls;
		unsigned warnings;
	} rows[] = {
		{ "downstream_mtls: {ca: '', enforcement: reject_connection}\n", 1 },
		{ "downstream_mtls: {match_subject_alt_names: [{dns: a.example}]}\n", 1 },
		{ "downstream_mtls: {enforcement: policy}\n", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = settings_text(rows[i].mtls, NULL, false);
		struct config *config = load(text);
		struct report report = { 0 };
		struct client_cas cas;

		client_cas_init(&cas, config, &report);
		assert_int_equal(report.error_count, 0);
		assert_int_equal(report.warning_count, rows[i].warnings);
		if (rows[i].warnings)
			assert_string_equal(report.problems[0].text,
					    "downstream_mtls: without a ca, here or at a route, no "
					    "client is asked for a certificate");
		client_cas_done(&cas);
		report_done(&report);
		config_free(config);
		mem_free(text);
	}
}

/* A text that looks like PEM, and holds no certificate. */
static void test_what_is_wrong_is_told(void **state)
{
	static const char bad[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	const struct scene *s = *state;
	_cleanup_(mem_freep) char *mtls = mtls_text(s->root_setting, "policy");
	_cleanup_(mem_freep) char *text = settings_text(mtls, s->own_setting, false);
	struct config *config = load(text);
	struct config_route routes[3];
	struct report report = { 0 };
	struct client_cas cas;

	memcpy(routes, config->routes, sizeof(routes));
	routes[2].client_ca_pem = str_from(bad);
	routes[2].client_ca_at = (struct position){ "c.yaml", 22, 31 };
	config->routes = routes;
	config->tls.client_certificates.crl_pem = STR("");
	client_cas_init(&cas, config, &report);
	assert_int_equal(report.error_count, 1);
	assert_string_equal(
		report.problems[0].text,
		"c.yaml:22:31: routes[2].tls_downstream_client_ca: certificate 1 cannot "
		"be read: ASN1 lib");
	client_cas_done(&cas);
	report_done(&report);

	/* what all share is told once */
	report = (struct report){ 0 };
	config->tls.client_certificates.crl_pem = STR("nothing");
	config->tls.client_certificates.crl_at = (struct position){ "c.yaml", 10, 8 };
	routes[2].client_ca_pem = config->tls.client_certificates.ca_pem;
	routes[1].client_ca_pem = str_first(routes[2].client_ca_pem,
					    routes[2].client_ca_pem.len - 1);
	client_cas_init(&cas, config, &report);
	assert_int_equal(report.error_count, 1);
	assert_string_equal(
		report.problems[0].text,
		"c.yaml:10:8: downstream_mtls.crl: there is no revocation list in PEM form");
	client_cas_done(&cas);
	report_done(&report);
	config_free(config);
}

/* ---- of a request ---- */

static void begin(struct scene *s, const char *ca, const char *own, const char *enforcement)
{
	_cleanup_(mem_freep) char *mtls = mtls_text(ca, enforcement);
	_cleanup_(mem_freep) char *text = settings_text(mtls, own, false);

	exchange_fixture_init(&s->f, text);
}

static void connect_to(struct scene *s, const char *name, struct peer_certificate *certificate)
{
	s->f.connection.certificate = certificate; /* borrowed: the fake connection forgets it */
	exchange_fixture_sendf(&s->f, "CONNECT %s.example.com:1 HTTP/1.1\r\nHost: x\r\n\r\n", name);
}

static void expect_refusal(struct scene *s, int status)
{
	assert_int_equal(s->f.status, status);
	assert_true(str_equal(exchange_fixture_header(&s->f, "x-pomerium-reason"),
			      status == 495 ? STR("client-certificate-required")
					    : STR("login-required")));
}

static void expect_dialing(struct scene *s)
{
	assert_non_null(s->f.dial);
	exchange_abort(exchange_fixture_only(&s->f), "client-closed");
}

static void test_who_is_let_in(void **state)
{
	struct scene *s = *state;

	begin(s, s->root_setting, s->own_setting, "policy_with_default_deny");
	connect_to(s, "any", NULL);
	expect_refusal(s, 495);
	connect_to(s, "any", s->of_own);
	expect_refusal(s, 495);
	connect_to(s, "any", s->good);
	expect_dialing(s);
	connect_to(s, "own0", s->of_own);
	expect_dialing(s);
	connect_to(s, "own0", s->good);
	expect_refusal(s, 495);
	connect_to(s, "mine", NULL); /* before the login */
	expect_refusal(s, 495);
	connect_to(s, "mine", s->good);
	expect_refusal(s, 302);
	exchange_fixture_done(&s->f);
}

static void test_without_the_rule_all_are(void **state)
{
	struct scene *s = *state;

	begin(s, s->root_setting, s->own_setting, "policy");
	connect_to(s, "any", NULL);
	expect_dialing(s);
	connect_to(s, "any", s->of_own);
	expect_dialing(s);
	exchange_fixture_done(&s->f);
}

static void test_a_route_without_ca_checks_nothing(void **state)
{
	struct scene *s = *state;

	begin(s, NULL, s->own_setting, "policy_with_default_deny");
	connect_to(s, "any", NULL);
	expect_dialing(s);
	connect_to(s, "any", s->good);
	expect_dialing(s);
	connect_to(s, "own0", NULL);
	expect_refusal(s, 495);
	exchange_fixture_done(&s->f);
}

static void test_the_log_names_the_flaw(void **state)
{
	struct scene *s = *state;
	const char *log;

	begin(s, s->root_setting, NULL, "policy_with_default_deny");
	connect_to(s, "any", s->of_own);
	log = exchange_fixture_log(&s->f);
	assert_non_null(strstr(log, "\"client-certificate-problem\":\"untrusted\""));
	assert_non_null(strstr(log, "\"deny-why-true\":[\"invalid-client-certificate\"]"));
	connect_to(s, "any", NULL);
	log = exchange_fixture_log(&s->f);
	assert_null(strstr(log, "client-certificate-problem"));
	assert_non_null(strstr(log, "\"deny-why-true\":[\"client-certificate-required\"]"));
	exchange_fixture_done(&s->f);
}

static void test_facts(void **state)
{
	struct scene *s = *state;
	struct policy_certificate facts;
	struct exchange *x;
	int64_t until;

	begin(s, s->root_setting, NULL, "policy");
	connect_to(s, "any", s->good);
	x = exchange_fixture_only(&s->f);
	client_certificate_facts(x, &facts, &until);
	assert_true(facts.is_checked && facts.is_presented && facts.is_valid);
	assert_int_equal(until, FIXTURE_NOW + LIFE_S);
	assert_int_equal(facts.fingerprint.len, 64);
	assert_int_equal(facts.spki_hash.len, 44);
	assert_true(str_equal(facts.emails.items[0], STR("ada@example.com")));
	assert_true(str_equal(facts.dns_names.items[0], STR("a.example")));
	assert_true(str_equal(facts.uris.items[0], STR("spiffe://x/y")));
	assert_null(client_certificate_problem(x));

	clock_fake_set_unix(until);
	client_certificate_facts(x, &facts, &until);
	assert_true(facts.is_presented && !facts.is_valid);
	assert_int_equal(until, INT64_MAX);
	assert_string_equal(client_certificate_problem(x), "expired");
	expect_dialing(s);
	clock_fake_set_unix(FIXTURE_NOW);

	connect_to(s, "any", NULL);
	x = exchange_fixture_only(&s->f);
	client_certificate_facts(x, &facts, &until);
	assert_true(facts.is_checked && !facts.is_presented && !facts.is_valid);
	assert_int_equal(client_certificate_until(x), INT64_MAX);
	expect_dialing(s);
	exchange_fixture_done(&s->f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_distinct_ca_once),
		cmocka_unit_test(test_any_ca_makes_the_rule_for_all),
		cmocka_unit_test(test_plain_http_shows_none),
		cmocka_unit_test(test_without_a_ca_nobody_is_asked),
		cmocka_unit_test(test_what_is_wrong_is_told),
		cmocka_unit_test(test_who_is_let_in),
		cmocka_unit_test(test_without_the_rule_all_are),
		cmocka_unit_test(test_a_route_without_ca_checks_nothing),
		cmocka_unit_test(test_the_log_names_the_flaw),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
