#include "proxy/given_sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/listener.h"
#include "proxy/listening.h"

static struct addr at(const char *ip, uint16_t port)
{
	struct addr address = { 0 };

	assert_true(addr_from_ip(str_from(ip), port, &address));
	return address;
}

static int bound_at(const char *ip, struct addr *ret)
{
	struct addr address = at(ip, 0);
	int fd = listener_bind(&address, true, NULL);

	assert_true(fd >= 0);
	listener_bound_address(fd, ret);
	return fd;
}

static struct addr add(struct given_sockets *g, enum socket_purpose purpose, bool is_activated)
{
	struct addr bound;
	struct given_socket s = { .fd = bound_at("127.0.0.1", &bound),
				  .purpose = purpose,
				  .is_activated = is_activated };

	assert_int_equal(given_sockets_add(g, &s, NULL), 0);
	return bound;
}

/* ---- what came from the service manager ---- */

static void test_not_for_us(void **state)
{
	static const char *const pids[] = { NULL, "", "1", "x" };
	struct given_sockets g = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
		if (pids[i])
			assert_int_equal(setenv("LISTEN_PID", pids[i], 1), 0);
		assert_int_equal(setenv("LISTEN_FDS", "7", 1), 0);
		assert_int_equal(given_sockets_receive(&g, NULL), 0);
		assert_int_equal(g.count, 0);
		assert_null(getenv("LISTEN_PID"));
		assert_null(getenv("LISTEN_FDS"));
	}
}

static void test_broken_numbers(void **state)
{
	static const char *const numbers[] = { "", "-1", "x", "3x", "99999999", NULL };
	struct given_sockets g = { 0 };
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct err e = { 0 };

		assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
		if (numbers[i])
			assert_int_equal(setenv("LISTEN_FDS", numbers[i], 1), 0);
		assert_int_equal(given_sockets_receive(&g, &e), -1);
		assert_non_null(strstr(e.text, "LISTEN_FDS: "));
	}
	assert_int_equal(g.count, 0);
}

static void test_what_is_no_socket(void **state)
{
	struct given_sockets g = { 0 };
	struct err e = { 0 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(given_sockets_add(&g, &(struct given_socket){ .fd = fd }, &e), -1);
	assert_non_null(strstr(e.text, "is no socket"));
	close(fd);
	assert_int_equal(given_sockets_add(&g, &(struct given_socket){ .fd = fd }, &e), -1);
	assert_int_equal(g.count, 0);
}

/* ---- from one process to the next ---- */

static void test_written_and_read(void **state)
{
	struct given_sockets g = { 0 };
	struct given_sockets next = { 0 };
	struct buf text = BUF_INIT(1024);
	struct buf own = BUF_INIT(1024);

	add(&g, SOCKET_MAIN, false);
	add(&g, SOCKET_MAIN, true);
	add(&g, SOCKET_HEALTH, false);
	add(&g, SOCKET_METRICS, true);
	given_sockets_write(&g, 4, &text);
	assert_int_equal(buf_append_char(&text, '\0'), 0);
	assert_string_equal((const char *)text.data, "4:main,5:main+,6:health,7:metrics+");

	for (size_t i = 0; i < g.count; i++)
		assert_int_equal(buf_printf(&own, "%s%d:%s", i ? "," : "", g.items[i].fd,
					    i == 1 ? "redirect+" : "main"),
				 0);
	assert_int_equal(given_sockets_read(&next, buf_view(&own), NULL), 0);
	assert_int_equal(next.count, 4);
	assert_int_equal(next.items[1].purpose, SOCKET_REDIRECT);
	assert_true(next.items[1].is_activated);
	assert_false(next.items[0].is_activated);
	buf_done(&text);
	buf_done(&own);
	given_sockets_done(&g);
}

static void test_broken_lists(void **state)
{
	static const char *const lists[] = { "x", "x:main",           ":main",        "-1:main",
					     "4", "99999999999:main", "1000000:main", "," };
	struct given_sockets g = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		assert_int_equal(given_sockets_read(&g, str_from(lists[i]), NULL), -1);
	assert_int_equal(given_sockets_read(&g, STR(""), NULL), 0);
	assert_int_equal(g.count, 0);
}

/* ---- taking ---- */

static void test_takes_what_fits(void **state)
{
	struct given_sockets g = { 0 };
	struct addr first = add(&g, SOCKET_MAIN, false);
	struct addr other = add(&g, SOCKET_HEALTH, false);
	struct addr any_port = at("127.0.0.1", 0);
	struct addr bound;
	int fd;

	assert_int_equal(given_sockets_take(&g, SOCKET_MAIN, &other, &bound), -1);
	assert_int_equal(given_sockets_take(&g, SOCKET_REDIRECT, &first, &bound), -1);
	fd = given_sockets_take(&g, SOCKET_MAIN, &first, &bound);
	assert_true(fd >= 0);
	assert_int_equal(addr_port(&bound), addr_port(&first));
	close(fd);
	assert_int_equal(given_sockets_take(&g, SOCKET_MAIN, &first, &bound), -1);
	fd = given_sockets_take(&g, SOCKET_HEALTH, &any_port, &bound);
	assert_int_equal(addr_port(&bound), addr_port(&other));
	close(fd);
	given_sockets_done(&g);
}

static void test_an_activated_one_needs_not_fit(void **state)
{
	struct given_sockets g = { 0 };
	struct addr wanted = at("10.1.2.3", 443);
	struct addr inherited = add(&g, SOCKET_MAIN, false);
	struct addr activated = add(&g, SOCKET_MAIN, true);
	struct addr bound;
	int fd = given_sockets_take(&g, SOCKET_MAIN, &inherited, &bound);

	assert_int_equal(addr_port(&bound), addr_port(&activated));
	assert_false(given_socket_fits(&bound, &wanted));
	assert_int_equal(given_sockets_count(&g, SOCKET_MAIN, true), 0);
	assert_int_equal(given_sockets_count(&g, SOCKET_MAIN, false), 1);
	close(fd);
	given_sockets_done(&g);
}

static void test_every_interface_is_every_interface(void **state)
{
	struct addr ip4 = at("0.0.0.0", 443);
	struct addr ip6 = at("::", 443);
	struct addr one = at("127.0.0.1", 443);

	assert_true(given_socket_fits(&ip4, &ip6));
	assert_true(given_socket_fits(&ip6, &ip6));
	assert_false(given_socket_fits(&one, &ip6));
	assert_false(given_socket_fits(&ip4, &one));
}

/* ---- for the workers ---- */

static size_t count_at(const struct listening *l, const struct addr *address)
{
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct addr bound;

		listener_bound_address(l->fds[i], &bound);
		count += addr_port(&bound) == addr_port(address);
	}
	return count;
}

static void test_the_first_worker_has_an_activated_one(void **state)
{
	struct given_sockets g = { 0 };
	struct addr wanted = at("127.0.0.1", 1);
	struct addr bound = add(&g, SOCKET_MAIN, true);
	struct listening l;

	assert_int_equal(listening_open_given(&l, &g, &wanted, 3, NULL), 0);
	assert_true(l.is_activated);
	assert_int_equal(l.count, 3);
	assert_true(l.fds[0] >= 0);
	assert_int_equal(listening_take(&l, 1), -1);
	assert_int_equal(listening_take(&l, 2), -1);
	assert_int_equal(addr_port(&l.address), addr_port(&bound));
	listening_done(&l);
	given_sockets_done(&g);
}

static void test_two_activated_ones(void **state)
{
	struct given_sockets g = { 0 };
	struct addr wanted = add(&g, SOCKET_MAIN, true);
	struct err e = { 0 };
	struct listening l;

	add(&g, SOCKET_MAIN, true);
	assert_int_equal(listening_open_given(&l, &g, &wanted, 3, &e), -1);
	assert_non_null(strstr(e.text, "2 sockets for the main address"));
	given_sockets_done(&g);
}

/* More workers than before, and fewer. */
static void test_as_many_as_there_are_workers(void **state)
{
	for (size_t workers = 1; workers <= 3; workers++) {
		struct given_sockets g = { 0 };
		struct addr address = add(&g, SOCKET_MAIN, false);
		int fd = listener_bind(&address, true, NULL);
		struct listening l;

		assert_int_equal(given_sockets_add(&g, &(struct given_socket){ .fd = fd }, NULL),
				 0);
		assert_int_equal(listening_open_given(&l, &g, &address, workers, NULL), 0);
		assert_false(l.is_activated);
		assert_int_equal(l.count, workers);
		assert_int_equal(count_at(&l, &address), workers);
		assert_int_equal(given_sockets_count(&g, SOCKET_MAIN, false), workers == 1 ? 1 : 0);
		listening_done(&l);
		given_sockets_done(&g);
	}
}

static void test_another_address(void **state)
{
	struct given_sockets g = { 0 };
	struct addr before = add(&g, SOCKET_MAIN, false);
	struct addr wanted = at("127.0.0.2", addr_port(&before));
	struct listening l;

	assert_int_equal(listening_open_given(&l, &g, &wanted, 2, NULL), 0);
	assert_int_equal(l.count, 2);
	assert_int_equal(given_sockets_count(&g, SOCKET_MAIN, false), 1);
	listening_done(&l);
	given_sockets_done(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_broken_numbers),
		cmocka_unit_test(test_what_is_no_socket),
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_broken_lists),
		cmocka_unit_test(test_takes_what_fits),
		cmocka_unit_test(test_an_activated_one_needs_not_fit),
		cmocka_unit_test(test_every_interface_is_every_interface),
		cmocka_unit_test(test_the_first_worker_has_an_activated_one),
		cmocka_unit_test(test_two_activated_ones),
		cmocka_unit_test(test_as_many_as_there_are_workers),
		cmocka_unit_test(test_another_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
