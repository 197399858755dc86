/*
 * mem_test.c - allocation, copies and constant-time comparison
 */

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_alloc_is_zeroed_and_never_null(void **state)
{
	unsigned char *bytes = mem_alloc_array(100, 10);
	void *empty = mem_alloc(0);

	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(bytes[i], 0);
	assert_non_null(empty);
	mem_free(bytes);
	mem_free(empty);
	mem_free(NULL);
}

static void test_copy_adds_a_nul(void **state)
{
	char *copy = mem_copy("a\0bXX", 3);

	assert_memory_equal(copy, "a\0b", 4);
	mem_free(copy);
	copy = mem_copy(NULL, 0);
	assert_string_equal(copy, "");
	mem_free(copy);
	assert_null(mem_copy_string(NULL));
	copy = mem_copy_string("text");
	assert_string_equal(copy, "text");
	mem_freep(&copy);
	assert_null(copy);
	mem_freep(&copy);
}

static void test_resize_keeps_the_contents(void **state)
{
	char *bytes = mem_resize(NULL, 3, 1);

	memcpy(bytes, "abc", 3);
	bytes = mem_resize(bytes, 1000, 1);
	assert_memory_equal(bytes, "abc", 3);
	bytes = mem_resize(bytes, 0, 1);
	assert_non_null(bytes);
	mem_free(bytes);
}

static void test_equal_secret(void **state)
{
	assert_true(mem_equal_secret("", "", 0));
	assert_true(mem_equal_secret("secret", "secret", 6));
	assert_false(mem_equal_secret("secret", "secreT", 6));
	assert_false(mem_equal_secret("Secret", "secret", 6));
	/* one differing bit in each position must show */
	for (unsigned int bit = 0; bit < 8; bit++) {
		unsigned char a = 0;
		unsigned char b = (unsigned char)(1u << bit);
		assert_false(mem_equal_secret(&a, &b, 1));
	}
}

static void test_wipe(void **state)
{
	char secret[] = "secret";

	mem_wipe(secret, 4);
	assert_memory_equal(secret, "\0\0\0\0et", 7);
	mem_wipe(NULL, 0);
	mem_free_secret(NULL);
	char *owned = mem_copy_string("secret");
	mem_free_secretp(&owned);
	assert_null(owned);
}

/* SIGABRT in a child, since that is the promise. */
static void assert_aborts(void (*run)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		(void)close(STDERR_FILENO);
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

static void overflow_array(void)
{
	mem_free(mem_alloc_array(SIZE_MAX / 2, 3));
}

static void overflow_resize(void)
{
	mem_free(mem_resize(NULL, SIZE_MAX / 2, 3));
}

static void test_overflow_aborts(void **state)
{
	assert_aborts(overflow_array);
	assert_aborts(overflow_resize);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc_is_zeroed_and_never_null),
		cmocka_unit_test(test_copy_adds_a_nul),
		cmocka_unit_test(test_resize_keeps_the_contents),
		cmocka_unit_test(test_equal_secret),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_overflow_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
