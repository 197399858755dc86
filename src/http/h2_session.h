#pragma once

/*
 * h2_session.h - one HTTP/2 connection over a stream, either side; for h2_*.c only
 *
 * nghttp2 frames and keeps the windows; this is what lies around it: bytes in and out of the lower stream, the streams
 * of the connection (h2_stream.h), budgets, the end. What nghttp2 reports is only noted in its callbacks; whoever it
 * concerns is told afterwards, from the loop, when nghttp2 is not on the stack.
 *
 * Windows    A stream may send H2_WINDOW bytes that nobody reads, and more if its reader keeps up: those bytes come out
 *            of H2_GROWTH_MAX. The window of the connection is given back at once, whoever reads or not: so a tunnel
 *            whose reader sleeps holds up itself and nobody else, and all that a peer can leave here is
 *            H2_STREAMS_MAX * H2_WINDOW + H2_GROWTH_MAX.
 * Limits     Those below, and h2_budget.h.
 * Ownership  Takes the lower stream. The memory lives until its last stream is closed.
 */

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "http/h2_budget.h"
#include "http/h2_lent.h"
#include "http/h2_output.h"
#include "http/http.h"
#include "io/loop.h"
#include "io/stream.h"

#define H2_STREAMS_MAX       1000
#define H2_WINDOW            (64u * 1024)
#define H2_WINDOW_MAX        (1u << 20)
#define H2_GROWTH_MAX        (16u << 20)
#define H2_CONNECTION_WINDOW (16u << 20)
#define H2_BLOCK_MAX         (2 * HTTP_HEAD_MAX) /* names and values of one header block */
#define H2_ANSWERS_MAX       (4u << 20)          /* bytes of answers the peer does not take */
#define H2_WRITE_TIMEOUT_MS  30000
#define H2_UNSENT_MAX        (2 * LOOP_BLOCK_SIZE) /* a batch and a frame */
#define H2_FRAME_MAX                                                                               \
	(64u * 1024) /* bytes in a frame of data; nghttp2 hands them over as they come */
#define H2_LINGER_MS  2000
#define H2_LINGER_MAX (1u << 20)

struct h2_session;
struct h2_stream;

/* What the two sides do differently. */
struct h2_role {
	/* The peer has begun a stream: makes it with h2_stream_new(). NULL: it may not. */
	struct h2_stream *(*begin)(struct h2_session *s, int32_t id);
	/* Streams have come or gone, or the peer goes away. May close the session. */
	void (*on_change)(struct h2_session *s);
	/* The end. All streams have failed, and will be told. e is NULL for an orderly end. */
	void (*on_over)(struct h2_session *s, const struct err *e);
};

enum h2_state {
	H2_RUNNING,
	H2_FLUSHING, /* the last frames are written */
	H2_SHUTTING,
	H2_LINGERING, /* the peer shall read them: what it sends is dropped */
	H2_OVER,
};

/* What a stream is just being given to write, read by nghttp2 from where it lies. */
struct h2_passed {
	struct h2_stream *stream; /* NULL: nothing */
	const uint8_t *at;
	size_t len;
};

/* In memory that is borrowed, while a call lasts; NULL otherwise. */
struct h2_transit {
	struct h2_batch *batch; /* frames are being collected here */
	struct h2_lent *lent;   /* bytes of data are being received here */
	struct h2_passed passed;
};

struct h2_session {
	struct loop *loop;
	struct stream *lower;
	nghttp2_session *ng;
	const struct h2_role *role;
	enum h2_state state;
	struct list streams; /* all */
	struct list due;     /* those to be told something */
	struct buf unsent;   /* what the lower stream did not take yet */
	struct h2_transit transit;
	struct later later;
	struct timer timer; /* of the states behind H2_RUNNING */
	struct timer answers_timer;
	size_t answers_left; /* bytes of answers that nobody waits for here */
	size_t growth_left;
	size_t lingered;
	size_t block_seen; /* of the header block being received */
	size_t live_count; /* streams that nghttp2 knows */
	size_t told_count; /* as of the last on_change */
	struct h2_budgets budgets;
	struct err why; /* what ends it */
	bool peer_is_going;
	bool told_is_going;
	uint64_t heard_ms; /* when something came last */
	bool is_released;
};

/* The settings are sent, and the preface by a client. extra: more settings than those both sides have. */
void h2_session_init(struct h2_session *s, struct loop *loop, struct stream *lower,
		     const struct h2_role *role, const nghttp2_settings_entry *extra);

/* Something was submitted: write it at the end of this turn. */
void h2_session_wake(struct h2_session *s);

/* No new streams; those there are go on. With the last one the session ends. */
void h2_session_finish(struct h2_session *s);

/* GOAWAY with that code, then the end; the streams fail. why: may be NULL. */
void h2_session_terminate(struct h2_session *s, uint32_t code, const struct err *why);

/* Ends it now; on_over does not come, the streams fail. Idempotent. */
void h2_session_close(struct h2_session *s, enum stream_close how);

/* ---- for the other h2_*.c ---- */

/* A stream has gone: if that was the last one of a session that is over, so is its memory. */
void h2_session_release(struct h2_session *s);

/* There is an orphan: it may not take forever, nor leave too much. */
void h2_session_watch_answers(struct h2_session *s);

nghttp2_session *h2_callbacks_new_session(struct h2_session *s, bool is_server);

/* What can be written now, without telling anybody; while state is H2_RUNNING. */
void h2_session_write_now(struct h2_session *s);

/* One round of the pump: from the loop only. */
void h2_session_drive(struct h2_session *s);
