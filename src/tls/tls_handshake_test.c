/*
 * Who is let in, under which certificate, and what each side is told when it fails.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/tls_fixture.h"
#include "tls/certificate.h"
#include "tls/tls_engine.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void expect_error(const struct test_end *end, enum err_kind kind, const char *text)
{
	char c;
	const struct err *e;

	assert_int_equal(stream_read(end->stream, &c, 1), STREAM_FAILED);
	assert_int_equal(stream_write(end->stream, "x", 1), STREAM_FAILED);
	e = stream_error(end->stream);
	assert_non_null(e);
	if (!str_contains(str_from(e->text), str_from(text)))
		fail_msg("\"%s\" does not contain \"%s\"", e->text, text);
	assert_int_equal(e->kind, kind);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_both_versions(void **state)
{
	const struct tls_fixture *f = *state;
	static const char *const names[] = { "TLSv1.2", "TLSv1.3" };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		struct tls_facts facts;

		test_link_open(&link,
			       &(struct test_link_options){ f->server, f->client, "A.Example.",
							    versions[i], NULL });
		assert_false(tls_stream_facts(link.client.stream, &facts));
		assert_true(test_link_handshake(&link));
		assert_true(tls_stream_facts(link.client.stream, &facts));
		assert_string_equal(facts.version, names[i]);
		assert_true(tls_stream_facts(link.server.stream, &facts));
		assert_string_equal(facts.version, names[i]);
		assert_string_equal(facts.server_name, "a.example");
		assert_string_equal(facts.alpn, "");
		assert_false(facts.is_resumed);
		test_write_all(&link.client, "ping", 4);
		test_expect(&link.server, "ping");
		test_write_all(&link.server, "pong", 4);
		test_expect(&link.client, "pong");
		test_link_done(&link);
	}
}

static void test_newest_version_is_chosen(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct tls_facts facts;

	test_link_open(&link,
		       &(struct test_link_options){ f->server, f->client, "a.example", 0, NULL });
	assert_true(test_link_handshake(&link));
	assert_true(tls_stream_facts(link.client.stream, &facts));
	assert_string_equal(facts.version, "TLSv1.3");
	test_link_done(&link);
}

static bool leaf_is_for(struct stream *client, const char *name)
{
	X509 *leaf = SSL_get0_peer_certificate(test_engine(client)->ssl);

	/* compared as text: the name asked for may not match the wildcard of the certificate chosen */
	char text[256] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, text, sizeof(text));
	return strcmp(text, name) == 0;
}

static void test_certificate_is_chosen_by_name(void **state)
{
	static const char *const pair_names[] = { "first.example", "*.wild.example",
						  "b.wild.example", "B2.example", "127.0.0.1" };
	static const struct {
		const char *asked;
		const char *chosen;
	} cases[] = {
		{ "first.example", "first.example" },   { "FIRST.example", "first.example" },
		{ "x.wild.example", "*.wild.example" }, { "b.wild.example", "b.wild.example" },
		{ "b2.example", "B2.example" },         { "a.b.wild.example", "first.example" },
		{ "wild.example", "first.example" },    { "other.example", "first.example" },
		{ "127.0.0.1", "first.example" },       { "", "first.example" },
		{ "*.wild.example", "*.wild.example" },
	};
	const struct tls_fixture *f = *state;
	struct test_pem pems[ARRAY_LEN(pair_names)];
	struct tls_key_pair pairs[ARRAY_LEN(pair_names)];
	struct tls_server_options options = { .pairs = pairs, .pair_count = ARRAY_LEN(pairs) };
	struct tls_config *server = NULL;
	struct tls_config *client = test_client_config(NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(pair_names); i++) {
		test_pem_server(&pems[i], &f->ca, pair_names[i]);
		pairs[i] = test_key_pair(&pems[i]);
	}
	assert_int_equal(tls_config_new_server(&options, &server, NULL), 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct test_link link;

		test_link_open(&link,
			       &(struct test_link_options){ server, client, cases[i / 2].asked,
							    versions[i % 2], NULL });
		assert_true(test_link_handshake(&link));
		assert_true(leaf_is_for(link.client.stream, cases[i / 2].chosen));
		test_link_done(&link);
	}
	tls_config_unref(server);
	tls_config_unref(client);
	for (size_t i = 0; i < ARRAY_LEN(pair_names); i++)
		test_pem_done(&pems[i]);
}

static void test_chain_is_sent(void **state)
{
	const struct tls_fixture *f = *state;
	struct buf chain = BUF_INIT(TEST_PEM_MAX);
	struct tls_key_pair pair = test_key_pair(&f->pem);
	struct tls_server_options options = { .pairs = &pair, .pair_count = 1 };
	struct tls_config *server = NULL;
	struct test_link link;

	buf_append_str(&chain, buf_view(&f->pem.certificate));
	buf_append_str(&chain, buf_view(&f->ca.certificate));
	pair.certificate_pem = buf_view(&chain);
	assert_int_equal(tls_config_new_server(&options, &server, NULL), 0);
	test_link_open(&link,
		       &(struct test_link_options){ server, f->client, "a.example", 0, NULL });
	tls_config_unref(server); /* the stream keeps it */
	assert_true(test_link_handshake(&link));
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(test_engine(link.client.stream)->ssl)),
			 2);
	test_link_done(&link);
	buf_done(&chain);
}

static void test_alpn(void **state)
{
	static const char *const server_list[] = { "h2", "http/1.1", NULL };
	static const char *const both[] = { "http/1.1", "h2", NULL };
	static const char *const one[] = { "http/1.1", NULL };
	static const char *const other[] = { "spdy", NULL };
	const struct tls_fixture *f = *state;
	const struct {
		const char *const *client_list;
		const char *agreed;
	} cases[] = { { both, "h2" }, { one, "http/1.1" }, { other, "" }, { NULL, "" } };
	struct tls_config *server = test_server_config(&f->pem, server_list);

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct tls_config *client = test_client_config(&f->ca, cases[i / 2].client_list);
		struct test_link link;
		struct tls_facts facts;

		test_link_open(&link, &(struct test_link_options){ server, client, "a.example",
								   versions[i % 2], NULL });
		assert_true(test_link_handshake(&link));
		assert_true(tls_stream_facts(link.client.stream, &facts));
		assert_string_equal(facts.alpn, cases[i / 2].agreed);
		assert_true(tls_stream_facts(link.server.stream, &facts));
		assert_string_equal(facts.alpn, cases[i / 2].agreed);
		test_link_done(&link);
		tls_config_unref(client);
	}
	tls_config_unref(server);
}

static bool connect_again(const struct tls_fixture *f, struct tls_config *client, const char *name,
			  int version)
{
	struct test_link link;
	struct tls_facts facts;
	struct tls_facts server_facts;

	test_link_open(&link,
		       &(struct test_link_options){ f->server, client, name, version, NULL });
	assert_true(test_link_handshake(&link));
	assert_true(tls_stream_facts(link.client.stream, &facts));
	assert_true(tls_stream_facts(link.server.stream, &server_facts));
	assert_int_equal(facts.is_resumed, server_facts.is_resumed);
	assert_string_equal(server_facts.server_name, name);
	test_write_all(&link.server, "x", 1);
	test_expect(&link.client, "x"); /* the ticket came before it */
	assert_int_equal(test_shutdown(&link.client), STREAM_END);
	test_link_done(&link);
	return facts.is_resumed;
}

static void test_resumption(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_config *client = test_client_config(&f->ca, NULL);
		struct tls_config *stranger = test_client_config(NULL, NULL);

		assert_false(connect_again(f, client, "a.example", versions[i]));
		for (int k = 0; k < 3; k++)
			assert_true(connect_again(f, client, "a.example", versions[i]));
		/* never across names: another certificate would have been checked */
		assert_false(connect_again(f, stranger, "a.example", versions[i]));
		assert_false(connect_again(f, stranger, "b.example", versions[i]));
		tls_config_unref(client);
		tls_config_unref(stranger);
	}
}

/* What a reload does: the tickets of before are good, those of a stranger are a full handshake. */
static void test_resumption_at_a_successor(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_fixture next = *f;
		struct tls_config *client = test_client_config(&f->ca, NULL);

		assert_false(connect_again(f, client, "a.example", versions[i]));
		next.server = test_server_config(&f->pem, NULL);
		assert_false(connect_again(&next, client, "a.example", versions[i]));
		tls_config_unref(next.server);
		assert_false(connect_again(f, client, "a.example", versions[i]));
		next.server = test_server_config(&f->pem, NULL);
		tls_config_succeed(next.server, f->server);
		assert_true(connect_again(&next, client, "a.example", versions[i]));
		assert_true(connect_again(f, client, "a.example", versions[i]));
		tls_config_unref(next.server);
		tls_config_unref(client);
	}
}

static void test_many_names_make_room(void **state)
{
	const struct tls_fixture *f = *state;
	struct tls_config *client = test_client_config(NULL, NULL);
	char name[] = "a.example";

	for (; name[0] <= 'z'; name[0]++)
		assert_false(connect_again(f, client, name, TLS1_3_VERSION));
	assert_true(connect_again(f, client, "z.example", TLS1_3_VERSION));
	assert_false(connect_again(f, client, "a.example", TLS1_3_VERSION));
	tls_config_unref(client);
}

static void test_untrusted_certificate(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_pem stranger;
	struct tls_config *client;

	test_pem_ca(&stranger, "Stranger CA");
	client = test_client_config(&stranger, NULL);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;

		test_link_open(&link, &(struct test_link_options){ f->server, client, "a.example",
								   versions[i], NULL });
		assert_false(test_link_handshake(&link));
		expect_error(&link.client, ERR_UNTRUSTED,
			     "certificate of a.example is not trusted: ");
		expect_error(&link.client, ERR_UNTRUSTED, "(subject: CN=");
		expect_error(&link.client, ERR_UNTRUSTED, ", issuer: CN=Test CA)");
		expect_error(&link.server, ERR_TLS,
			     "the peer refused the handshake: it does not trust the issuer");
		test_link_done(&link);
	}
	tls_config_unref(client);
	test_pem_done(&stranger);
}

/* What the operator calls trusted is: a root, an intermediate, or just the server's own certificate. */
static void test_pinned_certificate(void **state)
{
	const struct str names[] = { STR("a.example") };
	const struct tls_fixture *f = *state;
	struct test_pem self = { BUF_INIT(TEST_PEM_MAX), BUF_INIT(TEST_PEM_MAX) };
	const struct test_pem *pems[] = { &self, &f->pem };

	assert_int_equal(certificate_make_self_signed(names, 1, &self.certificate, &self.key, NULL),
			 0);
	for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
		struct tls_config *server = test_server_config(pems[i], NULL);
		struct tls_config *client = test_client_config(pems[i], NULL);
		struct test_link link;

		test_link_open(&link,
			       &(struct test_link_options){ server, client, "a.example", 0, NULL });
		assert_true(test_link_handshake(&link));
		test_link_done(&link);
		tls_config_unref(server);
		tls_config_unref(client);
	}
	test_pem_done(&self);
}

static void test_names_are_checked(void **state)
{
	static const struct {
		const char *certificate;
		const char *asked;
		const char *error; /* NULL: accepted */
	} cases[] = {
		{ "a.example", "a.example", NULL },
		{ "a.example", "A.EXAMPLE.", NULL },
		{ "a.example", "b.example", "is for another name: it is for a.example" },
		{ "*.w.example", "x.w.example", NULL },
		{ "*.w.example", "x.y.w.example", "is for another name: it is for *.w.example" },
		{ "*.w.example", "w.example", "is for another name" },
		{ "127.0.0.1", "127.0.0.1", NULL },
		{ "127.0.0.1", "127.0.0.2", "is for another name: it is for 127.0.0.1" },
		{ "127.0.0.1", "localhost", "is for another name" },
		{ "a.example", "127.0.0.1", "is for another name" },
		{ "::1", "::1", NULL },
		{ "::1", "0:0:0:0:0:0:0:1", NULL },
		{ "a.example", "", "is not a name" },
		{ "a.example", "a\nb", "is not a name" },
		{ "a.example", ".a.example", "is for another name" },
	};
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct test_pem pem;
		struct tls_config *server;
		struct test_link link;

		test_pem_server(&pem, &f->ca, cases[i].certificate);
		server = test_server_config(&pem, NULL);
		test_link_open(&link, &(struct test_link_options){ server, f->client,
								   cases[i].asked, 0, NULL });
		if (!cases[i].error)
			assert_true(test_link_handshake(&link));
		else if (stream_writev(link.client.stream, NULL, 0) == STREAM_AGAIN)
			assert_false(test_link_handshake(&link));
		if (cases[i].error)
			expect_error(&link.client,
				     strstr(cases[i].error, "is not a name") ? ERR_CONFIG : ERR_TLS,
				     cases[i].error);
		test_link_done(&link);
		tls_config_unref(server);
		test_pem_done(&pem);
	}
}

static void test_addresses_are_not_sent_as_names(void **state)
{
	const struct tls_fixture *f = *state;
	struct tls_config *client = test_client_config(NULL, NULL);
	struct test_link link;
	struct tls_facts facts;

	test_link_open(&link,
		       &(struct test_link_options){ f->server, client, "127.0.0.1", 0, NULL });
	assert_true(test_link_handshake(&link));
	assert_true(tls_stream_facts(link.server.stream, &facts));
	assert_string_equal(facts.server_name, "");
	test_link_done(&link);
	tls_config_unref(client);
}

static void test_no_common_version(void **state)
{
	const struct tls_fixture *f = *state;
	struct tls_config *client = test_client_config(&f->ca,
						       NULL); /* without a session to resume */
	struct test_link link;

	test_link_open(&link, &(struct test_link_options){ f->server, client, "a.example",
							   TLS1_1_VERSION, NULL });
	/* the suites of the config are none of TLS 1.1 */
	assert_int_equal(
		SSL_set_cipher_list(test_engine(link.client.stream)->ssl, "ALL:@SECLEVEL=0"), 1);
	assert_false(test_link_handshake(&link));
	expect_error(&link.server, ERR_TLS, "the peer offers no common TLS version");
	expect_error(&link.client, ERR_TLS, "the peer refused the handshake: no common version");
	test_link_done(&link);

	test_link_open(&link, &(struct test_link_options){ f->server, client, "a.example",
							   TLS1_2_VERSION, NULL });
	test_set_version(link.server.stream, TLS1_3_VERSION);
	assert_false(test_link_handshake(&link));
	expect_error(&link.client, ERR_TLS, "no common version");
	test_link_done(&link);
	tls_config_unref(client);
}

static void test_suites_of_tls12(void **state)
{
	static const struct {
		const char *suite;
		bool is_agreed;
	} cases[] = {
		{ "ECDHE-ECDSA-AES128-GCM-SHA256", true },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384", true },
		{ "ECDHE-ECDSA-CHACHA20-POLY1305", true },
		{ "ECDHE-ECDSA-AES128-SHA256", false },
		{ "ECDHE-ECDSA-AES256-CCM", false },
		{ "AES128-GCM-SHA256", false },
	};
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_config *client = test_client_config(&f->ca, NULL);
		struct test_link link;

		test_link_open(&link, &(struct test_link_options){ f->server, client, "a.example",
								   TLS1_2_VERSION, NULL });
		assert_int_equal(
			SSL_set_cipher_list(test_engine(link.client.stream)->ssl, cases[i].suite),
			1);
		assert_int_equal(test_link_handshake(&link), cases[i].is_agreed);
		if (!cases[i].is_agreed)
			expect_error(&link.server, ERR_TLS, "no common cipher suite");
		test_link_done(&link);
		tls_config_unref(client);
	}
}

static void test_renegotiation_is_refused(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct tls_stream *client;
	uint8_t waits;
	char c;

	test_link_open(&link, &(struct test_link_options){ f->server, f->client, "a.example",
							   TLS1_2_VERSION, NULL });
	assert_true(test_link_handshake(&link));
	client = test_engine(link.client.stream);
	SSL_clear_options(client->ssl, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(SSL_renegotiate(client->ssl), 1);
	assert_int_equal(SSL_do_handshake(client->ssl), -1); /* waits for an answer */
	assert_int_equal(tls_push(client, &waits), STEP_RETRY);
	assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_AGAIN);
	expect_error(&link.client, ERR_TLS, "no renegotiation");
	assert_int_equal(SSL_num_renegotiations(test_engine(link.server.stream)->ssl), 0);
	test_link_done(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_versions),
		cmocka_unit_test(test_newest_version_is_chosen),
		cmocka_unit_test(test_certificate_is_chosen_by_name),
		cmocka_unit_test(test_chain_is_sent),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_resumption_at_a_successor),
		cmocka_unit_test(test_many_names_make_room),
		cmocka_unit_test(test_untrusted_certificate),
		cmocka_unit_test(test_pinned_certificate),
		cmocka_unit_test(test_names_are_checked),
		cmocka_unit_test(test_addresses_are_not_sent_as_names),
		cmocka_unit_test(test_no_common_version),
		cmocka_unit_test(test_suites_of_tls12),
		cmocka_unit_test(test_renegotiation_is_refused),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
