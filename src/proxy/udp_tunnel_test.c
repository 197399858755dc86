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

/* However small they are, a turn is not for them alone; and none is lost on the way. */
static void test_many_small_packets_are_for_several_turns(void **state)
{
	const size_t size = 4; /* of a packet of one byte */
	const size_t count = 5000;
	struct fixture f;
	size_t sent = 0;
	size_t turns = 0;

	begin(&f);
	for (size_t i = 0; i < count; i++)
		memcpy(f.room + i * size, (const uint8_t[]){ 0, 2, 0, (uint8_t)i }, size);
	while (sent < count * size && turns < TURNS_MAX) {
		ssize_t got = stream_write(f.stream, f.room + sent, count * size - sent);
		uint8_t packet[8];

		assert_true(got > 0 && got % (ssize_t)size == 0 && got <= 512 * (ssize_t)size);
		for (size_t i = 0; i < (size_t)got; i += size) {
			assert_int_equal(udp_receive(&f.upstream, packet, sizeof(packet), NULL), 1);
			assert_int_equal(packet[0], f.room[sent + i + 3]);
		}
		sent += (size_t)got;
		if (sent == count * size)
			break;
		assert_int_equal(stream_write(f.stream, f.room, size), STREAM_AGAIN);
		f.events = 0;
		loop_turn(f.loop, false);
		assert_int_equal(f.events, STREAM_WRITABLE);
		turns++;
	}
	assert_int_equal(sent, count * size);
	assert_true(turns > 5);
	end(&f);
}

/* One that is complete with its last number is not kept back. */
static void test_an_empty_packet_at_the_end_of_a_turn(void **state)
{
	const size_t size = 3;
	struct fixture f;
	uint8_t packet[8];
	ssize_t got;

	begin(&f);
	for (size_t i = 0; i < 1000; i++)
		memcpy(f.room + i * size, (const uint8_t[]){ 0, 1, 0 }, size);
	got = stream_write(f.stream, f.room, 1000 * size);
	assert_true(got > 0);
	for (ssize_t i = 0; i < got / (ssize_t)size; i++)
		assert_int_equal(udp_receive(&f.upstream, packet, sizeof(packet), NULL), 0);
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
		cmocka_unit_test(test_many_small_packets_are_for_several_turns),
		cmocka_unit_test(test_an_empty_packet_at_the_end_of_a_turn),
		cmocka_unit_test(test_broken_capsules_fail),
		cmocka_unit_test(test_a_shutdown_ends_both_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
