#include "proxy/predecessor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/listener.h"
#include "proxy/given_sockets.h"

struct bed {
	struct predecessor p;
	struct given_sockets sockets;
	int hear_fd;
	char text[8192];
};

/* Sets the variable up as the process before does, with a socket or without. */
static void prepare(struct bed *bed, bool has_socket)
{
	struct addr address = { 0 };
	char variable[128];
	int ends[2];
	int len;

	*bed = (struct bed){ 0 };
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	bed->hear_fd = ends[0];
	len = snprintf(variable, sizeof(variable), "%ld %d ", (long)getppid(), ends[1]);
	if (has_socket) {
		assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
		(void)snprintf(variable + len, sizeof(variable) - (size_t)len, "%d:main",
			       listener_bind(&address, true, NULL));
	}
	assert_int_equal(setenv(PREDECESSOR_VARIABLE, variable, 1), 0);
	assert_int_equal(predecessor_find(&bed->p, &bed->sockets, NULL), 0);
	assert_null(getenv(PREDECESSOR_VARIABLE));
}

/* What was said until the end. */
static const char *hear(struct bed *bed)
{
	ssize_t got = read(bed->hear_fd, bed->text, sizeof(bed->text) - 1);

	assert_true(got >= 0);
	bed->text[got] = '\0';
	assert_int_equal(read(bed->hear_fd, bed->text + got, 1), 0);
	return bed->text;
}

static void finish(struct bed *bed)
{
	given_sockets_done(&bed->sockets);
	close(bed->hear_fd);
}

static void test_none(void **state)
{
	struct given_sockets g = { 0 };
	struct predecessor p;

	(void)unsetenv(PREDECESSOR_VARIABLE);
	assert_int_equal(predecessor_find(&p, &g, NULL), 0);
	assert_int_equal(p.pid, 0);
	predecessor_tell_ready(&p, &g); /* nobody */
	predecessor_tell_failed(&p, "no reason");
	predecessor_reload(&p);
}

static void test_ready(void **state)
{
	struct bed bed;
	char expected[32];

	prepare(&bed, true);
	assert_int_equal(bed.p.pid, getppid());
	assert_int_equal(bed.sockets.count, 1);
	(void)snprintf(expected, sizeof(expected), "ready %d\n", bed.sockets.items[0].fd);
	predecessor_tell_ready(&bed.p, &bed.sockets);
	assert_string_equal(hear(&bed), expected);
	predecessor_tell_ready(&bed.p, &bed.sockets); /* once */
	finish(&bed);
}

static void test_failed(void **state)
{
	struct bed bed;
	char long_reason[8192];

	prepare(&bed, false);
	predecessor_tell_failed(&bed.p, "the store is away");
	assert_string_equal(hear(&bed), "failed the store is away\n");
	finish(&bed);

	memset(long_reason, 'x', sizeof(long_reason) - 1);
	long_reason[sizeof(long_reason) - 1] = '\0';
	prepare(&bed, false);
	predecessor_tell_failed(&bed.p, long_reason);
	assert_int_equal(strlen(hear(&bed)), strlen("failed \n") + ERR_TEXT_MAX);
	finish(&bed);
}

static void test_not_from_a_gateway(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"1",
		"1 88888", /* not open: a standard descriptor may be a pipe */
		"x 3 4:main",
		"1 x 4:main",
		"1 77777",
		"1 99999 ",
		"-1 3 ",
		"99999999999999999999 3 ",
		"1 99999999999 4:main",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct given_sockets g = { 0 };
		struct err e = { 0 };
		struct predecessor p;

		assert_int_equal(setenv(PREDECESSOR_VARIABLE, texts[i], 1), 0);
		assert_int_equal(predecessor_find(&p, &g, &e), -1);
		assert_non_null(strstr(e.text, PREDECESSOR_VARIABLE));
		assert_null(getenv(PREDECESSOR_VARIABLE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_not_from_a_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
