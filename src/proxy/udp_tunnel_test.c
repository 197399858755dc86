#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/udp.h"
#include "proxy/udp_tunnel.h"

#define TURNS_MAX 1000
#define ROOM      (256u * 1024)

struct fixture {
	struct loop *loop;
	struct udp_socket upstream;
	struct addr tunnel; /* from where its packets come */
	struct stream *stream;
	unsigned events;
	uint8_t *room;
};

static void on_event(void *arg, unsigned events)
{
	((struct fixture *)arg)->events |= events;
}

static void begin(struct fixture *f)
{
	struct addr address;
	struct err e;

	*f = (struct fixture){ .loop = loop_new(), .room = mem_alloc(ROOM) };
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	assert_int_equal(udp_bind(&f->upstream, f->loop, &address, &e), 0);
	udp_address(&f->upstream, &address);
	f->stream = udp_tunnel_open(f->loop, &address, &e);
	assert_non_null(f->stream);
	stream_set_owner(f->stream, on_event, f);
}

static void end(struct fixture *f)
{
	stream_close(f->stream, STREAM_CLOSE_NORMAL);
	udp_close(&f->upstream);
	loop_turn(f->loop, false);
	loop_free(f->loop);
	mem_free(f->room);
}

static void assert_upstream_gets(struct fixture *f, struct str wanted)
{
	char got[64];

	assert_int_equal(udp_receive(&f->upstream, got, sizeof(got), &f->tunnel), wanted.len);
	assert_memory_equal(got, wanted.at, wanted.len);
}

static void assert_write(struct fixture *f, struct str bytes)
{
	assert_int_equal(stream_write(f->stream, bytes.at, bytes.len), bytes.len);
}

/* So that the upstream knows where to send to. */
static void begin_known(struct fixture *f)
{
	begin(f);
	assert_write(f, STR("\0\x02\0?"));
	assert_upstream_gets(f, STR("?"));
}

static void test_capsules_become_packets(void **state)
{
	struct fixture f;
	char got[8];

	begin(&f);
	assert_write(&f, STR("\0\x03\0ab\x1f\x01x\0\x04"));
	assert_upstream_gets(&f, STR("ab"));
	assert_int_equal(udp_receive(&f.upstream, got, sizeof(got), NULL), STREAM_AGAIN);
	assert_write(&f, STR("\0cd"));
	assert_write(&f, STR("e"));
	assert_upstream_gets(&f, STR("cde"));
	end(&f);
}

static void test_packets_become_capsules(void **state)
{
	struct fixture f;

	begin_known(&f);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), STREAM_AGAIN);
	assert_true(udp_send(&f.upstream, STR("one"), &f.tunnel));
	assert_true(udp_send(&f.upstream, STR(""), &f.tunnel));
	for (int i = 0; i < TURNS_MAX && !f.events; i++)
		loop_turn(f.loop, true);
	assert_int_equal(f.events, STREAM_READABLE);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), 9); /* both at once */
	assert_memory_equal(f.room, "\0\x04\0one\0\x01\0", 9);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), STREAM_AGAIN);
	end(&f);
}

static void test_a_reader_with_little_room(void **state)
{
	struct fixture f;

	begin_known(&f);
	assert_true(udp_send(&f.upstream, STR("one"), &f.tunnel));
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(stream_read(f.stream, f.room + i, 1), 1);
	assert_memory_equal(f.room, "\0\x04\0one", 6);
	assert_int_equal(stream_read(f.stream, f.room, 1), STREAM_AGAIN);
	end(&f);
}

static void test_broken_capsules_fail(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(stream_write(f.stream, "\0\0", 2), STREAM_FAILED);
	assert_int_equal(stream_error(f.stream)->kind, ERR_PROTOCOL);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), STREAM_FAILED);
	end(&f);
}

/* Who waits for packets is told that none will come. */
static void test_a_shutdown_ends_both_directions(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), STREAM_AGAIN);
	assert_int_equal(stream_shutdown(f.stream), STREAM_END);
	assert_int_equal(f.events, 0);
	loop_turn(f.loop, false);
	assert_int_equal(f.events, STREAM_READABLE);
	assert_int_equal(stream_read(f.stream, f.room, ROOM), STREAM_END);
	assert_int_equal(stream_shutdown(f.stream), STREAM_END);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capsules_become_packets),
		cmocka_unit_test(test_packets_become_capsules),
		cmocka_unit_test(test_a_reader_with_little_room),
		cmocka_unit_test(test_broken_capsules_fail),
		cmocka_unit_test(test_a_shutdown_ends_both_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
