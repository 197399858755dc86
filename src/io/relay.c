/*
 * Each direction is pumped on its own: what is left from before goes out first, then blocks are read and written until
 * the reader or the writer says AGAIN. The event that follows an AGAIN continues exactly that direction; while bytes
 * are left the reader is not asked, and that is the backpressure.
 *
 * An event of a fast peer moves at most PUMP_MAX bytes; then the relay continues by a later-call, so that the other
 * connections of the loop get their turn.
 *
 * There is one timer, and moving bytes only notes the time: when the timer fires too early it is set anew.
 */

#include "io/relay.h"

#include <assert.h>

#include "base/mem.h"
#include "io/loop.h"

#define PUMP_ROUNDS 8
#define PUMP_MAX    (1024u * 1024)

enum { SIDE_A, SIDE_B };

enum direction_state { DIRECTION_OPEN, DIRECTION_DRAINING, DIRECTION_SHUT };

/* From streams[i] to streams[!i]. */
struct direction {
	uint8_t *left; /* read, counted and not yet accepted by the receiver */
	uint32_t left_at;
	uint32_t left_len;
	uint64_t bytes;
	enum direction_state state;
	bool has_more; /* stopped for fairness, to be continued by the later-call */
};

struct relay {
	struct loop *loop;
	struct stream *streams[2];
	struct direction from[2];
	struct later later; /* continue; once over: report */
	struct timer timer;
	uint64_t active_ms;
	uint64_t idle_timeout_ms;
	uint64_t linger_ms;
	bool is_over; /* the streams are closed */
	bool is_reported;
	bool has_first_end;
	enum relay_end end; /* while running: who was the first to end */
	struct err *error;
	void (*on_done)(void *arg, const struct relay_result *result);
	void *arg;
};

enum pump_result {
	PUMP_WAITS,   /* an event will tell */
	PUMP_MORE,    /* there is more to do at once */
	PUMP_STOPPED, /* the relay is over */
};

/* ---- the end ---- */

static void on_later(struct later *later);

static void close_streams(struct relay *r, enum stream_close how_a, enum stream_close how_b)
{
	stream_close(TAKE(r->streams[SIDE_A]), how_a);
	stream_close(TAKE(r->streams[SIDE_B]), how_b);
	timer_cancel(&r->timer);
	later_cancel(&r->later);
	for (int i = 0; i < 2; i++)
		loop_free_later(r->loop, TAKE(r->from[i].left));
	r->is_over = true;
}

static void finish(struct relay *r, enum relay_end end, enum stream_close how)
{
	r->end = end;
	close_streams(r, how, how);
	later_start(&r->later, r->loop, on_later);
}

/*
 * What a stream still owed us is lost, unless it had ended in order before: then it owed nothing, and its peer who went
 * away early is no failure of the other one.
 */
static enum pump_result fail(struct relay *r, int side)
{
	if (r->from[side].state == DIRECTION_SHUT) {
		finish(r, r->end, STREAM_CLOSE_NORMAL);
		return PUMP_STOPPED;
	}
	r->error = mem_copy(stream_error(r->streams[side]), sizeof(*r->error));
	finish(r, side == SIDE_A ? RELAY_A_FAILED : RELAY_B_FAILED, STREAM_CLOSE_RESET);
	return PUMP_STOPPED;
}

static void fill_result(const struct relay *r, struct relay_result *result)
{
	*result = (struct relay_result){
		.end = r->end,
		.bytes_from_a = r->from[SIDE_A].bytes,
		.bytes_from_b = r->from[SIDE_B].bytes,
		.error = r->error,
	};
}

static void release(struct relay *r)
{
	loop_free_later(r->loop, TAKE(r->error));
	loop_free_later(r->loop, r);
}

static void report(struct relay *r)
{
	struct relay_result result;

	fill_result(r, &result);
	r->is_reported = true;
	r->on_done(r->arg, &result);
	release(r);
}

/* ---- idle limits ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* UINT64_MAX: none. */
static uint64_t silence_limit_ms(const struct relay *r)
{
	uint64_t limit_ms = r->idle_timeout_ms ? r->idle_timeout_ms : UINT64_MAX;

	if (r->from[SIDE_A].state == DIRECTION_SHUT && r->linger_ms)
		return smaller(limit_ms, r->linger_ms);
	if (r->has_first_end)
		return smaller(limit_ms, RELAY_HALF_OPEN_IDLE_MS);
	return limit_ms;
}

/* Lingering is an orderly end: a has ended and b had the time agreed upon. */
static void end_by_silence(struct relay *r)
{
	bool was_lingering = r->linger_ms && r->from[SIDE_A].state == DIRECTION_SHUT &&
			     silence_limit_ms(r) == r->linger_ms;

	finish(r, was_lingering ? RELAY_A_CLOSED : RELAY_IDLE, STREAM_CLOSE_NORMAL);
}

static void on_timer(struct timer *timer)
{
	struct relay *r = container_of(timer, struct relay, timer);
	uint64_t due_ms = r->active_ms + silence_limit_ms(r);

	if (due_ms > loop_now_ms(r->loop))
		timer_start(&r->timer, r->loop, due_ms, on_timer);
	else
		end_by_silence(r);
}

/* Called whenever the limit may have become shorter. */
static void set_timer(struct relay *r)
{
	uint64_t limit_ms = silence_limit_ms(r);

	if (limit_ms != UINT64_MAX)
		timer_start(&r->timer, r->loop, r->active_ms + limit_ms, on_timer);
}

/* ---- one direction ---- */

static void set_state(struct relay *r, int side, enum direction_state state)
{
	struct direction *d = &r->from[side];

	assert(state == d->state + 1);
	d->state = state;
	if (!r->has_first_end) {
		r->has_first_end = true;
		r->end = side == SIDE_A ? RELAY_A_CLOSED : RELAY_B_CLOSED;
	}
	r->active_ms = loop_now_ms(r->loop);
	set_timer(r);
}

/* Offers bytes until all are taken or AGAIN. Returns the number taken, or STREAM_FAILED. */
static ssize_t write_all(struct relay *r, int side, const uint8_t *from, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t count = stream_write(r->streams[!side], from + done, len - done);

		if (count == STREAM_FAILED)
			return STREAM_FAILED;
		if (count == STREAM_AGAIN)
			break;
		done += (size_t)count;
	}
	if (done > 0)
		r->active_ms = loop_now_ms(r->loop);
	return (ssize_t)done;
}

static enum pump_result write_left(struct relay *r, int side)
{
	struct direction *d = &r->from[side];
	ssize_t count = write_all(r, side, d->left + d->left_at, d->left_len - d->left_at);

	if (count == STREAM_FAILED)
		return fail(r, !side);
	d->left_at += (uint32_t)count;
	if (d->left_at < d->left_len)
		return PUMP_WAITS;
	mem_free(TAKE(d->left));
	d->left_at = 0;
	d->left_len = 0;
	return PUMP_MORE;
}

static enum pump_result shut(struct relay *r, int side)
{
	int result = STREAM_END;
	bool is_end_of_all; /* see relay_options.linger_ms */

	if (side == SIDE_B || !r->linger_ms)
		result = stream_shutdown(r->streams[!side]);
	if (result == STREAM_AGAIN)
		return PUMP_WAITS;
	if (result == STREAM_FAILED)
		return fail(r, !side);
	set_state(r, side, DIRECTION_SHUT);
	is_end_of_all = side == SIDE_B && r->linger_ms > 0;
	if (r->from[!side].state != DIRECTION_SHUT && !is_end_of_all)
		return PUMP_WAITS;
	finish(r, r->end, STREAM_CLOSE_NORMAL);
	return PUMP_STOPPED;
}

static enum pump_result pass_block(struct relay *r, int side, const uint8_t *block, size_t len)
{
	struct direction *d = &r->from[side];
	ssize_t count = write_all(r, side, block, len);

	if (count == STREAM_FAILED)
		return fail(r, !side);
	if ((size_t)count == len)
		return PUMP_MORE;
	d->left_len = (uint32_t)(len - (size_t)count);
	d->left = mem_copy(block + count, d->left_len);
	return PUMP_WAITS;
}

static enum pump_result read_and_pass(struct relay *r, int side)
{
	struct direction *d = &r->from[side];
	uint8_t *block = loop_block_get(r->loop);
	ssize_t count = stream_read(r->streams[side], block, LOOP_BLOCK_SIZE);
	enum pump_result result = PUMP_WAITS;

	if (count == STREAM_FAILED) {
		result = fail(r, side);
	} else if (count == STREAM_END) {
		set_state(r, side, DIRECTION_DRAINING);
		result = PUMP_MORE;
	} else if (count > 0) {
		d->bytes += (size_t)count;
		r->active_ms = loop_now_ms(r->loop);
		result = pass_block(r, side, block, (size_t)count);
	}
	loop_block_put(r->loop, block);
	return result;
}

static enum pump_result pump_once(struct relay *r, int side)
{
	struct direction *d = &r->from[side];

	if (d->left)
		return write_left(r, side);
	switch (d->state) {
	case DIRECTION_OPEN:
		return read_and_pass(r, side);
	case DIRECTION_DRAINING:
		return shut(r, side);
	case DIRECTION_SHUT:
		break;
	}
	return PUMP_WAITS;
}

static void pump(struct relay *r, int side)
{
	struct direction *d = &r->from[side];
	uint64_t stop_at = d->bytes + PUMP_MAX;
	enum pump_result result = PUMP_MORE;

	d->has_more = false;
	for (int i = 0; i < PUMP_ROUNDS && d->bytes < stop_at && result == PUMP_MORE; i++)
		result = pump_once(r, side);
	if (result != PUMP_MORE)
		return;
	d->has_more = true;
	later_start(&r->later, r->loop, on_later);
}

/* ---- events ---- */

static void on_later(struct later *later)
{
	struct relay *r = container_of(later, struct relay, later);

	if (r->is_over) {
		report(r);
		return;
	}
	for (int side = SIDE_A; side <= SIDE_B && !r->is_over; side++) {
		if (r->from[side].has_more)
			pump(r, side);
	}
}

/* An event of a stream concerns the direction that reads from it and the one that writes to it. */
static void on_stream_event(struct relay *r, int side, unsigned events)
{
	/* It has ended, nothing is waiting to be written to it, and now it is gone. */
	if (r->from[side].state == DIRECTION_SHUT && stream_error(r->streams[side])) {
		(void)fail(r, side);
		return;
	}
	/* Readable is no news while bytes are left: those wait for the receiver. */
	if ((events & STREAM_READABLE) && !r->from[side].left && !r->from[side].has_more)
		pump(r, side);
	if ((events & STREAM_WRITABLE) && !r->is_over && !r->from[!side].has_more)
		pump(r, !side);
}

static void on_event_a(void *arg, unsigned events)
{
	on_stream_event(arg, SIDE_A, events);
}

static void on_event_b(void *arg, unsigned events)
{
	on_stream_event(arg, SIDE_B, events);
}

/* ---- start and close ---- */

static void take_prefix(struct direction *d, struct buf *prefix)
{
	if (prefix->len > 0) {
		assert(prefix->len <= UINT32_MAX);
		d->left = mem_copy(prefix->data, prefix->len);
		d->left_len = (uint32_t)prefix->len;
	}
	buf_done(prefix);
}

struct relay *relay_start(struct loop *loop, struct relay_options *options)
{
	struct relay *r = mem_alloc(sizeof(*r));

	r->loop = loop;
	r->streams[SIDE_A] = TAKE(options->a);
	r->streams[SIDE_B] = TAKE(options->b);
	r->from[SIDE_A].bytes = options->prefix_to_b.len;
	take_prefix(&r->from[SIDE_A], &options->prefix_to_b);
	take_prefix(&r->from[SIDE_B], &options->prefix_to_a);
	r->idle_timeout_ms = options->idle_timeout_ms;
	r->linger_ms = options->linger_ms;
	r->on_done = options->on_done;
	r->arg = options->arg;
	r->active_ms = loop_now_ms(loop);

	stream_set_owner(r->streams[SIDE_A], on_event_a, r);
	stream_set_owner(r->streams[SIDE_B], on_event_b, r);
	r->from[SIDE_A].has_more = true;
	r->from[SIDE_B].has_more = true;
	later_start(&r->later, loop, on_later);
	set_timer(r);
	return r;
}

void relay_counts(const struct relay *r, struct relay_result *ret)
{
	fill_result(r, ret);
}

struct stream *relay_stream_a(const struct relay *r)
{
	return r->streams[SIDE_A];
}

void relay_close(struct relay *r, enum stream_close how, struct relay_result *ret_counts)
{
	if (!r)
		return;
	if (ret_counts)
		fill_result(r, ret_counts);
	/* From inside on_done it is being released already. */
	if (r->is_reported)
		return;
	close_streams(r, how, how);
	release(r);
}
