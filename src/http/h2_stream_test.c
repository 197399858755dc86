/*
 * Tunnels as streams: the stream contract, with our client on one side and our server on the other, and what lies
 * between them: windows, sleepers, the end of the connection.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/h2_session.h"
#include "tests/support/h2_scene.h"
#include "tests/support/stream_contract.h"

/* ---- the contract ---- */

struct setting {
	const char *name;
	bool is_a_server;
	struct stream_mem_options mem;
};

static void open_pair(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	const struct setting *setting = arg;
	struct stream *client = NULL;
	struct stream *server = NULL;

	h2_scene_open_pair(loop, &setting->mem, &client, &server);
	*ret_a = setting->is_a_server ? server : client;
	*ret_b = setting->is_a_server ? client : server;
}

static void test_contract(void **state)
{
	struct setting settings[] = {
		{ .name = "h2 over mem" },
		{ .name = "h2 over mem, server", .is_a_server = true },
		{ .name = "h2 over slow mem",
		  .mem = { .capacity = 2000, .read_max = 1, .write_max = 3, .shutdown_waits = 2 } },
		{ .name = "h2 over odd mem, server",
		  .is_a_server = true,
		  .mem = { .capacity = 300000, .read_max = 16500 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		stream_contract_run(&(struct stream_contract){
			.name = settings[i].name,
			.open_pair = open_pair,
			.arg = &settings[i],
			.shows_reset = true,
		});
}

/* ---- beside each other ---- */

static void read_all(struct h2_scene *s, struct stream *from, size_t expected)
{
	static const size_t piece = 100000;
	uint8_t *block = mem_alloc(piece);
	size_t got = 0;

	for (int i = 0; i < 10000 && got < expected; i++) {
		ssize_t count = stream_read(from, block, piece);

		assert_int_not_equal(count, STREAM_FAILED);
		assert_int_not_equal(count, STREAM_END);
		got += count > 0 ? (size_t)count : 0;
		loop_turn(s->loop, false);
	}
	assert_int_equal(got, expected);
	mem_free(block);
}

/* As much as it takes without being read. */
static size_t fill(struct h2_scene *s, struct stream *to)
{
	uint8_t *block = mem_alloc(100000);
	size_t sent = 0;

	for (int idle = 0; idle < 20; idle++) {
		ssize_t count = stream_write(to, block, 100000);

		assert_int_not_equal(count, STREAM_FAILED);
		if (count > 0) {
			sent += (size_t)count;
			idle = 0;
		}
		loop_turn(s->loop, false);
	}
	mem_free(block);
	return sent;
}

static void send_and_read(struct h2_scene *s, struct h2_scene_tunnel *t, size_t total)
{
	uint8_t *block = mem_alloc(60000);

	for (size_t sent = 0; sent < total;) {
		ssize_t count = stream_write(t->client, block, 60000);

		assert_int_not_equal(count, STREAM_FAILED);
		if (count > 0) {
			sent += (size_t)count;
			read_all(s, t->server, (size_t)count);
		}
		loop_turn(s->loop, false);
	}
	mem_free(block);
}

static void test_sleepers_hold_up_nobody(void **state)
{
	struct h2_scene s;
	struct h2_scene_tunnel awake;
	struct h2_scene_tunnel sleepers[300];

	h2_scene_init(&s, NULL);
	/* Many times the window of the connection lies unread. */
	for (size_t i = 0; i < ARRAY_LEN(sleepers); i++) {
		size_t held;

		h2_scene_connect(&s, &sleepers[i]);
		held = fill(&s, sleepers[i].client);
		assert_in_range(held, H2_WINDOW, H2_WINDOW + 64 * 1024);
	}
	h2_scene_connect(&s, &awake);
	send_and_read(&s, &awake, 3u << 20);
	/* And a sleeper who wakes up finds everything. */
	read_all(&s, sleepers[7].server, H2_WINDOW + 64 * 1024);
	h2_scene_done(&s);
}

static void test_reader_that_keeps_up_gets_more(void **state)
{
	struct h2_scene s;
	struct h2_scene_tunnel t;

	h2_scene_init(&s, NULL);
	h2_scene_connect(&s, &t);
	assert_in_range(fill(&s, t.client), H2_WINDOW, H2_WINDOW + 64 * 1024);
	read_all(&s, t.server, H2_WINDOW + 64 * 1024);
	send_and_read(&s, &t, 4u << 20);
	assert_in_range(fill(&s, t.client), 4 * H2_WINDOW, H2_WINDOW_MAX + 64 * 1024);
	h2_scene_done(&s);
}

/* ---- the end of the connection ---- */

static void test_tunnels_fail_with_their_connection(void **state)
{
	struct h2_scene s;
	struct h2_scene_tunnel t;
	char c;

	h2_scene_init(&s, NULL);
	h2_scene_connect(&s, &t);
	assert_int_equal(stream_read(t.client, &c, 1), STREAM_AGAIN);
	assert_int_equal(stream_read(t.server, &c, 1), STREAM_AGAIN);
	stream_mem_fail(s.client_lower, ERR_RESET, "cut");
	assert_int_equal(stream_write(t.client, "x", 1), 1); /* it shows with the next attempt */
	h2_scene_settle(&s);
	assert_null(s.client);
	assert_null(s.server);
	assert_int_equal(stream_read(t.client, &c, 1), STREAM_FAILED);
	assert_int_equal(stream_error(t.client)->kind, ERR_RESET);
	assert_int_equal(stream_write(t.server, "x", 1), STREAM_FAILED);
	h2_scene_done(&s);
}

static void test_tunnels_go_on_after_goaway(void **state)
{
	struct h2_scene s;
	struct h2_scene_tunnel t;

	h2_scene_init(&s, NULL);
	h2_scene_connect(&s, &t);
	assert_true(h2_client_takes_more(s.client));
	h2_server_finish(s.server);
	h2_scene_settle(&s);
	assert_false(h2_client_takes_more(s.client));
	send_and_read(&s, &t, 300000);
	stream_close(TAKE(t.client), STREAM_CLOSE_NORMAL);
	h2_scene_settle(&s);
	stream_close(TAKE(t.server), STREAM_CLOSE_NORMAL);
	h2_scene_settle(&s);
	assert_null(s.client); /* with the last tunnel it has ended */
	assert_null(s.server);
	h2_scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_sleepers_hold_up_nobody),
		cmocka_unit_test(test_reader_that_keeps_up_gets_more),
		cmocka_unit_test(test_tunnels_fail_with_their_connection),
		cmocka_unit_test(test_tunnels_go_on_after_goaway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
