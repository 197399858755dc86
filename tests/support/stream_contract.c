/*
 * Every rule is a function that plays one scene with a fresh pair (stream_probe.h).
 */

#include "tests/support/stream_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/stream_probe.h"

#define CHUNK_MAX     50000
#define TRANSFER_SIZE (3u << 20)

/* ---- the rules ---- */

static void rule_1_bytes_arrive_in_order(struct stream_scene *s)
{
	char text[16] = "";

	scene_write(s, &s->a, "one", 3);
	scene_write(s, &s->a, "two", 3);
	scene_expect(s, &s->b, "onetwo");
	scene_write(s, &s->b, "three", 5);
	scene_expect(s, &s->a, "three");
	assert_int_equal(probe_read(&s->a, text, sizeof(text)), STREAM_AGAIN);
}

static void rule_1_scattered_write(struct stream_scene *s)
{
	char first[] = "he";
	char second[] = "llo";
	struct iovec iov[] = {
		{ .iov_base = first, .iov_len = 2 },
		{ .iov_base = second, .iov_len = 0 },
		{ .iov_base = second, .iov_len = 3 },
	};
	ssize_t result = 0;

	while ((result = stream_writev(s->a.stream, iov, 3)) == STREAM_AGAIN)
		scene_wait(s, &s->a, STREAM_WRITABLE);
	assert_in_range(result, 1, 5);
	if (result < 5)
		scene_write(s, &s->a, &"hello"[result], 5 - (size_t)result);
	scene_expect(s, &s->b, "hello");
}

static void rule_2_no_event_before_again(struct stream_scene *s)
{
	scene_write(s, &s->a, "x", 1);
	s->b.event_count = 0;
	scene_turn(s, 50);
	assert_int_equal(s->b.event_count, 0);
	scene_expect(s, &s->b, "x");
}

static void rule_2_event_after_again(struct stream_scene *s)
{
	char c = 0;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
		scene_write(s, &s->a, "y", 1);
		scene_wait(s, &s->b, STREAM_READABLE);
		scene_expect(s, &s->b, "y");
	}
}

static void rule_2_event_for_what_came_while_unwanted(struct stream_scene *s)
{
	char c = 0;

	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	scene_write(s, &s->a, "1", 1);
	scene_wait(s, &s->b, STREAM_READABLE);
	/* These arrive while nobody waits for them; reading must find them all the same. */
	scene_write(s, &s->a, "2", 1);
	scene_turn(s, 50);
	scene_expect(s, &s->b, "1");
	scene_write(s, &s->a, "3", 1);
	scene_turn(s, 50);
	scene_expect(s, &s->b, "23");
	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	scene_write(s, &s->a, "4", 1);
	scene_wait(s, &s->b, STREAM_READABLE);
	scene_expect(s, &s->b, "4");
}

static void rule_2_new_owner_is_told(struct stream_scene *s)
{
	struct stream_probe heir = { .stream = s->b.stream };
	char c = 0;

	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	stream_set_owner(s->b.stream, probe_on_event, &heir);
	s->b.event_count = 0;
	scene_write(s, &s->a, "z", 1);
	scene_wait(s, &heir, STREAM_READABLE);
	assert_int_equal(s->b.event_count, 0);
	stream_set_owner(s->b.stream, probe_on_event, &s->b);
}

static void rule_4_end_repeats(struct stream_scene *s)
{
	char c = 0;

	scene_write(s, &s->a, "last", 4);
	scene_shutdown(s, &s->a);
	scene_expect(s, &s->b, "last");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(scene_read(s, &s->b, &c, 1), STREAM_END);
		scene_turn(s, 5);
	}
}

static void rule_4_end_after_close(struct stream_scene *s)
{
	char c = 0;

	scene_write(s, &s->a, "bye", 3);
	scene_shutdown(s, &s->a);
	probe_close(&s->a, STREAM_CLOSE_NORMAL);
	scene_turn(s, 5);
	scene_expect(s, &s->b, "bye");
	assert_int_equal(scene_read(s, &s->b, &c, 1), STREAM_END);
	assert_int_equal(scene_read(s, &s->b, &c, 1), STREAM_END);
}

static void rule_4_failure_repeats(struct stream_scene *s)
{
	char c = 0;
	ssize_t result = STREAM_AGAIN;

	probe_close(&s->a, STREAM_CLOSE_RESET);
	for (int i = 0; i < SCENE_TURNS_MAX && result != STREAM_FAILED; i++) {
		result = probe_write(&s->b, s->block, SCENE_BLOCK_SIZE);
		if (result == STREAM_AGAIN)
			scene_wait(s, &s->b, STREAM_WRITABLE);
		scene_turn(s, 1);
	}
	assert_int_equal(result, STREAM_FAILED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(probe_write(&s->b, "x", 1), STREAM_FAILED);
		assert_int_equal(probe_read(&s->b, &c, 1), STREAM_FAILED);
		assert_int_equal(probe_shutdown(&s->b), STREAM_FAILED);
		assert_non_null(stream_error(s->b.stream));
		assert_int_not_equal(stream_error(s->b.stream)->kind, ERR_NONE);
		assert_true(stream_error(s->b.stream)->text[0] != '\0');
	}
}

static void rule_5_half_close(struct stream_scene *s)
{
	char c = 0;

	scene_shutdown(s, &s->a);
	assert_int_equal(scene_read(s, &s->b, &c, 1), STREAM_END);
	scene_write(s, &s->b, "answer", 6);
	scene_expect(s, &s->a, "answer");
	assert_int_equal(probe_read(&s->a, &c, 1), STREAM_AGAIN);
	scene_shutdown(s, &s->b);
	scene_wait(s, &s->a, STREAM_READABLE);
	assert_int_equal(scene_read(s, &s->a, &c, 1), STREAM_END);
	/* Asking again changes nothing. */
	assert_int_equal(probe_shutdown(&s->a), STREAM_END);
	assert_int_equal(probe_shutdown(&s->b), STREAM_END);
}

static void rule_5_shutdown_flushes(struct stream_scene *s)
{
	size_t written = scene_fill(s, &s->a);
	size_t got = 0;
	ssize_t result = STREAM_AGAIN;
	int shutdown_result = probe_shutdown(&s->a);

	for (int i = 0; result != STREAM_END || shutdown_result != STREAM_END; i++) {
		assert_true(i < 100 * SCENE_TURNS_MAX);
		result = probe_read(&s->b, s->block, SCENE_BLOCK_SIZE);
		assert_int_not_equal(result, STREAM_FAILED);
		got += result > 0 ? (size_t)result : 0;
		scene_turn(s, 1);
		if (shutdown_result == STREAM_AGAIN && (s->a.events & STREAM_WRITABLE)) {
			s->a.events = 0;
			shutdown_result = probe_shutdown(&s->a);
		}
	}
	assert_int_equal(got, written);
}

static void rule_6_not_reading_stops_the_writer(struct stream_scene *s)
{
	size_t total = scene_fill(s, &s->a);

	/* Whatever an implementation moves on by itself, it ends: nobody queues without limit. */
	for (int i = 0; i < 200; i++) {
		scene_turn(s, 1);
		if (s->a.events & STREAM_WRITABLE) {
			s->a.events = 0;
			total += scene_fill(s, &s->a);
		}
		assert_true(total < SCENE_UNREAD_MAX);
	}
	for (size_t got = 0; got < total;) {
		ssize_t result = scene_read(s, &s->b, s->block, SCENE_BLOCK_SIZE);

		assert_true(result > 0);
		got += (size_t)result;
	}
	scene_wait(s, &s->a, STREAM_WRITABLE);
	assert_true(probe_write(&s->a, "x", 1) == 1);
}

static void rule_7_silence_after_close(struct stream_scene *s)
{
	char c = 0;

	(void)scene_fill(s, &s->b);
	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	scene_write(s, &s->a, "late", 4);
	s->b.event_count = 0;
	probe_close(&s->b, STREAM_CLOSE_NORMAL);
	scene_turn(s, 50);
	assert_int_equal(s->b.event_count, 0);
}

static void rule_7_close_inside_event(struct stream_scene *s)
{
	char c = 0;

	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	s->b.closes_on_event = true;
	s->b.event_count = 0;
	scene_write(s, &s->a, "x", 1);
	scene_wait(s, &s->b, STREAM_READABLE | STREAM_WRITABLE);
	assert_null(s->b.stream);
	scene_turn(s, 50);
	assert_int_equal(s->b.event_count, 1);
}

static void rule_7_reset_is_seen(struct stream_scene *s)
{
	char c = 0;
	ssize_t result = 0;

	assert_int_equal(probe_read(&s->b, &c, 1), STREAM_AGAIN);
	probe_close(&s->a, STREAM_CLOSE_RESET);
	scene_wait(s, &s->b, STREAM_READABLE);
	result = scene_read(s, &s->b, &c, 1);
	if (s->contract->shows_reset) {
		assert_int_equal(result, STREAM_FAILED);
		assert_int_equal(stream_error(s->b.stream)->kind, ERR_RESET);
	} else {
		assert_true(result == STREAM_FAILED || result == STREAM_END);
	}
}

/* ---- a long exchange, both ways at once, in irregular pieces ---- */

struct transfer {
	struct stream_probe *from;
	struct stream_probe *to;
	uint32_t sequence_out; /* state of the generators of the bytes */
	uint32_t sequence_in;
	uint32_t sizes;
	size_t accepted; /* by the last write: no need to make up much more than that */
	size_t sent;
	size_t received;
};

static uint32_t next_number(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void send_piece(struct stream_scene *s, struct transfer *t)
{
	size_t len = 1 + next_number(&t->sizes) % CHUNK_MAX;
	uint32_t sequence = t->sequence_out;
	ssize_t result = 0;

	if (t->sent == TRANSFER_SIZE)
		return;
	if (len > 4 * t->accepted + 64)
		len = 4 * t->accepted + 64;
	if (len > TRANSFER_SIZE - t->sent)
		len = TRANSFER_SIZE - t->sent;
	for (size_t i = 0; i < len; i++)
		s->block[i] = (uint8_t)next_number(&sequence);
	result = probe_write(t->from, s->block, len);
	assert_int_not_equal(result, STREAM_FAILED);
	for (ssize_t i = 0; i < result; i++)
		(void)next_number(&t->sequence_out);
	t->accepted = result > 0 ? (size_t)result : 0;
	t->sent += t->accepted;
}

static void receive_piece(struct stream_scene *s, struct transfer *t)
{
	size_t len = 1 + next_number(&t->sizes) % CHUNK_MAX;
	ssize_t result = probe_read(t->to, s->block, len);

	assert_int_not_equal(result, STREAM_FAILED);
	for (ssize_t i = 0; i < result; i++)
		assert_int_equal(s->block[i], (uint8_t)next_number(&t->sequence_in));
	t->received += result > 0 ? (size_t)result : 0;
}

static void rule_8_long_exchange(struct stream_scene *s)
{
	struct transfer ways[] = {
		{ .from = &s->a, .to = &s->b, .sequence_out = 1, .sequence_in = 1, .sizes = 7 },
		{ .from = &s->b, .to = &s->a, .sequence_out = 2, .sequence_in = 2, .sizes = 9 },
	};

	/* A stream that takes a byte at a time has shown enough after so many rounds. */
	for (int i = 0; i < 2 * SCENE_TURNS_MAX; i++) {
		for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
			send_piece(s, &ways[w]);
			receive_piece(s, &ways[w]);
		}
		scene_turn(s, 1);
		if (ways[0].received == TRANSFER_SIZE && ways[1].received == TRANSFER_SIZE)
			return;
	}
	for (size_t w = 0; w < ARRAY_LEN(ways); w++)
		assert_true(ways[w].received >= SCENE_TURNS_MAX);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	void (*run)(struct stream_scene *s);
} rules[] = {
	{ "1 bytes arrive in order", rule_1_bytes_arrive_in_order },
	{ "1 scattered write", rule_1_scattered_write },
	{ "2 no event before AGAIN", rule_2_no_event_before_again },
	{ "2 event after AGAIN", rule_2_event_after_again },
	{ "2 bytes that came while unwanted", rule_2_event_for_what_came_while_unwanted },
	{ "2 new owner is told", rule_2_new_owner_is_told },
	{ "4 END repeats", rule_4_end_repeats },
	{ "4 END after close", rule_4_end_after_close },
	{ "4 failure repeats", rule_4_failure_repeats },
	{ "5 half-close", rule_5_half_close },
	{ "5 shutdown flushes", rule_5_shutdown_flushes },
	{ "6 not reading stops the writer", rule_6_not_reading_stops_the_writer },
	{ "7 silence after close", rule_7_silence_after_close },
	{ "7 close inside an event", rule_7_close_inside_event },
	{ "7 reset is seen", rule_7_reset_is_seen },
	{ "8 long exchange", rule_8_long_exchange },
};

static void play(const struct stream_contract *contract, size_t index)
{
	struct stream_scene s = { .contract = contract };

	print_message("%s: rule %s\n", contract->name, rules[index].name);
	s.loop = loop_new();
	s.block = mem_alloc(SCENE_BLOCK_SIZE);
	contract->open_pair(contract->arg, s.loop, &s.a.stream, &s.b.stream);
	stream_set_owner(s.a.stream, probe_on_event, &s.a);
	stream_set_owner(s.b.stream, probe_on_event, &s.b);

	rules[index].run(&s);

	if (s.a.stream)
		probe_close(&s.a, STREAM_CLOSE_NORMAL);
	if (s.b.stream)
		probe_close(&s.b, STREAM_CLOSE_NORMAL);
	scene_turn(&s, 3);
	mem_free(s.block);
	loop_free(s.loop);
}

void stream_contract_run(const struct stream_contract *contract)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		play(contract, i);
}
