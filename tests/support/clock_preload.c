/*
 * clock_preload.c - moves the clocks of a program that was built without a thought of it (LD_PRELOAD)
 *
 * Every clock that passes by itself runs ahead by as many seconds as the file CLOCK_PRELOAD_FILE says, a decimal number.
 * A test moves time by writing it; programs that name the same file live in the same time.
 *
 * There is no state, and the kernel is asked without the C library: a sanitizer that stands in front of us (it has to be
 * the first library) reads the clock before it has made itself ready to have open() and read() looked at. What waits until an
 * absolute time waits by the kernel's clock, which has not moved; an event loop waits for a duration.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED   __attribute__((visibility("default")))
#define NUMBER_MAX 32

/* A test whose clock does not move proves nothing, so it must not pass by mistake. */
static time_t seconds_ahead(void)
{
	const char *path = getenv("CLOCK_PRELOAD_FILE");
	char text[NUMBER_MAX + 1] = { 0 };
	long fd;
	long len;

	if (!path)
		return 0;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		abort();
	len = syscall(SYS_read, fd, text, NUMBER_MAX);
	(void)syscall(SYS_close, fd); /* it was only read */
	if (len <= 0)
		abort();
	return strtol(text, NULL, 10);
}

static int passes_by_itself(clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		return 1;
	default:
		return 0; /* processor time */
	}
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *now)
{
	int before = errno;

	if (syscall(SYS_clock_gettime, id, now) < 0)
		return -1;
	if (passes_by_itself(id))
		now->tv_sec += seconds_ahead();
	errno = before;
	return 0;
}

EXPORTED int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;

	(void)zone; /* nobody has asked for it in this century */
	if (clock_gettime(CLOCK_REALTIME, &exact) < 0)
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

EXPORTED time_t time(time_t *ret_now)
{
	struct timespec exact;

	if (clock_gettime(CLOCK_REALTIME, &exact) < 0)
		return -1;
	if (ret_now)
		*ret_now = exact.tv_sec;
	return exact.tv_sec;
}
