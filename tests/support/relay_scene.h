#pragma once

/*
 * relay_scene.h - a relay between two streams in memory, for its tests
 */

#include "io/relay.h"
#include "tests/support/stream_mem.h"

/* a is the test's end of the stream the relay has as its a, and so on. */
struct relay_scene {
	struct loop *loop;
	struct stream *a;
	struct stream *b;
	struct relay *relay;
	struct relay_options options;
	unsigned done_count;
	struct relay_result result;
	struct err error;
};

void relay_scene_prepare(struct relay_scene *s, const struct stream_mem_options *mem);
void relay_scene_turn(struct relay_scene *s);
void relay_scene_start(struct relay_scene *s);
void relay_scene_finish(struct relay_scene *s);
void relay_scene_send(struct stream *to, const char *text);
void relay_scene_expect_text(struct stream *from, const char *text);
void relay_scene_expect_result(struct stream *from, ssize_t result);
void relay_scene_expect_end(const struct relay_scene *s, enum relay_end end, uint64_t from_a,
			    uint64_t from_b);
