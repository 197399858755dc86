/*
 * Which tickets of which time and whose secret are taken. OpenSSL's own clock does not move here, so that how long a
 * ticket is good is seen by what the client is told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/clock_fake.h"
#include "tests/support/tls_fixture.h"
#include "tls/tls_engine.h"
#include "tls/tls_tickets.h"

#define BEGIN 1767225600 /* of a period, as it happens */

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER  "0123456789abcdef0123456789abcdeF"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static struct tls_config *make_server(const struct tls_fixture *f, const char *secret)
{
	struct tls_key_pair pair = test_key_pair(&f->pem);
	struct tls_server_options options = { .pairs = &pair,
					      .pair_count = 1,
					      .ticket_secret = str_from(secret) };
	struct tls_config *config = NULL;

	assert_int_equal(tls_config_new_server(&options, &config, NULL), 0);
	return config;
}

/* A connection to the server that shows what the client has, and takes a new ticket. */
static bool is_resumed(struct tls_config *server, struct tls_config *client, int version)
{
	struct test_link link;
	struct tls_facts facts;

	test_link_open(&link,
		       &(struct test_link_options){ server, client, "a.example", version, NULL });
	assert_true(test_link_handshake(&link));
	test_write_all(&link.server, "x", 1);
	test_expect(&link.client, "x");
	assert_true(tls_stream_facts(link.server.stream, &facts));
	assert_int_equal(test_shutdown(&link.client), STREAM_END);
	test_link_done(&link);
	return facts.is_resumed;
}

/* Begins a session with one server and says whether the other resumes it, that many seconds later. */
static bool is_taken(const struct tls_fixture *f, struct tls_config *one, struct tls_config *other,
		     int version, int64_t begin, int64_t later)
{
	struct tls_config *client = test_client_config(&f->ca, NULL);
	bool result;

	clock_fake_set_unix(begin);
	assert_false(is_resumed(one, client, version));
	clock_fake_set_unix(begin + later);
	result = is_resumed(other, client, version);
	tls_config_unref(client);
	return result;
}

static void test_gateways_of_one_secret(void **state)
{
	const struct tls_fixture *f = *state;
	const struct {
		const char *secrets[2];
		int version;
		bool is_taken;
	} cases[] = {
		{ { SECRET, SECRET }, TLS1_3_VERSION, true },
		{ { SECRET, OTHER }, TLS1_3_VERSION, false },
		{ { SECRET, "" }, TLS1_3_VERSION, false },
		{ { "", "" }, TLS1_3_VERSION, false },
		/* these would show what was recorded to whoever learns the secret */
		{ { SECRET, SECRET }, TLS1_2_VERSION, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_config *one = make_server(f, cases[i].secrets[0]);
		struct tls_config *other = make_server(f, cases[i].secrets[1]);

		assert_int_equal(is_taken(f, one, other, cases[i].version, BEGIN, 1),
				 cases[i].is_taken);
		assert_true(is_taken(f, one, one, cases[i].version, BEGIN, 1));
		tls_config_unref(one);
		tls_config_unref(other);
	}
}

static void test_periods(void **state)
{
	static const struct {
		int64_t begin;
		int64_t later; /* negative: the clock of the second server is behind */
		bool is_taken;
	} cases[] = {
		{ 0, TLS_TICKET_PERIOD_S - 1, true },
		{ 0, TLS_TICKET_PERIOD_S, true },
		{ 0, 2 * TLS_TICKET_PERIOD_S - 1, true },
		{ 0, 2 * TLS_TICKET_PERIOD_S, false },
		{ TLS_TICKET_PERIOD_S - 1, TLS_TICKET_PERIOD_S, true },
		{ TLS_TICKET_PERIOD_S - 1, TLS_TICKET_PERIOD_S + 1, false },
		{ 0, -1, true },
		{ 0, -TLS_TICKET_PERIOD_S, true },
		{ 0, -TLS_TICKET_PERIOD_S - 1, false },
		{ 0, 1000 * (int64_t)TLS_TICKET_PERIOD_S, false },
	};
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct tls_config *one = make_server(f, SECRET);
		struct tls_config *other = make_server(f, SECRET);
		int version = versions[i % 2];

		assert_int_equal(is_taken(f, one, version == TLS1_3_VERSION ? other : one, version,
					  BEGIN + cases[i / 2].begin, cases[i / 2].later),
				 cases[i / 2].is_taken);
		tls_config_unref(one);
		tls_config_unref(other);
	}
}

/* Who comes again and again has a ticket of now, but shall see the certificate now and then. */
static void test_a_ticket_is_replaced(void **state)
{
	const struct tls_fixture *f = *state;
	struct tls_config *server = make_server(f, SECRET);
	struct tls_config *client = test_client_config(&f->ca, NULL);

	for (int64_t k = 0; k < 3; k++) {
		int64_t begun = BEGIN + k * TLS_TICKET_RESUMED_S;

		clock_fake_set_unix(begun);
		assert_false(is_resumed(server, client, TLS1_3_VERSION));
		for (int64_t t = 3600; t < TLS_TICKET_RESUMED_S; t += TLS_TICKET_PERIOD_S) {
			clock_fake_set_unix(begun + t);
			assert_true(is_resumed(server, client, TLS1_3_VERSION));
		}
		clock_fake_set_unix(begun + TLS_TICKET_RESUMED_S - 1);
		assert_true(is_resumed(server, client, TLS1_3_VERSION));
	}
	tls_config_unref(client);
	tls_config_unref(server);
}

/* A machine without a clock of its own begins in the first period there is: it has keys as well. */
static void test_nobody_knows_the_first_keys(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_config *one = make_server(f, SECRET);
		struct tls_config *other = make_server(f, OTHER);

		assert_true(is_taken(f, one, one, versions[i], 100, 1));
		assert_false(is_taken(f, one, other, versions[i], 100, 1));
		tls_config_unref(one);
		tls_config_unref(other);
	}
}

static void test_what_a_client_is_told(void **state)
{
	const struct tls_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;
		SSL_SESSION *session;

		tls_fixture_connect(f, &link, versions[i], NULL);
		test_write_all(&link.server, "x", 1);
		test_expect(&link.client, "x");
		session = SSL_get_session(test_engine(link.client.stream)->ssl);
		assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(session),
				 TLS_TICKET_PERIOD_S);
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		test_link_done(&link);
	}
}

/* Gateways of different releases share a secret too: HKDF by another implementation. */
static void test_the_name_of_a_key(void **state)
{
	static const uint8_t name[] = { 0xd2, 0x11, 0x09, 0x5d, 0x5d, 0xba, 0x8d, 0x7e,
					0x23, 0xd7, 0x2b, 0xc7, 0x55, 0x75, 0x74, 0xd3 };
	const struct tls_fixture *f = *state;
	struct tls_config *server = make_server(f, SECRET);
	const unsigned char *ticket = NULL;
	struct test_link link;
	size_t len = 0;

	clock_fake_set_unix(BEGIN);
	test_link_open(&link, &(struct test_link_options){ server, f->client, "a.example",
							   TLS1_3_VERSION, NULL });
	assert_true(test_link_handshake(&link));
	test_write_all(&link.server, "x", 1);
	test_expect(&link.client, "x");
	SSL_SESSION_get0_ticket(SSL_get_session(test_engine(link.client.stream)->ssl), &ticket,
				&len);
	assert_true(len > sizeof(name));
	assert_memory_equal(ticket, name, sizeof(name));
	test_link_done(&link);
	tls_config_unref(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateways_of_one_secret),
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_a_ticket_is_replaced),
		cmocka_unit_test(test_the_name_of_a_key),
		cmocka_unit_test(test_nobody_knows_the_first_keys),
		cmocka_unit_test(test_what_a_client_is_told),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
