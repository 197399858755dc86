/*
 * Checks first, then passes on.
 */

#include "tests/support/stream_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"

void probe_on_event(void *arg, unsigned events)
{
	struct stream_probe *p = arg;

	assert_false(p->is_in_call);
	assert_non_null(p->stream);
	assert_true(events != 0);
	p->events |= events;
	p->event_count++;
	if (p->closes_on_event)
		stream_close(TAKE(p->stream), STREAM_CLOSE_NORMAL);
}

ssize_t probe_read(struct stream_probe *p, void *to, size_t len)
{
	ssize_t result = 0;

	p->is_in_call = true;
	result = stream_read(p->stream, to, len);
	p->is_in_call = false;
	if (result > 0)
		assert_true((size_t)result <= len);
	else
		assert_in_range(result + 2, 0, 2);
	return result;
}

ssize_t probe_write(struct stream_probe *p, const void *from, size_t len)
{
	ssize_t result = 0;

	p->is_in_call = true;
	result = stream_write(p->stream, from, len);
	p->is_in_call = false;
	if (result > 0)
		assert_true((size_t)result <= len);
	else
		assert_true(result == STREAM_AGAIN || result == STREAM_FAILED);
	return result;
}

int probe_shutdown(struct stream_probe *p)
{
	int result = 0;

	p->is_in_call = true;
	result = stream_shutdown(p->stream);
	p->is_in_call = false;
	return result;
}

void probe_close(struct stream_probe *p, enum stream_close how)
{
	p->is_in_call = true;
	stream_close(TAKE(p->stream), how);
	p->is_in_call = false;
}

void scene_turn(struct stream_scene *s, int times)
{
	for (int i = 0; i < times; i++)
		loop_turn(s->loop, false);
}

void scene_wait(struct stream_scene *s, struct stream_probe *p, unsigned events)
{
	for (int i = 0; i < SCENE_TURNS_MAX && !(p->events & events); i++)
		loop_turn(s->loop, false);
	assert_true(p->events & events);
	p->events &= ~events;
}

ssize_t scene_read(struct stream_scene *s, struct stream_probe *p, void *to, size_t len)
{
	ssize_t result = 0;

	while ((result = probe_read(p, to, len)) == STREAM_AGAIN)
		scene_wait(s, p, STREAM_READABLE);
	return result;
}

void scene_write(struct stream_scene *s, struct stream_probe *p, const void *from, size_t len)
{
	const uint8_t *at = from;

	while (len > 0) {
		ssize_t result = probe_write(p, at, len);

		if (result == STREAM_AGAIN) {
			scene_wait(s, p, STREAM_WRITABLE);
			continue;
		}
		assert_true(result > 0);
		at += result;
		len -= (size_t)result;
	}
}

void scene_shutdown(struct stream_scene *s, struct stream_probe *p)
{
	int result = 0;

	while ((result = probe_shutdown(p)) == STREAM_AGAIN)
		scene_wait(s, p, STREAM_WRITABLE);
	assert_int_equal(result, STREAM_END);
}

void scene_expect(struct stream_scene *s, struct stream_probe *p, const char *text)
{
	for (; *text; text++) {
		char c = 0;

		assert_int_equal(scene_read(s, p, &c, 1), 1);
		assert_int_equal(c, *text);
	}
}

size_t scene_fill(struct stream_scene *s, struct stream_probe *p)
{
	size_t total = 0;
	ssize_t result = 0;

	while ((result = probe_write(p, s->block, SCENE_BLOCK_SIZE)) > 0) {
		total += (size_t)result;
		assert_true(total < SCENE_UNREAD_MAX);
	}
	assert_int_equal(result, STREAM_AGAIN);
	return total;
}
