/*
 * log_queue.c - two buffers that change places
 *
 * Producers append to "pending" under the lock. The writer swaps it with its own empty buffer and
 * writes that one without the lock: one write(2) for all the lines that came meanwhile. The first
 * line wakes the writer, which then lets a few more gather: a busy gateway pays for some wake-ups per
 * second, not for one per line. Lines that are lost, here or in the sink, are reported in front of the next batch that has any line.
 */

#include "base/log_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/log_sink.h"
#include "base/mem.h"

/* What a burst has made larger than this is given back. */
#define KEPT_CAP_MAX ((size_t)256 * 1024)

#define GATHER_NS 5000000

struct log_queue {
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	struct buf pending;  /* under lock */
	bool is_ending;      /* under lock */
	uint64_t dropped;    /* under lock */
	uint64_t unreported; /* under lock: part of dropped */
	struct buf batch;    /* writer thread only, as all below */
	struct log_sink sink;
	log_queue_report *report;
	void *arg;
	pthread_t thread;
};

static void count_lost(struct log_queue *q, uint64_t lines)
{
	q->dropped += lines;
	q->unreported += lines;
}

/* Under lock, which is free meanwhile. */
static void gather(struct log_queue *q)
{
	const struct timespec a_little = { .tv_nsec = GATHER_NS };

	(void)pthread_mutex_unlock(&q->lock);
	(void)nanosleep(&a_little, NULL); /* no signal can cut it short, and it would not matter */
	(void)pthread_mutex_lock(&q->lock);
}

/* Waits for lines and swaps them into the batch. False when there are none and none will come. */
static bool fetch_batch(struct log_queue *q, uint64_t *ret_unreported)
{
	(void)pthread_mutex_lock(&q->lock); /* cannot fail for a normal mutex, nor can the others */
	while (!q->pending.len && !q->is_ending)
		(void)pthread_cond_wait(&q->has_work, &q->lock);
	if (!q->is_ending)
		gather(q);
	struct buf fetched = q->pending;
	q->pending = q->batch;
	q->batch = fetched;
	*ret_unreported = q->unreported;
	q->unreported = 0;
	(void)pthread_mutex_unlock(&q->lock);
	return q->batch.len > 0;
}

static bool write_report(struct log_queue *q, uint64_t count)
{
	struct buf line = BUF_INIT(LOG_LINE_MAX);

	q->report(q->arg, count, &line);
	bool is_written = log_sink_write(&q->sink, buf_view(&line)) == 0;
	buf_done(&line);
	return is_written;
}

static void write_batch(struct log_queue *q, uint64_t unreported)
{
	uint64_t still_unreported = unreported && !write_report(q, unreported) ? unreported : 0;
	uint64_t lost = log_sink_write(&q->sink, buf_view(&q->batch));

	if (q->batch.cap > KEPT_CAP_MAX)
		buf_done(&q->batch);
	buf_truncate(&q->batch, 0);
	q->batch.is_overflown = false;
	if (!lost && !still_unreported)
		return;
	(void)pthread_mutex_lock(&q->lock);
	count_lost(q, lost);
	q->unreported += still_unreported;
	(void)pthread_mutex_unlock(&q->lock);
}

static void *run_writer(void *arg)
{
	struct log_queue *q = arg;
	uint64_t unreported;

	while (fetch_batch(q, &unreported))
		write_batch(q, unreported);
	return NULL;
}

/* Signals are for the other threads: none may interrupt the writer or be handled on it. */
static int start_thread(struct log_queue *q)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&q->thread, NULL, run_writer, q);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : -1;
}

static void release(struct log_queue *q)
{
	(void)pthread_mutex_destroy(&q->lock);
	(void)pthread_cond_destroy(&q->has_work);
	buf_done(&q->pending);
	buf_done(&q->batch);
	mem_free(q);
}

struct log_queue *log_queue_new(int fd, log_queue_report *report, void *arg)
{
	struct log_queue *q = mem_alloc(sizeof(*q));

	(void)pthread_mutex_init(&q->lock, NULL); /* cannot fail on Linux, nor can the next */
	(void)pthread_cond_init(&q->has_work, NULL);
	q->pending = BUF_INIT(LOG_QUEUE_MAX);
	q->batch = BUF_INIT(LOG_QUEUE_MAX);
	log_sink_init(&q->sink, fd);
	q->report = report;
	q->arg = arg;
	if (start_thread(q) < 0) {
		release(q);
		return NULL;
	}
	return q;
}

void log_queue_free(struct log_queue *q)
{
	if (!q)
		return;
	(void)pthread_mutex_lock(&q->lock);
	q->is_ending = true;
	(void)pthread_cond_signal(&q->has_work);
	(void)pthread_mutex_unlock(&q->lock);
	log_sink_hurry(&q->sink);
	(void)pthread_join(q->thread, NULL);
	release(q);
}

void log_queue_append(struct log_queue *q, struct str line)
{
	(void)pthread_mutex_lock(&q->lock);
	bool was_idle = q->pending.len == 0;
	if (buf_append_str(&q->pending, line) < 0)
		count_lost(q, 1);
	else if (was_idle)
		(void)pthread_cond_signal(&q->has_work);
	(void)pthread_mutex_unlock(&q->lock);
}

uint64_t log_queue_dropped(struct log_queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	uint64_t dropped = q->dropped;
	(void)pthread_mutex_unlock(&q->lock);
	return dropped;
}
