#include "tests/support/tls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"

static uint8_t *make_noise(void)
{
	uint8_t *noise = mem_alloc(TLS_NOISE_SIZE + TLS_NOISE_CHUNK);
	uint32_t number = 1;

	for (size_t i = 0; i < TLS_NOISE_SIZE; i++) {
		number = number * 1664525u + 1013904223u;
		noise[i] = (uint8_t)(number >> 24);
	}
	memcpy(noise + TLS_NOISE_SIZE, noise, TLS_NOISE_CHUNK);
	return noise;
}

int tls_fixture_set_up(void **state)
{
	struct tls_fixture *f = mem_alloc(sizeof(*f));

	test_pem_ca(&f->ca, "Test CA");
	test_pem_server(&f->pem, &f->ca, "a.example");
	f->server = test_server_config(&f->pem, NULL);
	f->client = test_client_config(&f->ca, NULL);
	f->noise = make_noise();
	*state = f;
	return 0;
}

int tls_fixture_tear_down(void **state)
{
	struct tls_fixture *f = *state;

	tls_config_unref(f->server);
	tls_config_unref(f->client);
	test_pem_done(&f->pem);
	test_pem_done(&f->ca);
	mem_free(f->noise);
	mem_free(f);
	return 0;
}

void tls_fixture_open(const struct tls_fixture *f, struct test_link *link, int version,
		      const struct stream_mem_options *mem)
{
	test_link_open(link, &(struct test_link_options){ f->server, f->client, "a.example",
							  version, mem });
}

void tls_fixture_connect(const struct tls_fixture *f, struct test_link *link, int version,
			 const struct stream_mem_options *mem)
{
	tls_fixture_open(f, link, version, mem);
	assert_true(test_link_handshake(link));
}

void test_turn(struct loop *loop, int times)
{
	while (times-- > 0)
		loop_turn(loop, false);
}
