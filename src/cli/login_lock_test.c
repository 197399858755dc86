/*
 * Who gets the lock, who waits, and what is said; on clocks that move when the test says so.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/login_lock.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"

#define WAIT_MS 5000

struct person {
	struct login_lock *lock;
	unsigned done_count;
	enum login_lock_result result;
	struct err error;
	char sentence[512];
	unsigned waiting_count;
	unsigned looks_until_over; /* 0: never */
};

struct fixture {
	struct loop *loop;
	char directory[64];
	char path[128];
	struct person a;
	struct person b;
};

static bool is_over(void *arg)
{
	struct person *p = arg;

	return p->looks_until_over > 0 && --p->looks_until_over == 0;
}

static void on_waiting(void *arg, const char *sentence)
{
	struct person *p = arg;

	p->waiting_count++;
	(void)snprintf(p->sentence, sizeof(p->sentence), "%s", sentence);
}

static void on_done(void *arg, enum login_lock_result result, const struct err *e)
{
	struct person *p = arg;

	p->done_count++;
	p->result = result;
	p->error = e ? *e : (struct err){ 0 };
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->loop = loop_new();
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/login_lock.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	(void)snprintf(f->path, sizeof(f->path), "%s/a.lock", f->directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	login_lock_release(f->a.lock);
	login_lock_release(f->b.lock);
	loop_turn(f->loop, false);
	loop_free(f->loop);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->directory), 0);
	mem_free(f);
	return 0;
}

static void begin(struct fixture *f, struct person *p)
{
	p->lock = login_lock_start(&(struct login_lock_options){ .loop = f->loop,
								 .path = f->path,
								 .gateway_name = "gw:443",
								 .wait_ms = WAIT_MS,
								 .is_over = is_over,
								 .on_waiting = on_waiting,
								 .on_done = on_done,
								 .arg = p });
	assert_int_equal(p->done_count, 0); /* never from inside the call */
	loop_turn(f->loop, false);
}

static void end(struct person *p)
{
	login_lock_release(TAKE(p->lock));
}

static void pass(struct fixture *f, uint64_t ms)
{
	clock_fake_advance_ms(ms);
	loop_turn(f->loop, false);
}

static void check_done(const struct person *p, enum login_lock_result result)
{
	assert_int_equal(p->done_count, 1);
	assert_int_equal(p->result, result);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void test_the_first_gets_it(void **state)
{
	struct fixture *f = *state;

	begin(f, &f->a);
	check_done(&f->a, LOGIN_LOCK_YOURS);
	assert_int_equal(f->a.error.kind, ERR_NONE);
	assert_true(exists(f->path));
	end(&f->a);
	assert_false(exists(f->path));
}

static void test_the_second_waits_and_says_for_whom(void **state)
{
	struct fixture *f = *state;
	char expected[64];

	begin(f, &f->a);
	begin(f, &f->b);
	assert_int_equal(f->b.waiting_count, 0); /* it may be over in a moment */
	pass(f, 1000);
	pass(f, 1000);
	pass(f, 1000);
	assert_int_equal(f->b.done_count, 0);
	assert_int_equal(f->b.waiting_count, 1);
	(void)snprintf(expected, sizeof(expected),
		       "gw:443 that goes on already (process %ld, since ", (long)getpid());
	assert_non_null(strstr(f->b.sentence, expected));
	end(&f->a);
	pass(f, 1000);
	check_done(&f->b, LOGIN_LOCK_YOURS);
}

static void test_a_token_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	begin(f, &f->a);
	f->b.looks_until_over = 2;
	begin(f, &f->b);
	assert_int_equal(f->b.done_count, 0);
	pass(f, 1000);
	check_done(&f->b, LOGIN_LOCK_OVER);
	end(&f->b);
	assert_true(exists(f->path)); /* it is somebody else's */
}

static void test_it_is_looked_once_more_with_the_lock(void **state)
{
	struct fixture *f = *state;

	f->a.looks_until_over = 2;
	begin(f, &f->a);
	check_done(&f->a, LOGIN_LOCK_OVER);
	begin(f, &f->b);
	assert_int_equal(f->b.done_count, 0); /* until the first lets go */
	end(&f->a);
	pass(f, 1000);
	check_done(&f->b, LOGIN_LOCK_YOURS);
}

static void test_the_wait_is_bounded(void **state)
{
	struct fixture *f = *state;
	char expected[64];

	begin(f, &f->a);
	begin(f, &f->b);
	for (unsigned i = 0; i < WAIT_MS / 250; i++) {
		assert_int_equal(f->b.done_count, 0);
		pass(f, 250);
	}
	pass(f, 250);
	check_done(&f->b, LOGIN_LOCK_LATE);
	(void)snprintf(expected, sizeof(expected), "process %ld, since ", (long)getpid());
	assert_non_null(strstr(f->b.error.text, expected));
	assert_non_null(strstr(f->b.error.text, "try again"));
}

static void test_a_holder_that_says_nonsense(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\x1b[2J evil", 10), 10);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	begin(f, &f->a);
	pass(f, 1000);
	pass(f, 1000);
	assert_non_null(strstr(f->a.sentence, "(another process)"));
	(void)close(fd);
	pass(f, 1000);
	check_done(&f->a, LOGIN_LOCK_YOURS);
}

static void test_a_file_without_a_name_locks_nobody_out(void **state)
{
	struct fixture *f = *state;

	begin(f, &f->a);
	assert_int_equal(unlink(f->path), 0);
	begin(f, &f->b);
	check_done(&f->b, LOGIN_LOCK_YOURS);
}

/* "cache clear" removes what somebody holds, and the next one makes a lock of his own. */
static void test_another_lock_of_the_name_stays(void **state)
{
	struct fixture *f = *state;

	begin(f, &f->a);
	check_done(&f->a, LOGIN_LOCK_YOURS);
	assert_int_equal(unlink(f->path), 0);
	begin(f, &f->b);
	check_done(&f->b, LOGIN_LOCK_YOURS);
	end(&f->a);
	assert_int_equal(access(f->path, F_OK), 0);
	end(&f->b);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void test_where_there_can_be_no_lock(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("/dev/null", f->path), 0);
	begin(f, &f->a);
	check_done(&f->a, LOGIN_LOCK_YOURS);
	assert_non_null(strstr(f->a.error.text, "is a link"));
	end(&f->a);
	assert_true(exists(f->path));
	assert_int_equal(unlink(f->path), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s/missing/a.lock", f->directory);
	begin(f, &f->b);
	check_done(&f->b, LOGIN_LOCK_YOURS);
	assert_int_not_equal(f->b.error.kind, ERR_NONE);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static void test_around(void **state)
{
	struct fixture *f = *state;
	unsigned run_count = 0;

	assert_true(login_lock_around(f->path, count, &run_count));
	assert_int_equal(run_count, 1);
	assert_false(exists(f->path));
	begin(f, &f->a);
	assert_false(login_lock_around(f->path, count, &run_count));
	assert_int_equal(run_count, 1);
	assert_true(exists(f->path));
	end(&f->a);
	assert_int_equal(symlink("/dev/null", f->path), 0);
	assert_true(login_lock_around(f->path, count, &run_count));
	assert_int_equal(run_count, 2);
	assert_true(exists(f->path));
}

static void test_silence_after_release(void **state)
{
	struct fixture *f = *state;

	begin(f, &f->a);
	begin(f, &f->b);
	end(&f->b);
	end(&f->a);
	pass(f, 2 * WAIT_MS);
	assert_int_equal(f->b.done_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_first_gets_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_second_waits_and_says_for_whom, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_token_ends_the_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_looked_once_more_with_the_lock, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_wait_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_holder_that_says_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_without_a_name_locks_nobody_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_another_lock_of_the_name_stays, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_where_there_can_be_no_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_around, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence_after_release, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
