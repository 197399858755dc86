#include "tls/client_ca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/client_pki.h"
#include "tls/client_ca_x509.h"

/* A root, an intermediate CA below it, and a stranger's root. */
struct pki {
	struct test_issued root;
	struct test_issued middle;
	struct test_issued stranger;
};

static int set_up(void **state)
{
	struct pki *pki = mem_alloc(sizeof(*pki));

	test_issue(&pki->root, &(struct test_draft){ .name = "Root", .is_ca = true });
	test_issue(&pki->middle,
		   &(struct test_draft){ .name = "Middle", .is_ca = true, .issuer = &pki->root });
	test_issue(&pki->stranger, &(struct test_draft){ .name = "Stranger", .is_ca = true });
	*state = pki;
	return 0;
}

static int tear_down(void **state)
{
	struct pki *pki = *state;

	test_issued_done(&pki->root);
	test_issued_done(&pki->middle);
	test_issued_done(&pki->stranger);
	mem_free(pki);
	return 0;
}

/* ---- one question ---- */

struct question {
	const struct test_issued *roots[3];
	const struct test_issued *chain[3]; /* what the client sends behind the leaf */
	struct test_draft leaf;
	uint32_t max_depth;
	const struct client_ca_pattern *patterns;
	size_t pattern_count;
	const struct test_list *lists;
	size_t list_count;
	bool revokes_leaf; /* in the first list */
	bool trusts_leaf;  /* the leaf itself is a root */
};

struct answer {
	enum client_certificate_verdict verdict;
	enum client_certificate_verdict strict;
	int64_t until_unix;
};

static struct client_ca *make_ca(const struct question *question, const struct test_issued *leaf)
{
	struct buf roots = BUF_INIT(TEST_PKI_PEM_MAX);
	struct buf lists = BUF_INIT(TEST_PKI_PEM_MAX);
	struct client_ca *ca = NULL;
	struct err e = { 0 };
	int result;

	for (size_t i = 0; i < ARRAY_LEN(question->roots) && question->roots[i]; i++)
		test_issued_write(question->roots[i], &roots);
	if (question->trusts_leaf)
		test_issued_write(leaf, &roots);
	for (size_t i = 0; i < question->list_count; i++) {
		const struct test_issued *revoked[] = { leaf, NULL };
		struct test_list list = question->lists[i];

		list.revoked = question->revokes_leaf ? revoked : list.revoked;
		test_list_write(&list, &lists);
	}
	result = client_ca_new(
		&(struct client_ca_options){ .ca_pem = buf_view(&roots),
					     .crl_pem = buf_view(&lists),
					     .max_depth = question->max_depth,
					     .patterns = question->patterns,
					     .pattern_count = question->pattern_count },
		&ca, &e);
	if (result < 0)
		fail_msg("%s", e.text);
	buf_done(&roots);
	buf_done(&lists);
	return ca;
}

static struct peer_certificate *show(const struct question *question,
				     const struct test_issued *leaf)
{
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct peer_certificate *certificate = NULL;

	test_issued_write(leaf, &pem);
	for (size_t i = 0; i < ARRAY_LEN(question->chain) && question->chain[i]; i++)
		test_issued_write(question->chain[i], &pem);
	assert_int_equal(peer_certificate_parse(buf_view(&pem), &certificate, NULL), 0);
	buf_done(&pem);
	return certificate;
}

static struct answer ask(const struct question *question)
{
	struct test_issued leaf;
	struct client_ca *ca;
	struct peer_certificate *certificate;
	struct answer answer;
	enum client_certificate_verdict again;

	test_issue(&leaf, &question->leaf);
	ca = make_ca(question, &leaf);
	certificate = show(question, &leaf);
	answer.verdict = client_ca_verify(ca, certificate, test_pki_now(), &answer.until_unix);
	again = client_ca_verify(ca, certificate, test_pki_now(), &answer.until_unix);
	assert_int_equal(again, answer.verdict); /* whether remembered or not */
	answer.strict = client_ca_verify_strictly(ca, certificate, test_pki_now());
	peer_certificate_unref(certificate);
	client_ca_unref(ca);
	test_issued_done(&leaf);
	return answer;
}

static void expect(const struct question *question, enum client_certificate_verdict verdict)
{
	struct answer answer = ask(question);

	assert_string_equal(client_certificate_verdict_name(answer.verdict),
			    client_certificate_verdict_name(verdict));
	assert_int_equal(answer.strict, verdict);
}

/* ---- chains ---- */

static void test_trusts_what_the_ca_signed(void **state)
{
	const struct pki *pki = *state;
	struct question q = { .roots = { &pki->root },
			      .leaf = { .name = "Ada", .issuer = &pki->root },
			      .max_depth = 1 };

	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.leaf.purpose = "clientAuth";
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.leaf.purpose = "serverAuth";
	expect(&q, CLIENT_CERTIFICATE_WRONG_PURPOSE);
	q.leaf.purpose = NULL;
	q.leaf.is_weak = true;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	q.leaf.is_weak = false;
	q.leaf.issuer = &pki->stranger;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	q.chain[0] = &pki->stranger;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	q.roots[1] = &pki->stranger;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.leaf.issuer = NULL; /* vouches for itself */
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
}

/* Same name as the CA, another key. */
static void test_is_not_fooled_by_the_name(void **state)
{
	const struct pki *pki = *state;
	struct test_issued impostor;
	struct question q = { .roots = { &pki->root }, .leaf = { .name = "Ada" } };

	test_issue(&impostor, &(struct test_draft){ .name = "Root", .is_ca = true });
	q.leaf.issuer = &impostor;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	q.chain[0] = &impostor;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	test_issued_done(&impostor);
}

/* A certificate that is no CA's cannot issue others. */
static void test_leaves_sign_nothing(void **state)
{
	const struct pki *pki = *state;
	struct test_issued leaf;
	struct question q = { .roots = { &pki->root }, .leaf = { .name = "Ada" } };

	test_issue(&leaf, &(struct test_draft){ .name = "Leaf", .issuer = &pki->root });
	q.leaf.issuer = &leaf;
	q.chain[0] = &leaf;
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	test_issued_done(&leaf);
}

static void test_counts_the_depth(void **state)
{
	const struct pki *pki = *state;
	struct question q = { .roots = { &pki->root },
			      .chain = { &pki->middle },
			      .leaf = { .name = "Ada", .issuer = &pki->middle } };

	q.max_depth = 1;
	expect(&q, CLIENT_CERTIFICATE_TOO_DEEP);
	q.max_depth = 2;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.max_depth = 0;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.max_depth = UINT32_MAX;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.chain[0] = NULL; /* the intermediate one is not sent */
	expect(&q, CLIENT_CERTIFICATE_UNTRUSTED);
	q.roots[0] = &pki->middle; /* an anchor by itself */
	q.max_depth = 1;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.roots[1] = &pki->root; /* the shorter way counts */
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.roots[0] = NULL;
	q.trusts_leaf = true;
	expect(&q, CLIENT_CERTIFICATE_VALID);
}

/* ---- time ---- */

static void test_looks_at_the_clock(void **state)
{
	const struct pki *pki = *state;
	int64_t now = test_pki_now();
	struct question q = { .roots = { &pki->root },
			      .leaf = { .name = "Ada", .issuer = &pki->root } };
	struct answer answer;

	q.leaf.from_unix = now - 100;
	q.leaf.until_unix = now - 10;
	answer = ask(&q);
	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_EXPIRED);
	assert_int_equal(answer.until_unix, INT64_MAX);

	q.leaf.from_unix = now + 500;
	q.leaf.until_unix = now + 1000;
	answer = ask(&q);
	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_NOT_YET_VALID);
	assert_int_equal(answer.until_unix, now + 500);

	q.leaf.from_unix = now - 100;
	answer = ask(&q);
	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_VALID);
	assert_int_equal(answer.until_unix, now + 1000);
}

static void test_remembers_no_longer_than_the_certificate_lasts(void **state)
{
	const struct pki *pki = *state;
	int64_t now = test_pki_now();
	struct question q = { .roots = { &pki->root }, .leaf = { .name = "Ada" } };
	struct test_issued leaf;
	struct client_ca *ca;
	struct peer_certificate *shown;
	int64_t until;

	q.leaf.issuer = &pki->root;
	q.leaf.from_unix = now - 100;
	q.leaf.until_unix = now + 100;
	test_issue(&leaf, &q.leaf);
	ca = make_ca(&q, &leaf);
	shown = show(&q, &leaf);
	assert_int_equal(client_ca_verify(ca, shown, now, &until), CLIENT_CERTIFICATE_VALID);
	assert_int_equal(until, now + 100);
	assert_int_equal(client_ca_verify(ca, shown, now + 99, &until), CLIENT_CERTIFICATE_VALID);
	assert_int_equal(client_ca_verify(ca, shown, until, &until), CLIENT_CERTIFICATE_EXPIRED);
	assert_int_equal(client_ca_verify(ca, shown, now - 100, &until), CLIENT_CERTIFICATE_VALID);
	assert_int_equal(client_ca_verify(ca, shown, now - 101, &until),
			 CLIENT_CERTIFICATE_NOT_YET_VALID);
	assert_int_equal(until, now - 100);
	peer_certificate_unref(shown);
	client_ca_unref(ca);
	test_issued_done(&leaf);
}

/* The chain ends with the first of its certificates. */
static void test_an_intermediate_certificate_expires_too(void **state)
{
	const struct pki *pki = *state;
	int64_t now = test_pki_now();
	struct test_issued middle;
	struct question q = { .roots = { &pki->root }, .leaf = { .name = "Ada" } };
	struct answer answer;

	test_issue(&middle, &(struct test_draft){ .name = "Short",
						  .is_ca = true,
						  .issuer = &pki->root,
						  .from_unix = now - 100,
						  .until_unix = now + 50 });
	q.chain[0] = &middle;
	q.leaf.issuer = &middle;
	answer = ask(&q);
	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_VALID);
	assert_int_equal(answer.until_unix, now + 50);
	test_issued_done(&middle);
}

/* ---- revocation ---- */

static void test_consults_the_list_of_the_issuer(void **state)
{
	const struct pki *pki = *state;
	struct test_list list = { .issuer = &pki->root };
	struct question q = { .roots = { &pki->root },
			      .leaf = { .name = "Ada", .issuer = &pki->root },
			      .lists = &list,
			      .list_count = 1 };

	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.revokes_leaf = true;
	expect(&q, CLIENT_CERTIFICATE_REVOKED);
	list.issuer = &pki->stranger; /* the number is the same, the issuer is not */
	expect(&q, CLIENT_CERTIFICATE_VALID);
	list.issuer = &pki->root;
	list.signer = &pki->stranger; /* forged */
	expect(&q, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN);
}

/* Only the strict look at how old a list is. */
static void test_an_old_list_revokes_all_the_same(void **state)
{
	const struct pki *pki = *state;
	int64_t now = test_pki_now();
	struct test_list list = { .issuer = &pki->root,
				  .from_unix = now - 1000,
				  .until_unix = now - 500 };
	struct question q = { .roots = { &pki->root },
			      .leaf = { .name = "Ada", .issuer = &pki->root },
			      .lists = &list,
			      .list_count = 1 };
	struct answer answer = ask(&q);

	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_VALID);
	assert_int_equal(answer.strict, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN);
	q.revokes_leaf = true;
	answer = ask(&q);
	assert_int_equal(answer.verdict, CLIENT_CERTIFICATE_REVOKED);
	assert_int_equal(answer.strict, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN);
}

/* The list of the root is not asked about the intermediate CA. */
static void test_only_the_leaf_can_be_revoked(void **state)
{
	const struct pki *pki = *state;
	const struct test_issued *revoked[] = { &pki->middle, NULL };
	struct test_list lists[] = { { .issuer = &pki->root, .revoked = revoked },
				     { .issuer = &pki->middle } };
	struct question q = { .roots = { &pki->root },
			      .chain = { &pki->middle },
			      .leaf = { .name = "Ada", .issuer = &pki->middle },
			      .lists = lists,
			      .list_count = 2 };

	expect(&q, CLIENT_CERTIFICATE_VALID);
}

/* ---- names ---- */

static void test_one_name_must_match(void **state)
{
	static const struct {
		struct client_ca_pattern pattern;
		bool is_allowed;
	} cases[] = {
		{ { PEER_NAME_DNS, STR("laptop-\\d+\\.example"), NULL }, true },
		{ { PEER_NAME_DNS, STR("laptop"), NULL }, false },
		{ { PEER_NAME_EMAIL, STR(".*@example\\.com"), NULL }, true },
		{ { PEER_NAME_EMAIL, STR(".*@example\\.org"), NULL }, false },
		{ { PEER_NAME_IP, STR("192\\.0\\.2\\.1"), NULL }, true },
		{ { PEER_NAME_IP, STR("2001:db8::7"), NULL }, true },
		{ { PEER_NAME_URI, STR("spiffe://example/.*"), NULL }, true },
		{ { PEER_NAME_UPN, STR("ada@corp"), NULL }, true },
		{ { PEER_NAME_UPN, STR("ada@example\\.com"), NULL }, false },
	};
	const struct pki *pki = *state;
	struct question q = { .roots = { &pki->root } };
	struct client_ca_pattern both[2];

	q.leaf = (struct test_draft){
		.name = "Ada",
		.issuer = &pki->root,
		.names = "DNS:laptop-7.example,email:ada@example.com,IP:192.0.2.1,IP:2001:db8::7,"
			 "URI:spiffe://example/ada,otherName:msUPN;UTF8:ada@corp",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		q.patterns = &cases[i].pattern;
		q.pattern_count = 1;
		expect(&q, cases[i].is_allowed ? CLIENT_CERTIFICATE_VALID
					       : CLIENT_CERTIFICATE_NAME_NOT_ALLOWED);
	}
	both[0] = cases[1].pattern;
	both[1] = cases[2].pattern;
	q.patterns = both;
	q.pattern_count = 2;
	expect(&q, CLIENT_CERTIFICATE_VALID);
	q.leaf.names = NULL;
	expect(&q, CLIENT_CERTIFICATE_NAME_NOT_ALLOWED);
}

/* ---- bad settings ---- */

static void expect_error(const struct client_ca_options *options, const char *text)
{
	struct client_ca *ca = NULL;
	struct err e = { 0 };

	assert_int_equal(client_ca_new(options, &ca, &e), -1);
	assert_null(ca);
	assert_string_equal(e.text, text);
}

static void test_says_what_is_wrong(void **state)
{
	const struct pki *pki = *state;
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct client_ca_pattern pattern = { PEER_NAME_DNS, STR("(a"),
					     "match_subject_alt_names[0]" };
	struct client_ca_options options = { .ca_origin = "ca.pem", .crl_origin = "crl.pem" };

	test_issued_write(&pki->root, &pem);
	expect_error(&options, "ca.pem: there is no certificate in PEM form");
	options.ca_pem = STR("nonsense");
	expect_error(&options, "ca.pem: there is no certificate in PEM form");
	options.ca_pem = buf_view(&pem);
	options.crl_pem = STR("nonsense");
	expect_error(&options, "crl.pem: there is no revocation list in PEM form");
	options.crl_pem = STR("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
	expect_error(&options, "crl.pem: revocation list 1 cannot be read: ASN1 lib");
	options.crl_pem = STR("");
	options.patterns = &pattern;
	options.pattern_count = 1;
	expect_error(&options, "match_subject_alt_names[0]: at character 3: missing closing "
			       "parenthesis");
	options.pattern_count = CLIENT_CA_PATTERNS_MAX + 1;
	expect_error(&options, "more than 256 patterns for names in certificates");
	buf_done(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trusts_what_the_ca_signed),
		cmocka_unit_test(test_is_not_fooled_by_the_name),
		cmocka_unit_test(test_leaves_sign_nothing),
		cmocka_unit_test(test_counts_the_depth),
		cmocka_unit_test(test_looks_at_the_clock),
		cmocka_unit_test(test_remembers_no_longer_than_the_certificate_lasts),
		cmocka_unit_test(test_an_intermediate_certificate_expires_too),
		cmocka_unit_test(test_consults_the_list_of_the_issuer),
		cmocka_unit_test(test_an_old_list_revokes_all_the_same),
		cmocka_unit_test(test_only_the_leaf_can_be_revoked),
		cmocka_unit_test(test_one_name_must_match),
		cmocka_unit_test(test_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
