/*
 * How a TLS stream moves bytes: many, few, in any pieces, and across changes of keys.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/tls_fixture.h"
#include "tls/tls_engine.h"

#define LARGE      (50u << 20)
#define SMALL      30000
#define CHUNK      TLS_NOISE_CHUNK
#define NOISE_SIZE TLS_NOISE_SIZE

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* ---- bytes ---- */

struct way {
	struct test_end *from;
	struct test_end *to;
	size_t total;
	size_t sent;
	size_t received;
	bool writer_waits;
	bool reader_waits;
	bool has_ended;
	uint32_t sizes;
};

static size_t next_size(struct way *way)
{
	way->sizes = way->sizes * 1664525u + 1013904223u;
	return 1 + (way->sizes >> 8) % CHUNK;
}

static void send_some(const struct tls_fixture *f, struct way *way)
{
	size_t len = next_size(way);
	ssize_t n;

	if (way->writer_waits && !(way->from->events & STREAM_WRITABLE))
		return;
	way->from->events &= ~(unsigned)STREAM_WRITABLE;
	if (len > way->total - way->sent)
		len = way->total - way->sent;
	if (len > 0)
		n = stream_write(way->from->stream, f->noise + way->sent % NOISE_SIZE, len);
	else
		n = stream_shutdown(way->from->stream);
	assert_int_not_equal(n, STREAM_FAILED);
	way->writer_waits = n == STREAM_AGAIN || len == 0;
	way->sent += n > 0 ? (size_t)n : 0;
}

static void receive_some(const struct tls_fixture *f, struct way *way, uint8_t *to)
{
	ssize_t n;

	if (way->has_ended || (way->reader_waits && !(way->to->events & STREAM_READABLE)))
		return;
	way->to->events &= ~(unsigned)STREAM_READABLE;
	n = stream_read(way->to->stream, to, next_size(way));
	assert_int_not_equal(n, STREAM_FAILED);
	way->reader_waits = n == STREAM_AGAIN;
	way->has_ended = n == STREAM_END;
	if (n <= 0)
		return;
	assert_memory_equal(to, f->noise + way->received % NOISE_SIZE, (size_t)n);
	way->received += (size_t)n;
}

/* Both ways at once, each operation only when the last one said so or an event did; then half-closes. */
static void transfer(const struct tls_fixture *f, struct test_link *link, size_t total)
{
	uint8_t *to = mem_alloc(CHUNK);
	struct way ways[] = {
		{ .from = &link->client, .to = &link->server, .total = total, .sizes = 1 },
		{ .from = &link->server, .to = &link->client, .total = total, .sizes = 2 },
	};
	int idle = 0;

	while (!ways[0].has_ended || !ways[1].has_ended) {
		size_t before = ways[0].sent + ways[0].received + ways[1].sent + ways[1].received;

		for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
			send_some(f, &ways[w]);
			receive_some(f, &ways[w], to);
		}
		loop_turn(link->loop, false);
		if (before != ways[0].sent + ways[0].received + ways[1].sent + ways[1].received)
			idle = 0;
		assert_true(idle++ < 100000);
	}
	assert_int_equal(ways[0].received, total);
	assert_int_equal(ways[1].received, total);
	mem_free(to);
}

static void test_much_both_ways(void **state)
{
	const struct tls_fixture *f = *state;
	static const struct stream_mem_options mem = { .capacity = 400000, .read_max = 70001 };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct test_link link;

		tls_fixture_open(f, &link, versions[i], i ? &mem : NULL);
		transfer(f, &link, LARGE);
		test_link_done(&link);
	}
}

static void test_tiny_pieces(void **state)
{
	const struct tls_fixture *f = *state;
	static const struct stream_mem_options mem[] = {
		{ .capacity = 17, .read_max = 1, .write_max = 3 },
		{ .capacity = 3, .read_max = 2, .write_max = 1, .shutdown_waits = 2 },
		{ .capacity = 16500, .read_max = 5 },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(mem); i++) {
		struct test_link link;

		tls_fixture_open(f, &link, versions[i % 2], &mem[i / 2]);
		transfer(f, &link, SMALL);
		test_link_done(&link);
	}
}

static void test_scattered_write(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct iovec iov[64];
	uint8_t *got = mem_alloc(CHUNK);
	size_t total = 0;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	for (size_t i = 0; i < ARRAY_LEN(iov); i++) {
		iov[i] = (struct iovec){ f->noise + total, (i * 37) % 1000 };
		total += iov[i].iov_len;
	}
	assert_int_equal(stream_writev(link.client.stream, iov, ARRAY_LEN(iov)), total);
	for (size_t at = 0; at < total;) {
		ssize_t n = test_read(&link.server, got + at, CHUNK - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_memory_equal(got, f->noise, total);
	/* small pieces share records */
	assert_true(total > 16384 && total < 2 * 16384);
	mem_free(got);
	test_link_done(&link);
}

/* One batch is one read: what is decrypted beyond the reader's room waits without another event. */
static void test_small_reader(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	uint8_t got[7];

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	test_write_all(&link.client, f->noise, 40000);
	assert_int_equal(test_read(&link.server, got, 1), 1);
	assert_memory_equal(got, f->noise, 1);
	for (size_t at = 1; at < 40000; at += sizeof(got)) {
		size_t len = 40000 - at < sizeof(got) ? 40000 - at : sizeof(got);

		assert_int_equal(test_read(&link.server, got, len), len);
		assert_memory_equal(got, f->noise + at, len);
	}
	assert_int_equal(stream_read(link.server.stream, got, 1), STREAM_AGAIN);
	test_link_done(&link);
}

static void test_idle_stream_owns_no_buffer(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	char c;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	test_write_all(&link.client, "hello", 5);
	test_expect(&link.server, "hello");
	test_write_all(&link.server, "hello", 5);
	test_expect(&link.client, "hello");
	assert_int_equal(stream_read(link.client.stream, &c, 1), STREAM_AGAIN);
	assert_int_equal(stream_read(link.server.stream, &c, 1), STREAM_AGAIN);
	assert_null(test_engine(link.client.stream)->wire.in.data);
	assert_null(test_engine(link.client.stream)->wire.out.data);
	assert_null(test_engine(link.server.stream)->wire.in.data);
	assert_null(test_engine(link.server.stream)->wire.out.data);
	test_link_done(&link);
}

static bool gives_buffers_back(const struct test_end *end)
{
	return SSL_get_mode(test_engine(end->stream)->ssl) & SSL_MODE_RELEASE_BUFFERS;
}

/* What a relay has read goes on in one write, and OpenSSL's buffers are there no longer than that takes. */
static void test_block_goes_at_once(void **state)
{
	const struct tls_fixture *f = *state;
	const struct stream_mem_options wide = { .capacity = 2 * LOOP_BLOCK_SIZE };
	struct test_link link;
	uint8_t *got = mem_alloc(LOOP_BLOCK_SIZE);
	uint8_t *block = mem_copy(f->noise, LOOP_BLOCK_SIZE);

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		size_t at = 0;
		ssize_t n;

		tls_fixture_connect(f, &link, versions[i], &wide);
		assert_int_equal(stream_write(link.client.stream, block, LOOP_BLOCK_SIZE),
				 LOOP_BLOCK_SIZE);
		assert_true(gives_buffers_back(&link.client));
		while (at < LOOP_BLOCK_SIZE &&
		       (n = test_read(&link.server, got + at, LOOP_BLOCK_SIZE - at)) > 0)
			at += (size_t)n;
		assert_int_equal(at, LOOP_BLOCK_SIZE);
		assert_memory_equal(got, block, at);
		assert_true(gives_buffers_back(&link.server));
		test_link_done(&link);
	}
	mem_free(block);
	mem_free(got);
}

static void test_not_reading_leaves_the_lower_stream_alone(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct stream *lower;
	size_t pending;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	lower = test_engine(link.server.stream)->wire.lower;
	test_write_all(&link.client, f->noise, 30000);
	pending = stream_mem_pending(lower);
	assert_true(pending > 30000);
	test_write_all(&link.server, "still writing", 13);
	test_turn(link.loop, 20);
	assert_int_equal(stream_mem_pending(lower), pending);
	test_link_done(&link);
}

/* ---- key updates ---- */

static void test_key_update_in_mid_stream(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	for (int i = 0; i < 10; i++) {
		struct test_end *from = i % 2 ? &link.client : &link.server;
		struct test_end *to = i % 2 ? &link.server : &link.client;

		assert_int_equal(
			SSL_key_update(test_engine(from->stream)->ssl, SSL_KEY_UPDATE_REQUESTED),
			1);
		test_write_all(from, "question", 8);
		test_expect(to, "question");
		test_write_all(to, "answer", 6);
		test_expect(from, "answer");
	}
	transfer(f, &link, SMALL);
	test_link_done(&link);
}

static void test_key_update_after_shutdown(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;

	tls_fixture_connect(f, &link, TLS1_3_VERSION, NULL);
	assert_int_equal(test_shutdown(&link.server), STREAM_END);
	assert_int_equal(
		SSL_key_update(test_engine(link.client.stream)->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	test_write_all(&link.client, "more", 4);
	test_expect(&link.server, "more");
	test_link_done(&link);
}

/* A peer that asks for new keys all the time, and does not read the answers. */
static void test_flood_of_key_updates(void **state)
{
	const struct tls_fixture *f = *state;
	struct test_link link;
	struct tls_stream *client;
	uint8_t waits;

	tls_fixture_open(f, &link, TLS1_3_VERSION,
			 &(struct stream_mem_options){ .capacity = 4u << 20 });
	assert_true(test_link_handshake(&link));
	client = test_engine(link.client.stream);
	for (int i = 0; i < 40000; i++) {
		assert_int_equal(SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client->ssl), 1);
		if (i % 1000 == 999)
			assert_int_equal(tls_push(client, &waits), STEP_RETRY);
	}
	test_write_all(&link.client, "at last", 7);
	test_expect(&link.server, "at last");
	assert_int_equal(stream_error(link.server.stream), 0);
	test_link_done(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_much_both_ways),
		cmocka_unit_test(test_tiny_pieces),
		cmocka_unit_test(test_scattered_write),
		cmocka_unit_test(test_small_reader),
		cmocka_unit_test(test_idle_stream_owns_no_buffer),
		cmocka_unit_test(test_block_goes_at_once),
		cmocka_unit_test(test_not_reading_leaves_the_lower_stream_alone),
		cmocka_unit_test(test_key_update_in_mid_stream),
		cmocka_unit_test(test_key_update_after_shutdown),
		cmocka_unit_test(test_flood_of_key_updates),
	};

	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
