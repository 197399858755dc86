#pragma once

/*
 * tls_fixture.h - a server and a client that trust each other, for the tests of tls/
 */

#include "tests/support/tls_testing.h"

/* Bytes that do not repeat soon. What lies behind TLS_NOISE_SIZE are the first ones again, TLS_NOISE_CHUNK of them. */
#define TLS_NOISE_SIZE  (1u << 20)
#define TLS_NOISE_CHUNK 100000

struct tls_fixture {
	struct test_pem ca;
	struct test_pem pem;
	struct tls_config *server; /* for a.example */
	struct tls_config *client;
	uint8_t *noise;
};

/* For cmocka: *state becomes a struct tls_fixture. */
int tls_fixture_set_up(void **state);
int tls_fixture_tear_down(void **state);

void tls_fixture_open(const struct tls_fixture *f, struct test_link *link, int version,
		      const struct stream_mem_options *mem);

/* With the handshake done. */
void tls_fixture_connect(const struct tls_fixture *f, struct test_link *link, int version,
			 const struct stream_mem_options *mem);

void test_turn(struct loop *loop, int times);
