#include "tls/peer_certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/client_pki.h"
#include "tls/peer_certificate_x509.h"

static struct peer_certificate *parse(const struct test_draft *draft)
{
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct peer_certificate *certificate = NULL;
	struct test_issued issued;
	struct err e = { 0 };

	test_issue(&issued, draft);
	test_issued_write(&issued, &pem);
	if (peer_certificate_parse(buf_view(&pem), &certificate, &e) < 0)
		fail_msg("%s", e.text);
	buf_done(&pem);
	test_issued_done(&issued);
	return certificate;
}

static void expect_names(const struct peer_certificate_facts *facts, enum peer_name_kind kind,
			 const char *first, const char *second)
{
	const struct peer_names *names = &facts->names[kind];
	const char *expected[] = { first, second };
	size_t count = (first != NULL) + (second != NULL);

	assert_int_equal(names->count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal(names->items[i], str_from(expected[i])));
}

static void test_tells_what_is_written_in_it(void **state)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = NULL;
	const struct peer_certificate_facts *facts;

	certificate = parse(&(struct test_draft){
		.name = "Ada\nL\xc3\xb6velace",
		.from_unix = 1700000000,
		.until_unix = 1800000000,
		.names = "DNS:a.example,DNS:B.example,email:Ada@example.com,IP:192.0.2.1,"
			 "IP:2001:db8::1,URI:spiffe://x/y,otherName:msUPN;UTF8:ada@corp,"
			 "otherName:1.2.3.4;UTF8:other,RID:1.2.3",
	});
	facts = peer_certificate_facts(certificate);
	expect_names(facts, PEER_NAME_DNS, "a.example", "B.example");
	expect_names(facts, PEER_NAME_EMAIL, "Ada@example.com", NULL);
	expect_names(facts, PEER_NAME_IP, "192.0.2.1", "2001:db8::1");
	expect_names(facts, PEER_NAME_URI, "spiffe://x/y", NULL);
	expect_names(facts, PEER_NAME_UPN, "ada@corp", NULL);
	assert_int_equal(facts->not_before_unix, 1700000000);
	assert_int_equal(facts->not_after_unix, 1800000000);
	assert_true(str_is_printable_ascii(facts->subject));
	assert_true(str_starts_with(facts->subject, STR("CN=Ada\\0AL\\")));
	assert_true(facts->serial.len > 0);
}

/* Made by the openssl program, as are the values below. */
static const char foreign_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBcjCCARegAwIBAgIUDjWuX5xiT5A9sG93rpPFicsyijowCgYIKoZIzj0EAwIw\n"
	"DjEMMAoGA1UEAwwDQWRhMB4XDTI2MTEyNDExNTc1NVoXDTI2MTIyNDExNTc1NVow\n"
	"DjEMMAoGA1UEAwwDQWRhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEehFB7FOV\n"
	"0Em5YOFhCf6UmlgutAdCCFJGUDoT/7GyBw8z1nb2h/FObCqZehKybnNrpbYGHUyF\n"
	"2PoDezGeM+EMQ6NTMFEwHQYDVR0OBBYEFEbXTMzg+ABoFYROc3SV2W5wjJJUMB8G\n"
	"A1UdIwQYMBaAFEbXTMzg+ABoFYROc3SV2W5wjJJUMA8GA1UdEwEB/wQFMAMBAf8w\n"
	"CgYIKoZIzj0EAwIDSQAwRgIhANsF44othySsguTv3vsN5s4e3GnkeOsNaapDHMbU\n"
	"k9qSAiEA2G3SoO0oOiVjtzg0wP7H9ptrK2JfTnRKi2ygB0X8/rk=\n"
	"-----END CERTIFICATE-----\n";

static void test_hashes_as_others_do(void **state)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = NULL;
	const struct peer_certificate_facts *facts;

	assert_int_equal(peer_certificate_parse(str_from(foreign_pem), &certificate, NULL), 0);
	facts = peer_certificate_facts(certificate);
	assert_true(
		str_equal(facts->fingerprint,
			  STR("834765e3fea82fbf725a530e27fe95374bf858edfc76f6fb04418a24a698bc8f")));
	assert_true(
		str_equal(facts->spki_hash, STR("VfmU9leM+Wg+zQrtn0ALy9lR/yspHZCUtTa8XRPGuG0=")));
	assert_true(str_equal(facts->serial, STR("0e35ae5f9c624f903db06f77ae93c589cb328a3a")));
}

static void test_leaves_out_names_that_mislead(void **state)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = NULL;
	const struct peer_certificate_facts *facts;

	certificate = parse(&(struct test_draft){
		.name = "Ada",
		.names =
			"DNS:good.example,DNS:a\x01.example,DNS:\x7f,otherName:msUPN;UTF8:a\x1b[2J,"
			"otherName:msUPN;UTF8:\xc2\x85",
	});
	facts = peer_certificate_facts(certificate);
	expect_names(facts, PEER_NAME_DNS, "good.example", NULL);
	expect_names(facts, PEER_NAME_UPN, NULL, NULL);
}

static void test_has_no_names(void **state)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = NULL;

	certificate = parse(&(struct test_draft){ .name = "Ada" });
	for (int kind = 0; kind < PEER_NAME_KINDS; kind++)
		assert_int_equal(peer_certificate_facts(certificate)->names[kind].count, 0);
}

static void many_names(struct buf *to, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(buf_printf(to, "%sDNS:n%d", i ? "," : "", i), 0);
}

static void test_is_bounded(void **state)
{
	_cleanup_(buf_done) struct buf names = BUF_INIT(TEST_PKI_PEM_MAX);
	_cleanup_(buf_done) struct buf pem = BUF_INIT(2 * TEST_PKI_PEM_MAX);
	struct peer_certificate *certificate = NULL;
	struct test_issued issued;
	struct err e = { 0 };
	char *text;

	many_names(&names, PEER_CERTIFICATE_NAMES_MAX + 1);
	text = buf_take_string(&names);
	test_issue(&issued, &(struct test_draft){ .name = "Ada", .names = text });
	test_issued_write(&issued, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &certificate, &e), -1);
	assert_string_equal(e.text, "the certificate has more than 1024 names");
	for (int i = 0; i < 5; i++)
		test_issued_write(&issued, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &certificate, &e), -1);
	assert_string_equal(e.text, "a certificate chain of more than 32768 bytes");
	test_issued_done(&issued);
	mem_free(text);

	buf_truncate(&pem, 0);
	test_issue(&issued, &(struct test_draft){ .name = "Ada" });
	for (int i = 0; i <= PEER_CERTIFICATE_CHAIN_MAX; i++)
		test_issued_write(&issued, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &certificate, &e), -1);
	assert_string_equal(e.text, "certificate: more than 16 certificates");
	assert_null(certificate);
	test_issued_done(&issued);
}

static void test_the_chain_makes_a_difference(void **state)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *alone = NULL;
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *again = NULL;
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *chained = NULL;
	_cleanup_(buf_done) struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct test_issued issued;

	test_issue(&issued, &(struct test_draft){ .name = "Ada" });
	test_issued_write(&issued, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &alone, NULL), 0);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &again, NULL), 0);
	test_issued_write(&issued, &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &chained, NULL), 0);
	assert_true(str_equal(peer_certificate_digest(alone), peer_certificate_digest(again)));
	assert_false(str_equal(peer_certificate_digest(alone), peer_certificate_digest(chained)));
	test_issued_done(&issued);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tells_what_is_written_in_it),
		cmocka_unit_test(test_hashes_as_others_do),
		cmocka_unit_test(test_leaves_out_names_that_mislead),
		cmocka_unit_test(test_has_no_names),
		cmocka_unit_test(test_is_bounded),
		cmocka_unit_test(test_the_chain_makes_a_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
