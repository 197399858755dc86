/*
 * log_sink_test.c - what is left of lines that could not be written whole
 */

#include "base/log_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE (4 * PIPE_BUF)

/* A pipe that takes PIPE_SIZE bytes, in at most four pieces, and then is full. */
static void open_small_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
}

static void close_pipe(int ends[2])
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_the_line_after_a_torn_one_begins_at_the_margin(void **state)
{
	char lines[PIPE_SIZE * 2];
	struct log_sink sink;
	int ends[2];

	open_small_pipe(ends);
	log_sink_init(&sink, ends[1]);
	log_sink_hurry(&sink);
	memset(lines, 'x', sizeof(lines));
	lines[9] = '\n';
	lines[sizeof(lines) - 10] = '\n';
	lines[sizeof(lines) - 1] = '\n';
	/* one of three lines got out, the second is torn */
	assert_int_equal(log_sink_write(&sink, str_of(lines, sizeof(lines))), 2);
	assert_int_equal(read(ends[0], lines, sizeof(lines)), PIPE_SIZE);
	assert_int_equal(log_sink_write(&sink, STR("next\n")), 0);
	assert_int_equal(log_sink_write(&sink, STR("last\n")), 0);
	ssize_t got = read(ends[0], lines, sizeof(lines));
	assert_int_equal(got, 11);
	assert_memory_equal(lines, "\nnext\nlast\n", 11);
	close_pipe(ends);
}

static void test_nothing_is_torn_at_the_end_of_a_line(void **state)
{
	char lines[PIPE_SIZE * 2];
	struct log_sink sink;
	int ends[2];

	open_small_pipe(ends);
	log_sink_init(&sink, ends[1]);
	log_sink_hurry(&sink);
	memset(lines, 'x', sizeof(lines));
	lines[PIPE_SIZE - 1] = '\n';
	lines[sizeof(lines) - 1] = '\n';
	assert_int_equal(log_sink_write(&sink, str_of(lines, sizeof(lines))), 1);
	assert_int_equal(log_sink_write(&sink, STR("lost\n")), 1);
	assert_int_equal(read(ends[0], lines, sizeof(lines)), PIPE_SIZE);
	assert_int_equal(log_sink_write(&sink, STR("next\n")), 0);
	assert_int_equal(read(ends[0], lines, sizeof(lines)), 5);
	assert_memory_equal(lines, "next\n", 5);
	close_pipe(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_line_after_a_torn_one_begins_at_the_margin),
		cmocka_unit_test(test_nothing_is_torn_at_the_end_of_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
