#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/loop.h"
#include "io/stream.h"
#include "io/udp.h"

#define TURNS_MAX 1000

struct fixture {
	struct loop *loop;
	struct udp_socket server;
	struct udp_socket client;
	unsigned server_events;
};

static void on_server(struct udp_socket *s)
{
	container_of(s, struct fixture, server)->server_events++;
}

static void begin(struct fixture *f)
{
	struct addr address;
	struct err e;

	*f = (struct fixture){ .loop = loop_new() };
	f->server.on_readable = on_server;
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	assert_int_equal(udp_bind(&f->server, f->loop, &address, &e), 0);
	udp_address(&f->server, &address);
	assert_int_not_equal(addr_port(&address), 0);
	assert_int_equal(udp_connect(&f->client, f->loop, &address, &e), 0);
}

static void end(struct fixture *f)
{
	udp_close(&f->client);
	udp_close(&f->client); /* idempotent */
	udp_close(&f->server);
	loop_turn(f->loop, false);
	loop_free(f->loop);
}

static void wait_for_event(struct fixture *f)
{
	for (int i = 0; i < TURNS_MAX && f->server_events == 0; i++)
		loop_turn(f->loop, true);
	assert_int_equal(f->server_events, 1);
}

static void test_packets_and_their_source(void **state)
{
	struct fixture f;
	struct addr from;
	char got[16];

	begin(&f);
	assert_int_equal(udp_receive(&f.server, got, sizeof(got), &from), STREAM_AGAIN);
	assert_true(udp_send(&f.client, STR("hello"), NULL));
	assert_true(udp_send(&f.client, STR(""), NULL));
	wait_for_event(&f);
	assert_int_equal(udp_receive(&f.server, got, sizeof(got), &from), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(udp_receive(&f.server, got, sizeof(got), &from), 0); /* empty, and one */
	assert_int_equal(udp_receive(&f.server, got, sizeof(got), &from), STREAM_AGAIN);
	assert_true(udp_send(&f.server, STR("back"), &from));
	assert_int_equal(udp_receive(&f.client, got, sizeof(got), NULL), 4);
	end(&f);
}

static void test_what_cannot_be_sent_is_dropped(void **state)
{
	const char large[UDP_PACKET_MAX] = { 0 };
	struct fixture f;
	char got[16];

	begin(&f);
	assert_false(udp_send(&f.client, str_of(large, sizeof(large)), NULL));
	assert_true(udp_send(&f.client, STR("fits"), NULL));
	assert_int_equal(udp_receive(&f.server, got, sizeof(got), NULL), 4);
	end(&f);
}

static void test_a_closed_port_is_no_failure(void **state)
{
	struct fixture f;
	char got[16];

	begin(&f);
	udp_close(&f.server);
	for (int i = 0; i < 5; i++) {
		(void)udp_send(&f.client, STR("x"), NULL); /* every other one is told of before */
		assert_int_equal(udp_receive(&f.client, got, sizeof(got), NULL), STREAM_AGAIN);
	}
	end(&f);
}

static void test_an_address_in_use(void **state)
{
	struct udp_socket second = { 0 };
	struct fixture f;
	struct addr address;
	struct err e;

	begin(&f);
	udp_address(&f.server, &address);
	assert_int_equal(udp_bind(&second, f.loop, &address, &e), -1);
	udp_close(&second);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_and_their_source),
		cmocka_unit_test(test_what_cannot_be_sent_is_dropped),
		cmocka_unit_test(test_a_closed_port_is_no_failure),
		cmocka_unit_test(test_an_address_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
