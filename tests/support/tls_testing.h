#pragma once

/*
 * tls_testing.h - what the tests of tls/ share: a CA, configs, and two TLS streams joined by memory
 *
 * The ends are driven as owners must: an operation that said AGAIN is tried again only after its event. A wake-up
 * that is lost shows as a failed assertion, not as a hang.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/stream.h"
#include "tests/support/stream_mem.h"
#include "tls/tls_config.h"
#include "tls/tls_stream.h"

struct loop;

#define TEST_PEM_MAX     16384
#define PLAIN_HTTP_REPLY "HTTP/1.1 400 Bad Request\r\n\r\n"

struct test_pem {
	struct buf certificate;
	struct buf key;
};

void test_pem_ca(struct test_pem *ret, const char *name);
void test_pem_server(struct test_pem *ret, const struct test_pem *ca, const char *name);
void test_pem_done(struct test_pem *pem);

/* The pair with everything borrowed from pem. */
struct tls_key_pair test_key_pair(const struct test_pem *pem);

/* A config for that one pair; ca NULL: the client does not verify. */
struct tls_config *test_server_config(const struct test_pem *pem, const char *const *alpn);
struct tls_config *test_client_config(const struct test_pem *ca, const char *const *alpn);

struct test_end {
	struct stream *stream;
	struct loop *loop;
	unsigned events;
};

struct test_link {
	struct loop *loop;
	struct test_end client;
	struct test_end server;
};

struct test_link_options {
	struct tls_config *server;
	struct tls_config *client;
	const char *name;
	int version; /* the only one the client speaks; 0: both */
	const struct stream_mem_options *mem;
};

void test_link_open(struct test_link *link, const struct test_link_options *options);

/* Closes both ends, if they are there, and the loop. */
void test_link_done(struct test_link *link);

/* False as soon as both ends know that it failed. */
bool test_link_handshake(struct test_link *link);

void test_own(struct test_end *end, struct loop *loop, struct stream *stream);

/* Waits until one of the events has come. */
void test_wait(struct test_end *end, unsigned events);

/* The first result that is not AGAIN. */
ssize_t test_read(struct test_end *end, void *to, size_t len);
void test_write_all(struct test_end *end, const void *from, size_t len);
void test_expect(struct test_end *end, const char *text);
int test_shutdown(struct test_end *end);

/* An owner's pair of streams of that version with the handshake done and no wish pending. */
void test_handshake_streams(struct loop *loop, struct stream *client, struct stream *server);

/* The connection below a TLS stream, for what only tests ask of it. */
struct tls_stream *test_engine(struct stream *s);
void test_set_version(struct stream *s, int version);
