#include "io/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "io/loop.h"

struct end {
	struct loop *loop;
	int64_t status;
	int signal;
	int count;
};

static void on_exit_of_child(void *arg, int64_t status, int signal)
{
	struct end *end = arg;

	end->status = status;
	end->signal = signal;
	end->count++;
	loop_stop(end->loop);
}

static struct child *start(struct end *end, const char *script, const int *fds, size_t count)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "WORD=said", NULL };
	struct err e = { 0 };
	struct child *c = child_start(end->loop,
				      &(struct child_options){ .argv = argv,
							       .env = env,
							       .fds = fds,
							       .fd_count = count,
							       .on_exit = on_exit_of_child,
							       .arg = end },
				      &e);

	assert_non_null(c);
	return c;
}

/* Those that were named and no others, in their order, whatever numbers they have here. */
static void test_descriptors(void **state)
{
	struct end end = { .loop = loop_new() };
	int one[2];
	int two[2];
	int open_to_all = dup2(STDOUT_FILENO, 100);
	char text[16] = "";
	struct child *c;

	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_int_equal(pipe2(two, O_CLOEXEC), 0);
	assert_int_equal(open_to_all, 100);
	c = start(&end,
		  "echo $WORD 3 >&3; echo $WORD 4 >&4; "
		  "test ! -e /proc/self/fd/6 && test ! -e /proc/self/fd/100 && exit 7",
		  (int[]){ two[1], one[1] }, 2);
	loop_run(end.loop);
	assert_int_equal(end.count, 1);
	assert_int_equal(end.status, 7);
	assert_int_equal(end.signal, 0);
	assert_int_equal(read(two[0], text, sizeof(text)), 7);
	assert_memory_equal(text, "said 3\n", 7);
	assert_int_equal(read(one[0], text, sizeof(text)), 7);
	assert_memory_equal(text, "said 4\n", 7);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
	close(open_to_all);
	child_close(c);
	loop_free(end.loop);
}

static void test_kill(void **state)
{
	struct end end = { .loop = loop_new() };
	struct child *c = start(&end, "exec sleep 1000", NULL, 0);

	assert_true(child_pid(c) > 0);
	child_kill(c);
	loop_run(end.loop);
	assert_int_equal(end.signal, SIGKILL);
	child_kill(c); /* it is dead */
	child_close(c);
	loop_free(end.loop);
	assert_int_equal(end.count, 1);
}

static void test_no_such_program(void **state)
{
	struct loop *loop = loop_new();
	const char *const argv[] = { "/nowhere/pomerium", NULL };
	const char *const env[] = { NULL };
	struct err e = { 0 };

	assert_null(child_start(loop, &(struct child_options){ .argv = argv, .env = env }, &e));
	assert_string_equal(e.text, "cannot start /nowhere/pomerium: no such file or directory");
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_no_such_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
