/*
 * log_sink.c - write(2) until done, or until it is clear that it will not work
 *
 * SIGPIPE is blocked around the writing and one that we caused ourselves is taken back, so that the
 * disposition of the process does not matter.
 */

#include "base/log_sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static bool wait_for_room(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLOUT };
	int rc;

	do {
		rc = poll(&wanted, 1, LOG_SINK_PATIENCE_MS);
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* Returns what could not be written. */
static struct str write_some(int fd, struct str data)
{
	while (data.len) {
		ssize_t put = write(fd, data.at, data.len);
		if (put > 0) {
			data = str_from_pos(data, (size_t)put);
			continue;
		}
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN && wait_for_room(fd))
			continue;
		break;
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
	if (sink->is_torn && write_some(sink->fd, STR("\n")).len)
		return count_lines(lines);
	struct str left = write_some(sink->fd, lines);
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
