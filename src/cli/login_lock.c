/*
 * login_lock.c - flock(), tried again and again
 *
 * Not waited for in the kernel, because the loop has to go on and because a token may be there before the lock is free.
 * Whoever has the lock writes down who it is, and removes the file before letting go. So somebody may get the lock of a
 * file that has no name any more; it counts only if the name still leads to the same file.
 */

#include "cli/login_lock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cache_file.h"
#include "io/loop.h"

#define POLL_FIRST_MS     20
#define POLL_LAST_MS      250
#define HOLDER_TEXT       64
#define SENTENCE_MAX      512
#define BUSY_BEFORE_WORDS 3
#define TRIES_AT_ONCE     16 /* at files that lose their name meanwhile */

struct login_lock {
	struct login_lock_options options;
	struct timer timer;
	uint64_t deadline_ms;
	uint64_t interval_ms;
	int fd;                   /* locked; -1: not */
	unsigned busy_count;      /* looks that found it busy */
	char holder[HOLDER_TEXT]; /* as read: "4711 1767225600" */
};

enum attempt { ATTEMPT_GOT, ATTEMPT_BUSY, ATTEMPT_STALE, ATTEMPT_IMPOSSIBLE };

static void read_holder(int fd, char holder[HOLDER_TEXT])
{
	ssize_t got = pread(fd, holder, HOLDER_TEXT - 1, 0);

	holder[got > 0 ? got : 0] = '\0';
}

/* Who cannot write here can log in all the same: the others will not know who it is. */
static void write_holder(int fd)
{
	char text[HOLDER_TEXT];
	int len = snprintf(text, sizeof(text), "%ld %lld\n", (long)getpid(),
			   (long long)clock_now_unix());

	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)len, 0);
}

static bool has_its_name(int fd, const char *path)
{
	struct stat by_fd;
	struct stat by_name;

	return fstat(fd, &by_fd) == 0 && lstat(path, &by_name) == 0 &&
	       by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

static int lock_file(int fd)
{
	int rc;

	do {
		rc = flock(fd, LOCK_EX | LOCK_NB);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? errno : 0;
}

static enum attempt try_once(const char *path, char holder[HOLDER_TEXT], int *ret_fd, struct err *e)
{
	int fd = cache_file_open(path, e);
	enum attempt result = ATTEMPT_STALE;
	int errnum;

	if (fd < 0)
		return ATTEMPT_IMPOSSIBLE;
	errnum = lock_file(fd);
	if (errnum == EWOULDBLOCK) {
		read_holder(fd, holder);
		result = ATTEMPT_BUSY;
	} else if (errnum) {
		err_errno(e, errnum, "cannot lock %s", path);
		result = ATTEMPT_IMPOSSIBLE;
	} else if (has_its_name(fd, path)) {
		write_holder(fd);
		*ret_fd = fd;
		return ATTEMPT_GOT;
	}
	(void)close(fd); /* nothing was written */
	return result;
}

static enum attempt try(const char *path, char holder[HOLDER_TEXT], int *ret_fd, struct err *e)
{
	for (unsigned i = 0; i < TRIES_AT_ONCE; i++) {
		enum attempt attempt = try_once(path, holder, ret_fd, e);

		if (attempt != ATTEMPT_STALE)
			return attempt;
	}
	return ATTEMPT_BUSY;
}

/* Somebody may have removed the file meanwhile, with the whole cache; another's lock of that name stays. */
static void give_back(const char *path, int fd)
{
	if (has_its_name(fd, path))
		(void)unlink(path); /* what is left is an empty lock, which is free */
	(void)close(fd);
}

bool login_lock_around(const char *path, void (*run)(void *arg), void *arg)
{
	char holder[HOLDER_TEXT];
	struct err ignored;
	int fd = -1;

	switch (try(path, holder, &fd, &ignored)) {
	case ATTEMPT_BUSY:
	case ATTEMPT_STALE:
		return false;
	case ATTEMPT_GOT:
	case ATTEMPT_IMPOSSIBLE:
		break;
	}
	run(arg);
	if (fd >= 0)
		give_back(path, fd);
	return true;
}

/* "process 4711, since 5:57PM" */
static void describe_holder(const struct login_lock *lock, char *out, size_t size)
{
	struct str rest = str_trim(str_from(lock->holder));
	char since[CLOCK_KITCHEN_MAX];
	struct str pid;
	uint64_t number;
	uint64_t since_unix;

	if (!str_cut(&rest, ' ', &pid) || !str_to_uint64(pid, &number) ||
	    !str_to_uint64(rest, &since_unix) || since_unix > INT64_MAX / 2) {
		(void)snprintf(out, size, "another process");
		return;
	}
	clock_format_kitchen((int64_t)since_unix, since);
	(void)snprintf(out, size, "process %llu, since %s", (unsigned long long)number, since);
}

static void finish(struct login_lock *lock, enum login_lock_result result, const struct err *e)
{
	lock->options.on_done(lock->options.arg, result, e);
}

static void say_waiting(struct login_lock *lock)
{
	char holder[SENTENCE_MAX / 2];
	char sentence[SENTENCE_MAX];

	/* Somebody who only removes a token has it for a moment. */
	if (++lock->busy_count != BUSY_BEFORE_WORDS)
		return;
	describe_holder(lock, holder, sizeof(holder));
	(void)snprintf(sentence, sizeof(sentence),
		       "waiting for the login to %s that goes on already (%s)",
		       lock->options.gateway_name, holder);
	lock->options.on_waiting(lock->options.arg, sentence);
}

static void give_up(struct login_lock *lock)
{
	char holder[SENTENCE_MAX / 2];
	struct err e;

	describe_holder(lock, holder, sizeof(holder));
	err_set(&e, ERR_TIMEOUT,
		"not logged in: somebody else's login to %s has not come to an end (%s); finish it, or "
		"end that process, and try again",
		lock->options.gateway_name, holder);
	finish(lock, LOGIN_LOCK_LATE, &e);
}

static void wait_on(struct login_lock *lock);

static void on_timer(struct timer *timer)
{
	struct login_lock *lock = container_of(timer, struct login_lock, timer);
	struct err e;

	if (lock->options.is_over(lock->options.arg)) {
		finish(lock, LOGIN_LOCK_OVER, NULL);
		return;
	}
	switch (try(lock->options.path, lock->holder, &lock->fd, &e)) {
	case ATTEMPT_GOT:
		/* Its last owner may have stored the token between the two looks. */
		if (lock->options.is_over(lock->options.arg))
			finish(lock, LOGIN_LOCK_OVER, NULL);
		else
			finish(lock, LOGIN_LOCK_YOURS, NULL);
		return;
	case ATTEMPT_IMPOSSIBLE:
		finish(lock, LOGIN_LOCK_YOURS, &e);
		return;
	case ATTEMPT_BUSY:
	case ATTEMPT_STALE:
		break;
	}
	say_waiting(lock);
	wait_on(lock);
}

static void wait_on(struct login_lock *lock)
{
	uint64_t now_ms = clock_now_ms();

	if (now_ms >= lock->deadline_ms) {
		give_up(lock);
		return;
	}
	timer_start(&lock->timer, lock->options.loop, now_ms + lock->interval_ms, on_timer);
	lock->interval_ms *= 2;
	if (lock->interval_ms > POLL_LAST_MS)
		lock->interval_ms = POLL_LAST_MS;
}

struct login_lock *login_lock_start(const struct login_lock_options *options)
{
	struct login_lock *lock = mem_alloc(sizeof(*lock));

	*lock = (struct login_lock){ .options = *options,
				     .deadline_ms = clock_now_ms() + options->wait_ms,
				     .interval_ms = POLL_FIRST_MS,
				     .fd = -1 };
	timer_start(&lock->timer, options->loop, clock_now_ms(), on_timer);
	return lock;
}

void login_lock_release(struct login_lock *lock)
{
	if (!lock)
		return;
	timer_cancel(&lock->timer);
	if (lock->fd >= 0)
		give_back(lock->options.path, lock->fd);
	loop_free_later(lock->options.loop, lock);
}
