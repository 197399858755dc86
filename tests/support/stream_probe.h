#pragma once

/*
 * stream_probe.h - what the scenes of stream_contract.c are played with
 *
 * A probe owns one end and checks on every call what must hold for all of them: results within their range, no event
 * from inside a call, none after close. Waiting means turning the loop a bounded number of times without blocking,
 * so that a lost wake-up is a failure and not a hang.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/stream_contract.h"

#define SCENE_TURNS_MAX  20000
#define SCENE_BLOCK_SIZE 65536
#define SCENE_UNREAD_MAX                                                                           \
	(64u << 20) /* a writer whose bytes nobody reads must have stopped by then */

struct stream_probe {
	struct stream *stream;
	unsigned events;
	unsigned event_count;
	bool is_in_call;
	bool closes_on_event;
};

struct stream_scene {
	const struct stream_contract *contract;
	struct loop *loop;
	struct stream_probe a;
	struct stream_probe b;
	uint8_t *block;
};

/* For stream_set_owner(); arg is the probe. */
void probe_on_event(void *arg, unsigned events);

ssize_t probe_read(struct stream_probe *p, void *to, size_t len);
ssize_t probe_write(struct stream_probe *p, const void *from, size_t len);
int probe_shutdown(struct stream_probe *p);
void probe_close(struct stream_probe *p, enum stream_close how);

void scene_turn(struct stream_scene *s, int times);

/* After an AGAIN: the promised event comes. */
void scene_wait(struct stream_scene *s, struct stream_probe *p, unsigned events);

/* These wait as long as the stream says AGAIN. */
ssize_t scene_read(struct stream_scene *s, struct stream_probe *p, void *to, size_t len);
void scene_write(struct stream_scene *s, struct stream_probe *p, const void *from, size_t len);
void scene_shutdown(struct stream_scene *s, struct stream_probe *p);
void scene_expect(struct stream_scene *s, struct stream_probe *p, const char *text);

/* Fills the way to the other end; returns how much it took. */
size_t scene_fill(struct stream_scene *s, struct stream_probe *p);
