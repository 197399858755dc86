/*
 * Blocking peers on threads, the relay between them: what a lost wake-up would stop, stops here. The peers'
 * sockets and the relay have time-outs, so that it shows as a failure.
 */

#include "io/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "io/stream_tcp.h"

#define PATTERN_LEN      1000003u
#define BYTES_PER_WAY    (100u << 20)
#define PIECE_MAX        100000u
#define PING_PONG_ROUNDS 20000
#define PING_MAX         30000u
#define TIMEOUT_S        20

struct peer {
	pthread_t thread;
	int fd;
	uint32_t random;
	size_t bytes;
	bool has_succeeded;
	bool begins; /* ping-pong: this one sends first */
	uint8_t *pattern;
};

struct bed {
	struct loop *loop;
	struct relay *relay;
	int a;
	int b;
	uint8_t *pattern;
	bool is_done;
	struct relay_result result;
};

static uint32_t next_number(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	return *random >> 8;
}

static size_t next_len(uint32_t *random, size_t max)
{
	/* Small and large ones equally often. */
	size_t limit = next_number(random) % 2 ? max : 100;

	return 1 + next_number(random) % limit;
}

/* At most up to where the pattern repeats. */
static size_t clip(size_t len, size_t at, size_t total)
{
	if (len > total - at)
		len = total - at;
	if (len > PATTERN_LEN - at % PATTERN_LEN)
		len = PATTERN_LEN - at % PATTERN_LEN;
	return len;
}

static bool send_exactly(const struct peer *p, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t count = send(p->fd, from, len, MSG_NOSIGNAL);

		if (count <= 0)
			return false;
		from += count;
		len -= (size_t)count;
	}
	return true;
}

static void *run_sender(void *arg)
{
	struct peer *p = arg;

	for (size_t at = 0; at < p->bytes;) {
		size_t len = clip(next_len(&p->random, PIECE_MAX), at, p->bytes);

		if (!send_exactly(p, p->pattern + at % PATTERN_LEN, len))
			return NULL;
		at += len;
	}
	p->has_succeeded = shutdown(p->fd, SHUT_WR) == 0;
	return NULL;
}

static void *run_receiver(void *arg)
{
	struct peer *p = arg;
	uint8_t *got = mem_alloc(PIECE_MAX + 1);
	size_t at = 0;
	ssize_t count = 0;

	while ((count = recv(p->fd, got, next_len(&p->random, PIECE_MAX), 0)) > 0) {
		for (ssize_t done = 0; done < count;) {
			size_t len = clip((size_t)(count - done), at, SIZE_MAX);

			if (memcmp(got + done, p->pattern + at % PATTERN_LEN, len) != 0)
				goto out;
			done += (ssize_t)len;
			at += len;
		}
	}
	p->has_succeeded = count == 0 && at == p->bytes;
out:
	mem_free(got);
	return NULL;
}

/* Both draw the same numbers, so each knows how much the other sends. */
static void *run_ping_pong(void *arg)
{
	struct peer *p = arg;
	uint8_t *got = mem_alloc(PING_MAX + 1);
	bool sends = p->begins;
	bool is_good = true;

	for (int i = 0; i < PING_PONG_ROUNDS && is_good; i++, sends = !sends) {
		size_t len = next_len(&p->random, PING_MAX);

		if (sends)
			is_good = send_exactly(p, p->pattern, len);
		else
			is_good = recv(p->fd, got, len, MSG_WAITALL) == (ssize_t)len &&
				  memcmp(got, p->pattern, len) == 0;
		p->bytes += sends ? len : 0;
	}
	p->has_succeeded = is_good && shutdown(p->fd, SHUT_WR) == 0;
	mem_free(got);
	return NULL;
}

static void on_done(void *arg, const struct relay_result *result)
{
	struct bed *bed = arg;

	bed->is_done = true;
	bed->result = *result;
	loop_stop(bed->loop);
}

static void make_socketpair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void make_tcp_pair(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&address, len), 0);
	fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	close(listening);
}

static struct stream *open_relay_side(struct bed *bed, void (*make_pair)(int fds[2]), int *ret_fd)
{
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct stream *stream = NULL;
	int fds[2];

	make_pair(fds);
	*ret_fd = fds[0];
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_RDWR | O_NONBLOCK), 0);
	stream = stream_tcp_open(bed->loop, fds[1], NULL);
	assert_non_null(stream);
	return stream;
}

static void prepare(struct bed *bed, void (*make_pair)(int fds[2]))
{
	struct relay_options options = { 0 };

	*bed = (struct bed){ .loop = loop_new(), .pattern = mem_alloc(PATTERN_LEN) };
	random_bytes(bed->pattern, PATTERN_LEN);
	options.a = open_relay_side(bed, make_pair, &bed->a);
	options.b = open_relay_side(bed, make_pair, &bed->b);
	options.idle_timeout_ms = TIMEOUT_S * 1000;
	options.on_done = on_done;
	options.arg = bed;
	bed->relay = relay_start(bed->loop, &options);
}

static void play(struct bed *bed, struct peer *peers, size_t count, void *(*const run[])(void *arg))
{
	for (size_t i = 0; i < count; i++) {
		peers[i].pattern = bed->pattern;
		assert_int_equal(pthread_create(&peers[i].thread, NULL, run[i], &peers[i]), 0);
	}
	loop_run(bed->loop);
	for (size_t i = 0; i < count; i++)
		pthread_join(peers[i].thread, NULL);
	close(bed->a);
	close(bed->b);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
	mem_free(bed->pattern);
	for (size_t i = 0; i < count; i++)
		assert_true(peers[i].has_succeeded);
	assert_true(bed->result.end == RELAY_A_CLOSED || bed->result.end == RELAY_B_CLOSED);
}

static void stream_both_ways(void (*make_pair)(int fds[2]))
{
	static void *(*const run[])(void *arg) = { run_sender, run_receiver, run_sender,
						   run_receiver };
	struct bed bed;

	prepare(&bed, make_pair);
	struct peer peers[] = {
		{ .fd = bed.a, .random = 1, .bytes = BYTES_PER_WAY },
		{ .fd = bed.b, .random = 2, .bytes = BYTES_PER_WAY },
		{ .fd = bed.b, .random = 3, .bytes = BYTES_PER_WAY / 2 },
		{ .fd = bed.a, .random = 4, .bytes = BYTES_PER_WAY / 2 },
	};
	play(&bed, peers, ARRAY_LEN(peers), run);
	assert_int_equal(bed.result.bytes_from_a, BYTES_PER_WAY);
	assert_int_equal(bed.result.bytes_from_b, BYTES_PER_WAY / 2);
}

static void ping_pong(void (*make_pair)(int fds[2]))
{
	static void *(*const run[])(void *arg) = { run_ping_pong, run_ping_pong };
	struct bed bed;

	prepare(&bed, make_pair);
	struct peer peers[] = {
		{ .fd = bed.a, .random = 5, .begins = true },
		{ .fd = bed.b, .random = 5 },
	};
	play(&bed, peers, ARRAY_LEN(peers), run);
	assert_int_equal(bed.result.bytes_from_a, peers[0].bytes);
	assert_int_equal(bed.result.bytes_from_b, peers[1].bytes);
}

static void test_stream_socketpair(void **state)
{
	stream_both_ways(make_socketpair);
}

static void test_stream_tcp(void **state)
{
	stream_both_ways(make_tcp_pair);
}

static void test_ping_pong_socketpair(void **state)
{
	ping_pong(make_socketpair);
}

static void test_ping_pong_tcp(void **state)
{
	ping_pong(make_tcp_pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_socketpair),
		cmocka_unit_test(test_stream_tcp),
		cmocka_unit_test(test_ping_pong_socketpair),
		cmocka_unit_test(test_ping_pong_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
