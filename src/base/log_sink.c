/*
 * log_sink.c - write(2) until done, or until it is clear that it will not work
 *
 * SIGPIPE is blocked around the writing and one that we caused ourselves is taken back, so that the
 * disposition of the process does not matter.
 */

#include "base/log_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

void log_sink_init(struct log_sink *sink, int fd)
{
	struct stat st;

	*sink = (struct log_sink){ .fd = fd };
	sink->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void log_sink_hurry(struct log_sink *sink)
{
	atomic_store_explicit(&sink->is_in_a_hurry, true, memory_order_relaxed);
}

/* False only in a hurry: what else is wrong with the fd is told by write(2). */
static bool wait_for_room(struct log_sink *sink)
{
	struct pollfd wanted = { .fd = sink->fd, .events = POLLOUT };

	for (;;) {
		bool was_in_a_hurry = atomic_load_explicit(&sink->is_in_a_hurry,
							   memory_order_relaxed);
		int rc = poll(&wanted, 1, LOG_SINK_PATIENCE_MS);
		if (rc > 0 || (rc < 0 && errno != EINTR))
			return true;
		if (rc == 0 && was_in_a_hurry)
			return false;
	}
}

/* One write(2) that does not block: a pipe that polls writable takes PIPE_BUF bytes. */
static ssize_t write_step(struct log_sink *sink, struct str data)
{
	ssize_t put;

	if (!sink->is_file) {
		if (!wait_for_room(sink))
			return -1;
		data = str_first(data, PIPE_BUF);
	}
	do {
		put = write(sink->fd, data.at, data.len);
	} while (put < 0 && errno == EINTR);
	return put < 0 && errno == EAGAIN && !sink->is_file ? 0 : put;
}

/* Returns what could not be written. */
static struct str write_some(struct log_sink *sink, struct str data)
{
	while (data.len) {
		ssize_t put = write_step(sink, data);
		if (put < 0)
			break;
		data = str_from_pos(data, (size_t)put);
	}
	return data;
}

static uint64_t count_lines(struct str lines)
{
	uint64_t count = 0;

	for (size_t end = str_find(lines, '\n'); end < lines.len; end = str_find(lines, '\n')) {
		count++;
		lines = str_from_pos(lines, end + 1);
	}
	return count;
}

static uint64_t write_lines(struct log_sink *sink, struct str lines)
{
	if (sink->is_torn && write_some(sink, STR("\n")).len)
		return count_lines(lines);
	struct str left = write_some(sink, lines);
	sink->is_torn = left.len > 0 && left.len < lines.len && left.at[-1] != '\n';
	return count_lines(left);
}

uint64_t log_sink_write(struct log_sink *sink, struct str lines)
{
	const struct timespec no_time = { 0 };
	sigset_t pipe_only;
	sigset_t before;
	sigset_t pending;

	(void)sigemptyset(&pipe_only); /* cannot fail, like the rest of them */
	(void)sigaddset(&pipe_only, SIGPIPE);
	(void)sigpending(&pending);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	uint64_t lost = write_lines(sink, lines);
	if (lost && !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &no_time); /* there may be none */
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return lost;
}
