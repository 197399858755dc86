/*
 * Handshakes of clients with and without certificates, in every mode and version.
 */

#include "tls/client_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/client_pki.h"
#include "tests/support/tls_fixture.h"
#include "tls/client_ca.h"
#include "tls/peer_certificate.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

struct scene {
	struct tls_fixture *tls;
	struct test_issued root;
	struct test_issued middle;
	struct test_issued good;
	struct test_issued deep;
	struct test_issued expired;
	struct client_ca *ca;
	struct client_ca *other;
};

static struct client_ca *make_ca(const struct test_issued *root)
{
	struct buf pem = BUF_INIT(TEST_PKI_PEM_MAX);
	struct client_ca *ca = NULL;

	test_issued_write(root, &pem);
	assert_int_equal(
		client_ca_new(&(struct client_ca_options){ .ca_pem = buf_view(&pem) }, &ca, NULL),
		0);
	buf_done(&pem);
	return ca;
}

static int set_up(void **state)
{
	struct scene *s = mem_alloc(sizeof(*s));
	struct test_issued other;
	int64_t now = test_pki_now();

	tls_fixture_set_up((void **)&s->tls);
	test_issue(&s->root, &(struct test_draft){ .name = "Clients", .is_ca = true });
	test_issue(&s->middle,
		   &(struct test_draft){ .name = "Middle", .is_ca = true, .issuer = &s->root });
	test_issue(&s->good, &(struct test_draft){ .name = "Good", .issuer = &s->root });
	test_issue(&s->deep, &(struct test_draft){ .name = "Deep", .issuer = &s->middle });
	test_issue(&s->expired, &(struct test_draft){ .name = "Old",
						      .issuer = &s->root,
						      .from_unix = now - 200,
						      .until_unix = now - 100 });
	test_issue(&other, &(struct test_draft){ .name = "Other", .is_ca = true });
	s->ca = make_ca(&s->root);
	s->other = make_ca(&other);
	test_issued_done(&other);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	void *tls = s->tls;

	client_ca_unref(s->ca);
	client_ca_unref(s->other);
	test_issued_done(&s->root);
	test_issued_done(&s->middle);
	test_issued_done(&s->good);
	test_issued_done(&s->deep);
	test_issued_done(&s->expired);
	tls_fixture_tear_down(&tls);
	mem_free(s);
	return 0;
}

/* ---- one server, one client ---- */

struct pair {
	struct tls_config *server;
	struct tls_config *client;
};

static struct tls_config *make_server(const struct scene *s, enum tls_client_certificates mode)
{
	struct client_ca *cas[] = { s->other, s->ca };
	struct tls_key_pair pair = test_key_pair(&s->tls->pem);
	struct tls_config *config = NULL;

	assert_int_equal(tls_config_new_server(
				 &(struct tls_server_options){
					 .pairs = &pair,
					 .pair_count = 1,
					 .client_certificates = mode,
					 .client_cas = cas,
					 .client_ca_count = ARRAY_LEN(cas),
				 },
				 &config, NULL),
			 0);
	return config;
}

/* shown NULL: no certificate; behind NULL: no chain. */
static struct tls_config *make_client(const struct scene *s, const struct test_issued *shown,
				      const struct test_issued *behind)
{
	struct buf certificate = BUF_INIT(TEST_PKI_PEM_MAX);
	struct buf key = BUF_INIT(TEST_PKI_PEM_MAX);
	struct tls_client_options options = {
		.verify = true,
		.extra_roots_pem = buf_view(&s->tls->ca.certificate),
	};
	struct tls_key_pair pair = { .origin = "client" };
	struct tls_config *config = NULL;

	if (shown) {
		test_issued_write(shown, &certificate);
		test_issued_write_key(shown, &key);
		options.client_pair = &pair;
	}
	if (behind)
		test_issued_write(behind, &certificate);
	pair.certificate_pem = buf_view(&certificate);
	pair.key_pem = buf_view(&key);
	assert_int_equal(tls_config_new_client(&options, &config, NULL), 0);
	buf_done(&certificate);
	buf_done(&key);
	return config;
}

static struct pair make_pair(const struct scene *s, enum tls_client_certificates mode,
			     const struct test_issued *shown, const struct test_issued *behind)
{
	return (struct pair){ make_server(s, mode), make_client(s, shown, behind) };
}

static void pair_done(struct pair *pair)
{
	tls_config_unref(pair->server);
	tls_config_unref(pair->client);
}

static void open_pair(const struct pair *pair, int version, struct test_link *link)
{
	test_link_open(link, &(struct test_link_options){ pair->server, pair->client, "a.example",
							  version, NULL });
}

/* Whether the certificate the server knows is that one; NULL: none. */
static void expect_shown(const struct test_link *link, const char *subject)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate =
		tls_stream_peer_certificate(link->server.stream);

	if (!subject) {
		assert_null(certificate);
		return;
	}
	assert_non_null(certificate);
	assert_true(str_equal(peer_certificate_facts(certificate)->subject, str_from(subject)));
}

static void expect_server_error(const struct test_link *link, const char *text)
{
	char c;

	assert_int_equal(stream_read(link->server.stream, &c, 1), STREAM_FAILED);
	assert_string_equal(stream_error(link->server.stream)->text, text);
}

/* ---- modes ---- */

static void test_nothing_is_asked_for(void **state)
{
	struct pair pair = make_pair(*state, TLS_CLIENT_CERTIFICATES_NONE,
				     &((struct scene *)*state)->good, NULL);

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;

		open_pair(&pair, versions[i], &link);
		assert_true(test_link_handshake(&link));
		expect_shown(&link, NULL);
		test_link_done(&link);
	}
	pair_done(&pair);
}

static void test_whatever_is_shown_is_kept(void **state)
{
	const struct scene *s = *state;
	const struct {
		const struct test_issued *shown;
		const struct test_issued *behind;
		const char *subject;
	} cases[] = {
		{ NULL, NULL, NULL },
		{ &s->good, NULL, "CN=Good" },
		{ &s->expired, NULL, "CN=Old" },
		{ &s->deep, &s->middle, "CN=Deep" },
		{ &s->middle, NULL, "CN=Middle" },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct pair pair = make_pair(s, TLS_CLIENT_CERTIFICATES_REQUEST, cases[i / 2].shown,
					     cases[i / 2].behind);
		struct test_link link;

		open_pair(&pair, versions[i % 2], &link);
		assert_null(tls_stream_peer_certificate(link.server.stream));
		assert_true(test_link_handshake(&link));
		expect_shown(&link, cases[i / 2].subject);
		test_link_done(&link);
		pair_done(&pair);
	}
}

static void test_a_good_one_is_required(void **state)
{
	const struct scene *s = *state;
	const struct {
		const struct test_issued *shown;
		const struct test_issued *behind;
		const char *error; /* NULL: it is let in */
	} cases[] = {
		{ &s->good, NULL, NULL },
		{ &s->deep, &s->middle, NULL },
		{ NULL, NULL, "the client showed no certificate" },
		{ &s->deep, NULL,
		  "the client's certificate is not accepted: unable to get local issuer certificate" },
		{ &s->expired, NULL,
		  "the client's certificate is not accepted: certificate has expired" },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct pair pair = make_pair(s, TLS_CLIENT_CERTIFICATES_REQUIRE, cases[i / 2].shown,
					     cases[i / 2].behind);
		struct test_link link;
		bool is_in;

		open_pair(&pair, versions[i % 2], &link);
		is_in = test_link_handshake(&link) || versions[i % 2] == TLS1_3_VERSION;
		if (cases[i / 2].error)
			expect_server_error(&link, cases[i / 2].error);
		else
			assert_true(is_in);
		test_link_done(&link);
		pair_done(&pair);
	}
}

/* ---- sessions ---- */

/* Two connections, one after the other: whether the second went on with the session of the first. */
static bool is_resumed(const struct pair *pair, int version, const char *subject)
{
	struct tls_facts facts = { 0 };
	struct test_link link;

	for (int i = 0; i < 2; i++) {
		open_pair(pair, version, &link);
		assert_true(test_link_handshake(&link));
		expect_shown(&link, subject);
		test_write_all(&link.server, "x", 1); /* tickets come with it */
		test_expect(&link.client, "x");
		assert_true(tls_stream_facts(link.server.stream, &facts));
		test_link_done(&link);
	}
	return facts.is_resumed;
}

static void test_a_certificate_is_shown_every_time(void **state)
{
	const struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct pair with = make_pair(s, TLS_CLIENT_CERTIFICATES_REQUEST, &s->deep,
					     &s->middle);
		struct pair without = make_pair(s, TLS_CLIENT_CERTIFICATES_REQUEST, NULL, NULL);

		assert_false(is_resumed(&with, versions[i], "CN=Deep"));
		assert_true(is_resumed(&without, versions[i], NULL));
		pair_done(&with);
		pair_done(&without);
	}
}

/* Even with the ticket keys of the earlier server: who had to show nothing then has to now. */
static void test_other_demands_are_another_session(void **state)
{
	const struct scene *s = *state;
	static const enum tls_client_certificates modes[] = { TLS_CLIENT_CERTIFICATES_NONE,
							      TLS_CLIENT_CERTIFICATES_REQUEST };

	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
		struct pair pair = make_pair(s, modes[i / 2], NULL, NULL);
		struct tls_config *stricter = make_server(s, TLS_CLIENT_CERTIFICATES_REQUIRE);
		struct test_link link;

		assert_true(is_resumed(&pair, versions[i % 2], NULL));
		tls_config_succeed(stricter, pair.server);
		tls_config_unref(pair.server);
		pair.server = stricter;
		open_pair(&pair, versions[i % 2], &link);
		(void)test_link_handshake(&link); /* of the client's side TLS 1.3 thinks well */
		expect_server_error(&link, "the client showed no certificate");
		test_link_done(&link);
		pair_done(&pair);
	}
}

/* ---- limits ---- */

static void test_a_certificate_of_too_many_names_is_refused(void **state)
{
	const struct scene *s = *state;
	struct buf names = BUF_INIT(TEST_PKI_PEM_MAX);
	struct test_issued issued;
	struct test_link link;
	struct pair pair;
	char *text;

	for (int i = 0; i <= PEER_CERTIFICATE_NAMES_MAX; i++)
		(void)buf_printf(&names, "%sDNS:n%d", i ? "," : "", i);
	text = buf_take_string(&names);
	test_issue(&issued,
		   &(struct test_draft){ .name = "Many", .issuer = &s->root, .names = text });
	pair = make_pair(s, TLS_CLIENT_CERTIFICATES_REQUEST, &issued, NULL);
	open_pair(&pair, TLS1_2_VERSION, &link);
	assert_false(test_link_handshake(&link));
	expect_server_error(&link,
			    "the client's certificate is not accepted: certificate rejected");
	test_link_done(&link);
	pair_done(&pair);
	test_issued_done(&issued);
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_asked_for),
		cmocka_unit_test(test_whatever_is_shown_is_kept),
		cmocka_unit_test(test_a_good_one_is_required),
		cmocka_unit_test(test_a_certificate_is_shown_every_time),
		cmocka_unit_test(test_other_demands_are_another_session),
		cmocka_unit_test(test_a_certificate_of_too_many_names_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
