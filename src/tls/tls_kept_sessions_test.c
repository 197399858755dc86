/*
 * Sessions that one config has kept and another one finds: another process of the same user.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "tests/support/tls_fixture.h"
#include "tests/support/tls_testing.h"
#include "tls/tls_config.h"

#define KEY_LEN 64

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* A drawer with one session. */
struct drawer {
	char key[KEY_LEN + 1];
	struct buf session;
	unsigned put_count;
	unsigned take_count;
};

static void put(void *arg, const char *key, struct str session)
{
	struct drawer *d = arg;

	assert_int_equal(strlen(key), KEY_LEN);
	memcpy(d->key, key, sizeof(d->key));
	buf_done(&d->session);
	assert_int_equal(buf_append_str(&d->session, session), 0);
	d->put_count++;
}

static bool take(void *arg, const char *key, struct buf *ret_session)
{
	struct drawer *d = arg;

	d->take_count++;
	if (d->session.len == 0 || strcmp(d->key, key) != 0)
		return false;
	assert_int_equal(buf_append_str(ret_session, buf_view(&d->session)), 0);
	buf_done(&d->session);
	return true;
}

#define DRAWER ((struct drawer){ .session = BUF_INIT(TLS_SESSION_SIZE_MAX) })

/* One process, with one connection. */
static bool is_resumed(const struct tls_fixture *f, struct drawer *d, const struct test_pem *ca,
		       int version)
{
	const struct tls_session_store store = { .arg = d, .put = put, .take = take };
	struct tls_config *client = test_client_config(ca, NULL);
	struct test_link link;
	struct tls_facts facts;

	tls_config_keep_sessions(client, &store);
	test_link_open(&link, &(struct test_link_options){ f->server, client, "a.example", version,
							   NULL });
	assert_true(test_link_handshake(&link));
	assert_true(tls_stream_facts(link.client.stream, &facts));
	test_write_all(&link.server, "x", 1);
	test_expect(&link.client, "x"); /* the ticket came before it */
	assert_int_equal(test_shutdown(&link.client), STREAM_END);
	test_link_done(&link);
	tls_config_unref(client);
	return facts.is_resumed;
}

static void test_next_process_resumes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct drawer d = DRAWER;

		assert_false(
			is_resumed(*state, &d, &((struct tls_fixture *)*state)->ca, versions[i]));
		assert_true(
			is_resumed(*state, &d, &((struct tls_fixture *)*state)->ca, versions[i]));
		buf_done(&d.session);
	}
}

/* A ticket of TLS 1.3 is used once, and the connection brings the next one. */
static void test_chain_of_processes(void **state)
{
	const struct tls_fixture *f = *state;
	struct drawer d = DRAWER;

	assert_false(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(d.put_count, i);
		assert_true(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
	}
	buf_done(&d.session);
}

/* Who checks nothing leaves nothing behind that would pass for checked, and uses nothing. */
static void test_without_verification(void **state)
{
	struct drawer d = DRAWER;

	for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++)
		assert_false(is_resumed(*state, &d, NULL, versions[i / 2]));
	assert_int_equal(d.put_count, 0);
	assert_int_equal(d.take_count, 0);
}

/* With other roots it has another key: who does not trust this server must not resume. */
static void test_key_covers_trust(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_pem both = { .certificate = BUF_INIT(2 * TEST_PEM_MAX) };
	struct test_pem stranger;
	struct drawer d = DRAWER;
	char key[KEY_LEN + 1];

	test_pem_ca(&stranger, "Stranger CA");
	(void)buf_append_str(&both.certificate, buf_view(&f->ca.certificate)); /* fits */
	(void)buf_append_str(&both.certificate, buf_view(&stranger.certificate));
	assert_false(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
	memcpy(key, d.key, sizeof(key));
	assert_false(is_resumed(f, &d, &both, TLS1_3_VERSION));
	assert_string_not_equal(d.key, key);
	buf_done(&d.session);
	buf_done(&both.certificate);
	test_pem_done(&stranger);
}

/* Whatever is in the drawer: the connection works. */
static void test_broken_sessions(void **state)
{
	const struct tls_fixture *f = *state;
	struct drawer d = DRAWER;
	struct drawer broken = DRAWER;
	size_t len;

	assert_false(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
	memcpy(broken.key, d.key, sizeof(d.key));
	len = d.session.len;
	for (size_t at = 0; at < len; at += 1 + len / 40) {
		buf_done(&broken.session);
		(void)buf_append_str(&broken.session, str_first(buf_view(&d.session), at));
		assert_false(is_resumed(f, &broken, &f->ca, TLS1_3_VERSION));
	}
	buf_done(&broken.session);
	buf_done(&d.session);
}

static void test_old_and_foreign_sessions(void **state)
{
	const struct tls_fixture *f = *state;

	for (int way = 0; way < 2; way++) {
		struct drawer d = DRAWER;
		const unsigned char *at;
		SSL_SESSION *session;
		uint8_t *bytes = NULL;
		int len;

		assert_false(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
		at = d.session.data;
		session = d2i_SSL_SESSION(NULL, &at, (long)d.session.len);
		assert_non_null(session);
		if (way == 0)
			SSL_SESSION_set_time(session, SSL_SESSION_get_time(session) - 8 * 86400);
		else
			assert_int_equal(SSL_SESSION_set1_hostname(session, "b.example"), 1);
		len = i2d_SSL_SESSION(session, &bytes);
		buf_done(&d.session);
		(void)buf_append(&d.session, bytes, (size_t)len);
		OPENSSL_free(bytes);
		SSL_SESSION_free(session);
		assert_false(is_resumed(f, &d, &f->ca, TLS1_3_VERSION));
		buf_done(&d.session);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_process_resumes),
		cmocka_unit_test(test_chain_of_processes),
		cmocka_unit_test(test_without_verification),
		cmocka_unit_test(test_key_covers_trust),
		cmocka_unit_test(test_broken_sessions),
		cmocka_unit_test(test_old_and_foreign_sessions),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
