#pragma once

/*
 * stream.h - THE interface: a two-way byte stream with backpressure
 *
 * The contract, tested for every implementation by tests/support/stream_contract.c:
 *
 * 1. read and write never block and may do less than asked.
 * 2. After STREAM_AGAIN the owner is told once, by on_event, when it is worth trying again. A new owner
 *    begins by trying; no event comes before the first STREAM_AGAIN.
 * 3. Events come from the loop, never from inside a call the owner made. An event may be spurious.
 * 4. STREAM_END (read only) and STREAM_FAILED are final and repeatable; stream_error() has the reason.
 * 5. shutdown flushes what write accepted, then sends FIN / close_notify; it answers STREAM_END when that is
 *    done and STREAM_AGAIN when it must be called again after a STREAM_WRITABLE. Reading goes on: half-close
 *    works end to end. Writing after shutdown is a bug.
 * 6. Not reading is backpressure.
 * 7. close may be called at any time, from any callback, once; it guarantees silence and frees the
 *    memory at the end of the turn. What was not flushed is lost. STREAM_CLOSE_RESET lets the peer see a
 *    reset instead of an orderly end.
 * 8. write accepts at most one bounded buffer's worth; nobody queues without limit.
 *
 * Ownership  Whoever opened or was given a stream owns it and closes it. A stream over a stream owns the lower.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

/* Results of read, write and shutdown: a count of bytes > 0, or one of these. */
enum { STREAM_END = 0, STREAM_AGAIN = -1, STREAM_FAILED = -2 };

enum { STREAM_READABLE = 1, STREAM_WRITABLE = 2 };

enum stream_close { STREAM_CLOSE_NORMAL, STREAM_CLOSE_RESET };

struct stream;

struct stream_ops {
	ssize_t (*read)(struct stream *s, void *to, size_t len);
	ssize_t (*write)(struct stream *s, const struct iovec *iov, int count);
	int (*shutdown)(struct stream *s);
	void (*close)(struct stream *s, enum stream_close how);
};

struct stream {
	const struct stream_ops *ops;
	void (*on_event)(void *arg, unsigned events);
	void *arg;
	struct err *err; /* allocated by the implementation when it fails, freed by its close */
};

/* Names the owner. Replaces the previous one; pending wishes of rule 2 carry over. */
static inline void stream_set_owner(struct stream *s, void (*on_event)(void *arg, unsigned events),
				    void *arg)
{
	s->on_event = on_event;
	s->arg = arg;
}

static inline ssize_t stream_read(struct stream *s, void *to, size_t len)
{
	return s->ops->read(s, to, len);
}

static inline ssize_t stream_writev(struct stream *s, const struct iovec *iov, int count)
{
	return s->ops->write(s, iov, count);
}

static inline ssize_t stream_write(struct stream *s, const void *from, size_t len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)from, .iov_len = len };

	return s->ops->write(s, &iov, 1);
}

static inline int stream_shutdown(struct stream *s)
{
	return s->ops->shutdown(s);
}

/* NULL is ignored. */
static inline void stream_close(struct stream *s, enum stream_close how)
{
	if (s)
		s->ops->close(s, how);
}

/* Why it failed; never NULL once STREAM_FAILED was returned. */
static inline const struct err *stream_error(const struct stream *s)
{
	return s->err;
}

/* For implementations: remembers the first failure. Returns STREAM_FAILED. */
int stream_fail(struct stream *s, const struct err *e);
