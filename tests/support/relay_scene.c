#include "tests/support/relay_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"

#define TURNS 50

static void ignore_event(void *arg, unsigned events)
{
}

static void on_done(void *arg, const struct relay_result *result)
{
	struct relay_scene *s = arg;

	s->done_count++;
	s->result = *result;
	assert_int_equal(result->error != NULL,
			 result->end == RELAY_A_FAILED || result->end == RELAY_B_FAILED);
	if (result->error)
		s->error = *result->error;
	/* Too late, and allowed. */
	relay_close(s->relay, STREAM_CLOSE_RESET, NULL);
	s->relay = NULL;
}

void relay_scene_turn(struct relay_scene *s)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(s->loop, false);
}

void relay_scene_prepare(struct relay_scene *s, const struct stream_mem_options *mem)
{
	*s = (struct relay_scene){ .loop = loop_new() };
	stream_mem_pair(s->loop, mem, &s->a, &s->options.a);
	stream_mem_pair(s->loop, mem, &s->b, &s->options.b);
	stream_set_owner(s->a, ignore_event, s);
	stream_set_owner(s->b, ignore_event, s);
	s->options.on_done = on_done;
	s->options.arg = s;
}

void relay_scene_start(struct relay_scene *s)
{
	s->relay = relay_start(s->loop, &s->options);
	assert_int_equal(s->done_count, 0);
}

void relay_scene_finish(struct relay_scene *s)
{
	relay_close(s->relay, STREAM_CLOSE_NORMAL, NULL);
	stream_close(s->a, STREAM_CLOSE_NORMAL);
	stream_close(s->b, STREAM_CLOSE_NORMAL);
	loop_turn(s->loop, false);
	loop_free(s->loop);
}

void relay_scene_send(struct stream *to, const char *text)
{
	assert_int_equal(stream_write(to, text, strlen(text)), strlen(text));
}

void relay_scene_expect_text(struct stream *from, const char *text)
{
	char got[64];
	size_t len = strlen(text);

	assert_true(len <= sizeof(got));
	assert_int_equal(stream_read(from, got, sizeof(got)), len);
	assert_memory_equal(got, text, len);
}

void relay_scene_expect_result(struct stream *from, ssize_t result)
{
	char got[64];

	assert_int_equal(stream_read(from, got, sizeof(got)), result);
}

void relay_scene_expect_end(const struct relay_scene *s, enum relay_end end, uint64_t from_a,
			    uint64_t from_b)
{
	assert_int_equal(s->done_count, 1);
	assert_int_equal(s->result.end, end);
	assert_int_equal(s->result.bytes_from_a, from_a);
	assert_int_equal(s->result.bytes_from_b, from_b);
}
