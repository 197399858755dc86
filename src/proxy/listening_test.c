#include "proxy/listening.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <unistd.h>

#include <cmocka.h>

#include "io/listener.h"

static struct addr at(const char *ip, uint16_t port)
{
	struct addr address = { 0 };

	assert_true(addr_from_ip(str_from(ip), port, &address));
	return address;
}

static void test_one_socket_each(void **state)
{
	struct addr address = at("127.0.0.1", 0);
	struct listening l;
	struct addr bound;
	int taken;

	assert_int_equal(listening_open(&l, &address, 3, NULL, NULL), 0);
	assert_int_equal(l.count, 3);
	assert_int_not_equal(addr_port(&l.address), 0);
	for (size_t i = 0; i < 3; i++) {
		listener_bound_address(l.fds[i], &bound);
		assert_int_equal(addr_port(&bound), addr_port(&l.address));
	}
	taken = listening_take(&l, 1);
	listening_done(&l);
	listener_bound_address(taken, &bound); /* it is still open */
	assert_int_equal(addr_port(&bound), addr_port(&l.address));
	assert_int_equal(listener_check_free(&bound, NULL), -1);
	assert_int_equal(close(taken), 0);
	assert_int_equal(listener_check_free(&bound, NULL), 0);
	listening_done(&l); /* twice is once */
}

/* The kernel would let us share a port with another process of ours, whose clients we would take. */
static void test_in_use(void **state)
{
	struct addr address = at("127.0.0.1", 0);
	struct listening other;
	struct listening l;
	struct err e = { 0 };

	assert_int_equal(listening_open(&other, &address, 1, NULL, NULL), 0);
	assert_int_equal(listening_open(&l, &other.address, 2, NULL, &e), -1);
	assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1:"));
	assert_int_equal(l.count, 0);
	/* Another port of ours is no excuse. */
	address = at("127.0.0.1", (uint16_t)(addr_port(&other.address) ^ 1));
	assert_int_equal(listening_open(&l, &other.address, 2, &address, NULL), -1);
	listening_done(&other);
}

/* One that no other program has on any address: the kernel would rightly call it in use. */
static uint16_t port_of_nobody(const char *ip)
{
	struct addr address = at(ip, 0);
	struct listening l;
	uint16_t port;

	assert_int_equal(listening_open(&l, &address, 1, NULL, NULL), 0);
	port = addr_port(&l.address);
	listening_done(&l);
	return port;
}

static void test_overlaps_with_our_own(void **state)
{
	static const char *const others[] = { "127.0.0.1", "0.0.0.0", "::" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct addr address = at("127.0.0.1", port_of_nobody(others[i]));
		struct listening own;
		struct listening l;

		assert_int_equal(listening_open(&own, &address, 2, NULL, NULL), 0);
		address = at(others[i], addr_port(&own.address));
		assert_int_equal(listening_open(&l, &address, 2, &own.address, NULL), 0);
		listening_done(&own);
		listening_done(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_socket_each),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_overlaps_with_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
