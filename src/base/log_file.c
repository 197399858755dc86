/*
 * log_file.c - a queue, and a thread that empties it
 *
 * The writer takes what is pending as one batch and writes it without the lock. A batch that could not be written whole stays
 * where it is until the rest of it is written, so that the order of lines is kept. A change of files is a barrier: the batch
 * in hand and what was pending at that moment go to the old file, if that can still be written at all.
 */

#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

struct log_file {
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct buf pending; /* under lock */
	int next_fd;        /* under lock: to be used from now on; valid if has_next */
	bool has_next;      /* under lock */
	bool is_ending;     /* under lock */
	atomic_bool has_file;
	atomic_size_t waiting; /* bytes that are not written yet */
	atomic_uint_fast64_t dropped;
	struct buf batch; /* the writer's, as all below */
	size_t written;   /* of the batch */
	int fd;           /* -1: none */
	bool is_failing;
	uint64_t told_ms;
	void (*on_problem)(void *arg, const struct err *e);
	void *arg;
	pthread_t thread;
};

/* ---- the writer ---- */

static void tell(struct log_file *f, int errnum)
{
	uint64_t now = clock_now_ms();
	struct err e = { 0 };

	if (f->is_failing && now - f->told_ms < LOG_FILE_PROBLEM_MS)
		return;
	f->is_failing = true;
	f->told_ms = now;
	(void)err_errno(&e, errnum, "writing the file");
	f->on_problem(f->arg, &e);
}

/* A pipe whose reader has stopped; files are always ready. */
static bool becomes_ready(const struct log_file *f)
{
	struct pollfd wanted = { .fd = f->fd, .events = POLLOUT };

	return poll(&wanted, 1, LOG_FILE_RETRY_MS) > 0; /* interrupted: the next one tries again */
}

/* True when the whole batch is written. */
static bool write_batch(struct log_file *f)
{
	while (f->written < f->batch.len) {
		ssize_t put = write(f->fd, f->batch.data + f->written, f->batch.len - f->written);

		if (put < 0 && (errno == EINTR || (errno == EAGAIN && becomes_ready(f))))
			continue;
		if (put <= 0) {
			tell(f, put < 0 ? errno : EIO);
			return false;
		}
		f->written += (size_t)put;
		atomic_fetch_sub(&f->waiting, (size_t)put);
	}
	buf_truncate(&f->batch, 0);
	f->written = 0;
	if (f->is_failing) {
		f->is_failing = false;
		f->on_problem(f->arg, NULL);
	}
	return true;
}

static void take_pending(struct log_file *f)
{
	if (f->batch.len)
		return;
	struct buf taken = f->pending;
	f->pending = f->batch;
	f->batch = taken;
}

static void wait_a_while(struct log_file *f)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOG_FILE_RETRY_MS / 1000;
	(void)pthread_cond_timedwait(&f->has_work, &f->lock, &until); /* early is no harm */
}

static void drop_batch(struct log_file *f)
{
	atomic_fetch_sub(&f->waiting, f->batch.len - f->written);
	for (size_t i = f->written; i < f->batch.len; i++)
		if (f->batch.data[i] == '\n')
			atomic_fetch_add(&f->dropped, 1);
	buf_truncate(&f->batch, 0);
	f->written = 0;
}

/* A line of which the old file has only the beginning goes to the new one whole. */
static void rewind_to_line(struct log_file *f)
{
	size_t start = f->written;

	while (start > 0 && f->batch.data[start - 1] != '\n')
		start--;
	atomic_fetch_add(&f->waiting, f->written - start);
	f->written = start;
}

/* Under lock. What the old file does not take goes to the new one; with no new one it is dropped. */
static void change_file(struct log_file *f)
{
	rewind_to_line(f);
	if (f->fd >= 0)
		(void)close(f->fd); /* everything written is with the kernel */
	f->fd = f->next_fd;
	f->has_next = false;
}

/* Under lock, which is free while writing. */
static bool write_unlocked(struct log_file *f)
{
	(void)pthread_mutex_unlock(&f->lock);
	bool is_done = f->fd < 0 ? (drop_batch(f), true) : write_batch(f);
	(void)pthread_mutex_lock(&f->lock);
	return is_done;
}

static void *run_writer(void *arg)
{
	struct log_file *f = arg;
	bool is_stuck = false;

	(void)pthread_mutex_lock(&f->lock); /* cannot fail for a normal mutex */
	for (;;) {
		take_pending(f);
		if (f->has_next && f->fd < 0)
			change_file(f); /* nothing is for no file */
		if (f->batch.len && !is_stuck) {
			is_stuck = !write_unlocked(f);
			continue;
		}
		if (f->has_next) {
			change_file(f);
			is_stuck = false;
			continue;
		}
		if (f->is_ending)
			break;
		if (!is_stuck) {
			(void)pthread_cond_wait(&f->has_work, &f->lock);
			continue;
		}
		wait_a_while(f);
		is_stuck = !write_unlocked(f);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- everybody else ---- */

static void release(struct log_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); /* everything written is with the kernel */
	(void)pthread_mutex_destroy(&f->lock);
	(void)pthread_cond_destroy(&f->has_work);
	buf_done(&f->pending);
	buf_done(&f->batch);
	mem_free(f);
}

/* Signals are for the other threads. */
static int start_thread(struct log_file *f, struct err *e)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&f->thread, NULL, run_writer, f);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : err_errno(e, rc, "starting a thread that writes a file");
}

struct log_file *log_file_new(void (*on_problem)(void *arg, const struct err *e), void *arg,
			      struct err *e)
{
	struct log_file *f = mem_alloc(sizeof(*f));
	pthread_condattr_t attributes;

	f->pending = BUF_INIT(LOG_FILE_QUEUE_MAX);
	f->batch = BUF_INIT(LOG_FILE_QUEUE_MAX);
	f->fd = -1;
	f->on_problem = on_problem;
	f->arg = arg;
	(void)pthread_mutex_init(&f->lock, NULL); /* cannot fail on Linux, nor can the next */
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&f->has_work, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (start_thread(f, e) == 0)
		return f;
	release(f);
	return NULL;
}

int log_file_open(const char *path, struct err *e)
{
	/*
	 * A pipe that nobody reads would be waited for: here by whoever has other things to do, and by the writer, for whom
	 * the end of the process waits.
	 */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		      0600);

	return fd < 0 ? err_errno(e, errno, "opening %s", path) : fd;
}

void log_file_use(struct log_file *f, int fd)
{
	(void)pthread_mutex_lock(&f->lock);
	if (f->has_next && f->next_fd >= 0)
		(void)close(f->next_fd); /* nothing was written to it */
	f->next_fd = fd;
	f->has_next = true;
	atomic_store(&f->has_file, fd >= 0);
	(void)pthread_cond_signal(&f->has_work);
	(void)pthread_mutex_unlock(&f->lock);
}

void log_file_append(struct log_file *f, struct str line)
{
	if (!log_file_has_file(f))
		return;
	(void)pthread_mutex_lock(&f->lock);
	bool was_idle = f->pending.len == 0;
	if (buf_append_str(&f->pending, line) < 0) {
		f->pending.is_overflown = false;
		atomic_fetch_add(&f->dropped, 1);
	} else {
		atomic_fetch_add(&f->waiting, line.len);
		if (was_idle)
			(void)pthread_cond_signal(&f->has_work);
	}
	(void)pthread_mutex_unlock(&f->lock);
}

bool log_file_has_file(const struct log_file *f)
{
	return atomic_load_explicit(&f->has_file, memory_order_relaxed);
}

bool log_file_is_full(const struct log_file *f)
{
	return atomic_load_explicit(&f->waiting, memory_order_relaxed) >= LOG_FILE_MARK;
}

uint64_t log_file_dropped(const struct log_file *f)
{
	return atomic_load_explicit(&f->dropped, memory_order_relaxed);
}

void log_file_free(struct log_file *f)
{
	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->is_ending = true;
	(void)pthread_cond_signal(&f->has_work);
	(void)pthread_mutex_unlock(&f->lock);
	(void)pthread_join(f->thread, NULL);
	release(f);
}
