#include "io/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <semaphore.h>

#include <cmocka.h>

#include "io/loop.h"

struct job {
	struct loop *loop;
	struct work *work;
	pthread_t helper;
	sem_t may_run;
	sem_t is_running;
	unsigned runs;
	unsigned done;
	unsigned freed;
};

static void run(void *arg)
{
	struct job *job = arg;

	job->helper = pthread_self();
	job->runs++;
}

static void run_when_allowed(void *arg)
{
	struct job *job = arg;

	sem_post(&job->is_running);
	sem_wait(&job->may_run);
	job->runs++;
}

static void on_done(void *arg)
{
	struct job *job = arg;

	assert_int_equal(job->freed, 0);
	job->done++;
	/* Too late, and allowed. */
	work_cancel(job->work);
}

static void free_job(void *arg)
{
	struct job *job = arg;

	job->freed++;
	loop_stop(job->loop);
}

static void test_runs_elsewhere_and_reports_here(void **state)
{
	struct job job = { .loop = loop_new() };

	job.work = work_start(job.loop, run, on_done, free_job, &job);
	assert_int_equal(job.done, 0);
	loop_run(job.loop);
	assert_int_equal(job.runs, 1);
	assert_int_equal(job.done, 1);
	assert_int_equal(job.freed, 1);
	assert_false(pthread_equal(job.helper, pthread_self()));
	loop_free(job.loop);
}

static void test_cancel_while_running(void **state)
{
	struct job job = { .loop = loop_new() };

	sem_init(&job.may_run, 0, 0);
	sem_init(&job.is_running, 0, 0);
	job.work = work_start(job.loop, run_when_allowed, on_done, free_job, &job);
	sem_wait(&job.is_running);
	work_cancel(job.work);
	loop_turn(job.loop, false);
	assert_int_equal(job.freed, 0);
	sem_post(&job.may_run);
	loop_run(job.loop);
	assert_int_equal(job.runs, 1);
	assert_int_equal(job.done, 0);
	assert_int_equal(job.freed, 1);
	loop_free(job.loop);
	sem_destroy(&job.may_run);
	sem_destroy(&job.is_running);
}

static void test_loop_waits_for_cancelled_work(void **state)
{
	struct job job = { .loop = loop_new() };

	job.work = work_start(job.loop, run, on_done, free_job, &job);
	work_cancel(job.work);
	work_cancel(NULL);
	loop_free(job.loop);
	assert_int_equal(job.done, 0);
	assert_int_equal(job.freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_elsewhere_and_reports_here),
		cmocka_unit_test(test_cancel_while_running),
		cmocka_unit_test(test_loop_waits_for_cancelled_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
