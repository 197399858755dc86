#include "tests/support/tls_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "io/loop.h"
#include "tls/certificate.h"
#include "tls/tls_engine.h"

#define TURNS_MAX 200000

static void pem_init(struct test_pem *ret)
{
	ret->certificate = BUF_INIT(TEST_PEM_MAX);
	ret->key = BUF_INIT(TEST_PEM_MAX);
}

void test_pem_ca(struct test_pem *ret, const char *name)
{
	pem_init(ret);
	assert_int_equal(certificate_make_ca(str_from(name), &ret->certificate, &ret->key, NULL),
			 0);
}

void test_pem_server(struct test_pem *ret, const struct test_pem *ca, const char *name)
{
	struct str names[] = { str_from(name) };

	pem_init(ret);
	assert_int_equal(certificate_make_server(&(struct tls_key_pair){ buf_view(&ca->certificate),
									 buf_view(&ca->key), "CA" },
						 names, 1, &ret->certificate, &ret->key, NULL),
			 0);
}

void test_pem_done(struct test_pem *pem)
{
	buf_done(&pem->certificate);
	buf_done_secret(&pem->key);
}

struct tls_key_pair test_key_pair(const struct test_pem *pem)
{
	return (struct tls_key_pair){ buf_view(&pem->certificate), buf_view(&pem->key), "test" };
}

struct tls_config *test_server_config(const struct test_pem *pem, const char *const *alpn)
{
	struct tls_key_pair pair = test_key_pair(pem);
	struct tls_server_options options = { .pairs = &pair,
					      .pair_count = 1,
					      .alpn = alpn,
					      .plain_http_reply = STR(PLAIN_HTTP_REPLY) };
	struct tls_config *config = NULL;

	assert_int_equal(tls_config_new_server(&options, &config, NULL), 0);
	return config;
}

struct tls_config *test_client_config(const struct test_pem *ca, const char *const *alpn)
{
	struct tls_client_options options = { .verify = ca != NULL, .alpn = alpn };
	struct tls_config *config = NULL;

	if (ca)
		options.extra_roots_pem = buf_view(&ca->certificate);
	assert_int_equal(tls_config_new_client(&options, &config, NULL), 0);
	return config;
}

static void on_event(void *arg, unsigned events)
{
	struct test_end *end = arg;

	end->events |= events;
}

void test_own(struct test_end *end, struct loop *loop, struct stream *stream)
{
	*end = (struct test_end){ .stream = stream, .loop = loop };
	stream_set_owner(stream, on_event, end);
}

struct tls_stream *test_engine(struct stream *s)
{
	assert_ptr_equal(s->ops, &tls_stream_ops);
	return container_of(s, struct tls_stream, base);
}

void test_set_version(struct stream *s, int version)
{
	SSL *ssl = test_engine(s)->ssl;

	SSL_set_security_level(ssl, 0); /* else there would be no way to try the versions of old */
	assert_int_equal(SSL_set_min_proto_version(ssl, version), 1);
	assert_int_equal(SSL_set_max_proto_version(ssl, version), 1);
}

void test_link_open(struct test_link *link, const struct test_link_options *options)
{
	struct stream *a = NULL;
	struct stream *b = NULL;
	struct loop *loop = loop_new();

	link->loop = loop;
	stream_mem_pair(loop, options->mem, &a, &b);
	test_own(&link->client, loop,
		 tls_stream_connect(loop, a, options->client, str_from(options->name)));
	test_own(&link->server, loop, tls_stream_accept(loop, b, options->server));
	if (options->version)
		test_set_version(link->client.stream, options->version);
}

void test_link_done(struct test_link *link)
{
	stream_close(TAKE(link->client.stream), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(link->server.stream), STREAM_CLOSE_NORMAL);
	loop_turn(link->loop, false);
	loop_turn(link->loop, false);
	loop_free(TAKE(link->loop));
	assert_int_equal(ERR_peek_error(), 0);
}

/* An empty write drives the handshake and leaves no wish behind when it is done. */
static ssize_t step(struct test_end *end, ssize_t last)
{
	if (last == STREAM_AGAIN && end->events) {
		end->events = 0;
		last = stream_writev(end->stream, NULL, 0);
		assert_int_equal(ERR_peek_error(), 0);
	}
	return last;
}

static bool handshake_ends(struct test_end *client, struct test_end *server)
{
	ssize_t client_result = STREAM_AGAIN;
	ssize_t server_result = STREAM_AGAIN;
	int patience = TURNS_MAX;

	client->events = STREAM_WRITABLE;
	server->events = STREAM_WRITABLE;
	while (patience-- > 0 && (client_result == STREAM_AGAIN || server_result == STREAM_AGAIN)) {
		client_result = step(client, client_result);
		server_result = step(server, server_result);
		loop_turn(client->loop, false);
	}
	assert_int_not_equal(client_result, STREAM_AGAIN);
	assert_int_not_equal(server_result, STREAM_AGAIN);
	return client_result == 0 && server_result == 0;
}

bool test_link_handshake(struct test_link *link)
{
	return handshake_ends(&link->client, &link->server);
}

void test_handshake_streams(struct loop *loop, struct stream *client, struct stream *server)
{
	struct test_end a;
	struct test_end b;

	test_own(&a, loop, client);
	test_own(&b, loop, server);
	assert_true(handshake_ends(&a, &b));
}

void test_wait(struct test_end *end, unsigned events)
{
	for (int i = 0; !(end->events & events); i++) {
		assert_true(i < TURNS_MAX);
		loop_turn(end->loop, false);
	}
	end->events &= ~events;
}

ssize_t test_read(struct test_end *end, void *to, size_t len)
{
	ssize_t n;

	while ((n = stream_read(end->stream, to, len)) == STREAM_AGAIN)
		test_wait(end, STREAM_READABLE);
	assert_int_equal(ERR_peek_error(), 0);
	return n;
}

void test_write_all(struct test_end *end, const void *from, size_t len)
{
	const uint8_t *at = from;

	while (len > 0) {
		ssize_t n = stream_write(end->stream, at, len);

		assert_int_not_equal(n, STREAM_FAILED);
		if (n == STREAM_AGAIN) {
			test_wait(end, STREAM_WRITABLE);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

void test_expect(struct test_end *end, const char *text)
{
	for (; *text; text++) {
		char c = 0;

		assert_int_equal(test_read(end, &c, 1), 1);
		assert_int_equal(c, *text);
	}
}

int test_shutdown(struct test_end *end)
{
	int result;

	while ((result = stream_shutdown(end->stream)) == STREAM_AGAIN)
		test_wait(end, STREAM_WRITABLE);
	return result;
}
