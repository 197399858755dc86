#include "io/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/clock_fake.h"

#define CLIENTS_MAX 200

struct bed {
	struct loop *loop;
	struct listener *listener;
	struct addr address;
	struct stream *streams[CLIENTS_MAX];
	struct addr peers[CLIENTS_MAX];
	size_t count;
	size_t close_at; /* listener_close() from inside this on_accept; 0: never */
	unsigned problems;
	unsigned shed;
	struct err problem;
};

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	struct bed *bed = arg;

	assert_true(bed->count < CLIENTS_MAX);
	bed->peers[bed->count] = *peer;
	bed->streams[bed->count++] = stream;
	if (bed->count == bed->close_at)
		listener_close(bed->listener);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	struct bed *bed = arg;

	bed->problems++;
	bed->shed += shed_count;
	bed->problem = *e;
}

static const struct listener_events events = { .on_accept = on_accept, .on_problem = on_problem };

static void prepare(struct bed *bed, const char *ip)
{
	struct addr address = { 0 };
	struct err e = { 0 };

	*bed = (struct bed){ .loop = loop_new() };
	assert_true(addr_from_ip(str_from(ip), 0, &address));
	bed->listener = listener_open(bed->loop, &address, false, &events, bed, &e);
	assert_non_null(bed->listener);
	listener_address(bed->listener, &bed->address);
	assert_int_not_equal(addr_port(&bed->address), 0);
}

static void finish(struct bed *bed)
{
	listener_close(bed->listener);
	for (size_t i = 0; i < bed->count; i++)
		stream_close(bed->streams[i], STREAM_CLOSE_NORMAL);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static int connect_to(const struct addr *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address->any, addr_len(address)), 0);
	return fd;
}

static void turn(struct bed *bed, int times)
{
	for (int i = 0; i < times; i++)
		loop_turn(bed->loop, false);
}

static void test_accepts_and_names_the_peer(void **state)
{
	struct bed bed;
	struct addr own = { 0 };
	socklen_t len = sizeof(own);
	char text[8];
	int fd = -1;

	prepare(&bed, "127.0.0.1");
	fd = connect_to(&bed.address);
	turn(&bed, 3);
	assert_int_equal(bed.count, 1);
	assert_int_equal(getsockname(fd, &own.any, &len), 0);
	assert_int_equal(addr_port(&bed.peers[0]), addr_port(&own));
	assert_int_equal(write(fd, "hello", 5), 5);
	turn(&bed, 3);
	assert_int_equal(stream_read(bed.streams[0], text, sizeof(text)), 5);
	assert_int_equal(stream_write(bed.streams[0], "hi", 2), 2);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	close(fd);
	finish(&bed);
}

static void test_batches(void **state)
{
	struct bed bed;
	int fds[CLIENTS_MAX];

	prepare(&bed, "127.0.0.1");
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		fds[i] = connect_to(&bed.address);
	turn(&bed, 1);
	assert_in_range(bed.count, LISTENER_ACCEPT_BATCH, 2 * LISTENER_ACCEPT_BATCH);
	turn(&bed, 5);
	assert_int_equal(bed.count, CLIENTS_MAX);
	assert_int_equal(bed.problems, 0);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
	finish(&bed);
}

static void test_close_inside_accept(void **state)
{
	struct bed bed;
	int fds[3];

	prepare(&bed, "127.0.0.1");
	bed.close_at = 2;
	for (size_t i = 0; i < 3; i++)
		fds[i] = connect_to(&bed.address);
	turn(&bed, 1);
	assert_int_equal(bed.count, 2);
	bed.listener = NULL;
	turn(&bed, 3);
	assert_int_equal(bed.count, 2);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	finish(&bed);
}

static void test_ip6_any_takes_ip4(void **state)
{
	struct bed bed;
	struct addr ip4 = { 0 };
	char text[ADDR_TEXT_MAX];
	int fd = -1;

	prepare(&bed, "::");
	assert_true(addr_from_ip(STR("127.0.0.1"), addr_port(&bed.address), &ip4));
	fd = connect_to(&ip4);
	turn(&bed, 3);
	assert_int_equal(bed.count, 1);
	addr_format_ip(&bed.peers[0], text);
	assert_string_equal(text, "127.0.0.1");
	close(fd);
	finish(&bed);
}

static void test_shared_port(void **state)
{
	struct bed bed = { .loop = loop_new() };
	struct addr address = { 0 };
	struct listener *listeners[2];
	struct err e = { 0 };

	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	listeners[0] = listener_open(bed.loop, &address, true, &events, &bed, &e);
	assert_non_null(listeners[0]);
	listener_address(listeners[0], &address);
	listeners[1] = listener_open(bed.loop, &address, true, &events, &bed, &e);
	assert_non_null(listeners[1]);
	assert_int_equal(listener_check_free(&address, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "127.0.0.1:"));
	assert_non_null(strstr(e.text, "in use"));
	listener_close(listeners[0]);
	listener_close(listeners[1]);
	assert_int_equal(listener_check_free(&address, &e), 0);
	finish(&bed);
}

static void test_refuses_an_address_in_use(void **state)
{
	struct bed bed;
	struct err e = { 0 };

	prepare(&bed, "127.0.0.1");
	assert_null(listener_open(bed.loop, &bed.address, false, &events, &bed, &e));
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1:"));
	finish(&bed);
}

/* Takes every descriptor there is below the limit and returns how many. */
static size_t take_all_descriptors(int *taken, size_t max)
{
	size_t count = 0;

	while (count < max && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	return count;
}

static void test_sheds_when_descriptors_run_out(void **state)
{
	enum { CLIENTS = 10, LIMIT = 128 };
	struct rlimit old = { 0 };
	struct rlimit low = { 0 };
	struct bed bed;
	int taken[LIMIT];
	int fds[CLIENTS];
	size_t taken_count = 0;
	char byte = 0;

	prepare(&bed, "127.0.0.1");
	turn(&bed, 1);
	for (size_t i = 0; i < CLIENTS; i++)
		fds[i] = connect_to(&bed.address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ .rlim_cur = LIMIT, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	taken_count = take_all_descriptors(taken, LIMIT);
	assert_true(taken_count > 0);

	turn(&bed, 3);
	assert_int_equal(bed.count, 0);
	assert_int_equal(bed.problems, 1);
	assert_int_equal(bed.problem.kind, ERR_LIMIT);
	assert_int_equal(bed.shed, CLIENTS);
	for (size_t i = 0; i < CLIENTS; i++) {
		assert_true(read(fds[i], &byte, 1) <= 0);
		close(fds[i]);
	}
	/* Those descriptors are free again: reports come at most once per interval. */
	taken_count += take_all_descriptors(taken + taken_count, LIMIT - taken_count);
	close(taken[--taken_count]);
	fds[0] = connect_to(&bed.address);
	turn(&bed, 3);
	assert_int_equal(bed.problems, 1);
	assert_int_equal(bed.shed, CLIENTS);
	clock_fake_advance_ms(LISTENER_PROBLEM_INTERVAL_MS);
	turn(&bed, 3);
	assert_int_equal(bed.problems, 2);
	assert_int_equal(bed.shed, CLIENTS + 1);
	close(fds[0]);

	while (taken_count > 0)
		close(taken[--taken_count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fds[0] = connect_to(&bed.address);
	turn(&bed, 3);
	assert_int_equal(bed.count, 1);
	close(fds[0]);
	finish(&bed);
}

static void on_retired(void *arg)
{
	struct bed *bed = arg;

	bed->listener = NULL;
	bed->problems++;
}

static bool can_connect(const struct addr *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = connect(fd, &address->any, addr_len(address));

	close(fd);
	return rc == 0;
}

/* Those whom the kernel has let in are served; nobody new comes in; then the address is free. */
static void test_retires(void **state)
{
	struct bed bed;
	int fds[CLIENTS_MAX];

	prepare(&bed, "127.0.0.1");
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		fds[i] = connect_to(&bed.address);
	listener_retire(bed.listener, on_retired);
	assert_false(can_connect(&bed.address));
	clock_fake_advance_ms(LISTENER_RETIRE_MS - 1);
	turn(&bed, 1);
	assert_int_equal(bed.problems, 0);
	clock_fake_advance_ms(1);
	turn(&bed, 1);
	assert_int_equal(bed.problems, 1);
	assert_int_equal(bed.count, CLIENTS_MAX);
	assert_int_equal(listener_check_free(&bed.address, NULL), 0);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
	finish(&bed);
}

/* Whoever waits is served, and there is nothing to wait for. */
static void test_finishes(void **state)
{
	struct bed bed;
	int fds[CLIENTS_MAX];

	prepare(&bed, "127.0.0.1");
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		fds[i] = connect_to(&bed.address);
	listener_finish(bed.listener, on_retired);
	assert_int_equal(bed.problems, 0);
	turn(&bed, 1);
	assert_int_equal(bed.problems, 1);
	assert_int_equal(bed.count, CLIENTS_MAX);
	assert_false(can_connect(&bed.address));
	assert_int_equal(listener_check_free(&bed.address, NULL), 0);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
	finish(&bed);
}

static void test_closed_while_it_retires(void **state)
{
	struct bed bed;

	prepare(&bed, "127.0.0.1");
	listener_retire(bed.listener, on_retired);
	listener_close(bed.listener);
	clock_fake_advance_ms(LISTENER_RETIRE_MS);
	turn(&bed, 2);
	assert_int_equal(bed.problems, 0);
	bed.listener = NULL;
	finish(&bed);
}

static void test_adopts(void **state)
{
	struct addr address = { 0 };
	struct bed bed = { .loop = loop_new() };
	int socket;
	int fd;

	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	socket = listener_bind(&address, true, NULL);
	assert_true(socket >= 0);
	listener_bound_address(socket, &address);
	assert_int_not_equal(addr_port(&address), 0);
	fd = connect_to(&address); /* before anybody accepts */
	bed.listener = listener_adopt(bed.loop, socket, &events, &bed, NULL);
	turn(&bed, 3);
	assert_int_equal(bed.count, 1);
	close(fd);
	finish(&bed);
	bed.loop = loop_new();
	assert_null(listener_adopt(bed.loop, open("/dev/null", O_RDONLY | O_CLOEXEC), &events, &bed,
				   NULL));
	loop_turn(bed.loop, false);
	loop_free(bed.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts_and_names_the_peer),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_close_inside_accept),
		cmocka_unit_test(test_ip6_any_takes_ip4),
		cmocka_unit_test(test_shared_port),
		cmocka_unit_test(test_refuses_an_address_in_use),
		cmocka_unit_test(test_sheds_when_descriptors_run_out),
		cmocka_unit_test(test_retires),
		cmocka_unit_test(test_finishes),
		cmocka_unit_test(test_closed_while_it_retires),
		cmocka_unit_test(test_adopts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
