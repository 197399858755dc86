/*
 * Local programs at an address whose gateway is there, away, or does not want them; the clock is the test's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/url.h"
#include "cli/backoff.h"
#include "cli/client.h"
#include "cli/fake_gateway.h"
#include "cli/kept_tunnel.h"
#include "cli/options.h"
#include "io/dial.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"

/* More than the longest first pause. */
#define FIRST_PAUSE_MAX_MS (BACKOFF_FIRST_MS * 3 / 2 + 1)

/* Enough for whatever has no timer to wait for. */
#define IDLE_TURNS 20

struct scene {
	struct client client;
	struct fake_gateway fake;
	struct destination destination;
	struct kept_tunnel *kept;
	struct stream *program;
};

static struct kept_tunnel *open_kept(struct scene *s, const char *address, bool may_use_another,
				     struct err *e)
{
	struct kept_tunnel_options options = { .client = &s->client,
					       .destination = &s->destination,
					       .may_use_another_port = may_use_another };

	assert_int_equal(destination_parse(STR("db.example:5432"), s->fake.url, &s->destination, e),
			 0);
	assert_int_equal(local_address_parse(address, &options.address, e), 0);
	return kept_tunnel_open(&options, e);
}

static void open_scene(struct scene *s)
{
	struct options options = { 0 };
	struct err e;

	*s = (struct scene){ 0 };
	assert_int_equal(setenv("LOG_LEVEL", "off", 1), 0);
	assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
	assert_int_equal(unsetenv("HOME"), 0);
	assert_int_equal(client_init(&s->client, &options, &e), 0);
	assert_int_equal(client_open(&s->client, EXIT_STATUS_OK, &e), 0);
	fake_gateway_open(&s->fake, s->client.loop, s->client.resolver);
	s->fake.cuts_tunnels = true;
	s->kept = open_kept(s, "127.0.0.1:0", false, &e);
	assert_non_null(s->kept);
	assert_null(s->destination.target); /* taken over */
	assert_string_equal(kept_tunnel_destination(s->kept)->target, "db.example:5432");
	assert_int_equal(
		credentials_store(
			&client_account(&s->client, kept_tunnel_destination(s->kept))->credentials,
			STR("good"), &e),
		0);
}

static void close_scene(struct scene *s)
{
	stream_close(TAKE(s->program), STREAM_CLOSE_NORMAL);
	kept_tunnel_close(s->kept);
	destination_done(&s->destination);
	fake_gateway_close(&s->fake);
	client_done(&s->client);
}

/* ---- the program ---- */

static void ignore_event(void *arg, unsigned events)
{
}

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct scene *s = arg;

	assert_non_null(stream);
	s->program = stream;
	stream_set_owner(stream, ignore_event, NULL);
}

static void connect_program(struct scene *s)
{
	char address[LOCAL_LISTENER_TEXT_MAX];
	struct dial_target target = { .timeout_ms = 5000 };
	struct authority authority;

	kept_tunnel_format(s->kept, address);
	assert_int_equal(authority_parse(str_from(address), false, &authority, NULL), 0);
	target.host = authority.host;
	target.port = authority.port;
	(void)dial_start(s->client.loop, s->client.resolver, &target, on_dialed, s);
	while (!s->program)
		loop_turn(s->client.loop, true);
}

static void turn(struct scene *s)
{
	for (int i = 0; i < IDLE_TURNS; i++)
		loop_turn(s->client.loop, false);
}

/* Until something comes: a number of bytes, or the end. */
static ssize_t receive(struct scene *s, char bytes[16])
{
	ssize_t count;

	while ((count = stream_read(s->program, bytes, 16)) == STREAM_AGAIN)
		loop_turn(s->client.loop, true);
	return count;
}

static void wait_for_tries(struct scene *s, unsigned count)
{
	while (s->fake.connect_count < count)
		loop_turn(s->client.loop, true);
	turn(s); /* the answer arrives */
}

static void assert_waiting(struct scene *s, unsigned tries)
{
	char bytes[16];

	turn(s);
	assert_int_equal(s->fake.connect_count, tries);
	assert_int_equal(stream_read(s->program, bytes, sizeof(bytes)), STREAM_AGAIN);
}

/* ---- tests ---- */

static void test_a_gateway_that_is_there(void **state)
{
	char bytes[16];
	struct scene s;

	open_scene(&s);
	s.fake.status = 200;
	connect_program(&s);
	assert_int_equal(receive(&s, bytes), 2);
	assert_memory_equal(bytes, "hi", 2);
	assert_int_equal(s.fake.connect_count, 1);
	close_scene(&s);
}

static void test_tried_again(void **state)
{
	char bytes[16];
	struct scene s;

	open_scene(&s);
	s.fake.status = 503;
	connect_program(&s);
	wait_for_tries(&s, 1);
	assert_waiting(&s, 1);
	clock_fake_advance_ms(BACKOFF_FIRST_MS / 2 - 1); /* no pause is that short */
	assert_waiting(&s, 1);
	clock_fake_advance_ms(FIRST_PAUSE_MAX_MS);
	wait_for_tries(&s, 2);
	assert_waiting(&s, 2);
	s.fake.status = 200;
	clock_fake_advance_ms(FIRST_PAUSE_MAX_MS * 3 / 2);
	assert_int_equal(receive(&s, bytes), 2);
	assert_memory_equal(bytes, "hi", 2);
	assert_int_equal(s.fake.connect_count, 3);
	close_scene(&s);
}

/* Many tries at the beginning, few later, and none when the time is over. */
static void test_patience_ends(void **state)
{
	const uint64_t step_ms = BACKOFF_FIRST_MS / 2;
	uint64_t elapsed_ms = 0;
	char bytes[16];
	struct scene s;
	ssize_t count;

	open_scene(&s);
	s.fake.status = 503;
	connect_program(&s);
	wait_for_tries(&s, 1);
	while ((count = stream_read(s.program, bytes, sizeof(bytes))) == STREAM_AGAIN) {
		assert_true(elapsed_ms <= KEPT_TUNNEL_PATIENCE_MS);
		clock_fake_advance_ms(step_ms);
		elapsed_ms += step_ms;
		turn(&s);
	}
	assert_int_equal(count, STREAM_END);
	assert_in_range(s.fake.connect_count, 6, 40);
	assert_true(elapsed_ms > KEPT_TUNNEL_PATIENCE_MS / 4);
	close_scene(&s);
}

static void test_a_refusal_is_the_answer(void **state)
{
	char bytes[16];
	struct scene s;

	open_scene(&s);
	s.fake.status = 403;
	connect_program(&s);
	assert_int_equal(receive(&s, bytes), STREAM_END);
	clock_fake_advance_ms(KEPT_TUNNEL_PATIENCE_MS);
	turn(&s);
	assert_int_equal(s.fake.connect_count, 1);
	close_scene(&s);
}

static void test_an_occupied_port(void **state)
{
	char address[LOCAL_LISTENER_TEXT_MAX];
	char other[LOCAL_LISTENER_TEXT_MAX];
	struct kept_tunnel *kept;
	struct scene s;
	struct err e;

	open_scene(&s);
	kept_tunnel_format(s.kept, address);
	assert_null(open_kept(&s, address, false, &e));
	assert_non_null(s.destination.target); /* the caller's still */
	destination_done(&s.destination);
	kept = open_kept(&s, address, true, &e);
	assert_non_null(kept);
	kept_tunnel_format(kept, other);
	assert_string_not_equal(other, address);
	kept_tunnel_close(kept);
	close_scene(&s);
}

/* While it tries, pauses, or relays. */
static void test_closed_at_any_time(void **state)
{
	static const int statuses[] = { 200, 503 };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		for (int turns = 0; turns < IDLE_TURNS; turns++) {
			struct scene s;

			open_scene(&s);
			s.fake.status = statuses[i];
			connect_program(&s);
			for (int n = 0; n < turns; n++)
				loop_turn(s.client.loop, false);
			close_scene(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_gateway_that_is_there),
		cmocka_unit_test(test_tried_again),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_a_refusal_is_the_answer),
		cmocka_unit_test(test_an_occupied_port),
		cmocka_unit_test(test_closed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
