#pragma once

/*
 * h1_call.h - the client's side of one exchange up to the response head; private to http/
 *
 * Writes a request, then lets its user read: run is called again and again, from the loop only, until it says
 * H1_CALL_WAIT, and anew with every event of the stream. A request that cannot be written at all fails from the
 * first turn. Embedded in its user, who releases it with h1_call_done().
 */

#include <stdbool.h>

#include "base/err.h"
#include "http/h1_io.h"
#include "http/h1_write.h"
#include "io/loop.h"
#include "io/stream.h"

enum h1_call_step { H1_CALL_NEXT, H1_CALL_WAIT };

struct h1_call {
	struct loop *loop;
	struct stream *stream;
	struct h1_output out;
	struct h1_input in;
	struct timer timer;
	struct later later;
	struct err start_error; /* ERR_NONE: the request was written */
	bool is_written;
	bool is_over; /* done, failed or cancelled */
	enum h1_call_step (*run)(struct h1_call *call);
	/* The last thing that happens: e says why there is no response. */
	void (*fail)(struct h1_call *call, const struct err *e);
};

/* Takes the stream. run and fail are set already. */
void h1_call_start(struct h1_call *call, struct loop *loop, struct stream *stream,
		   const struct h1_request_head *request, uint64_t timeout_ms);

/* Closes the stream unless it was taken; idempotent. No run and no fail afterwards. */
void h1_call_done(struct h1_call *call);

/* For run: true when a whole response head is in call->in.head. Otherwise *ret_step is to be returned. */
bool h1_call_has_head(struct h1_call *call, enum h1_call_step *ret_step);

/* For run: reads more. may_end tells whether an end of the stream is no failure; then it answers STREAM_END. */
ssize_t h1_call_fill(struct h1_call *call, bool may_end);

/* For run: gives up. */
enum h1_call_step h1_call_fail(struct h1_call *call, const struct err *e);
