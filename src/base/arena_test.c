/*
 * arena_test.c - alignment, zeroing, odd sizes
 */

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_alloc(void **state)
{
	struct arena a = { 0 };
	unsigned char *previous = NULL;

	/* every size up to well beyond a chunk; ASan sees any overlap with the end of a chunk */
	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *bytes = arena_alloc(&a, size);
		assert_non_null(bytes);
		assert_ptr_not_equal(bytes, previous);
		assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(bytes[i], 0);
		memset(bytes, 0xff, size);
		previous = bytes;
	}
	arena_done(&a);
	assert_null(a.chunks);
	arena_done(&a);
}

static void test_large_one_keeps_the_room_of_the_first_chunk(void **state)
{
	struct arena a = { 0 };
	char *before = arena_alloc(&a, 16);
	char *large = arena_alloc(&a, 1000000);
	char *after = arena_alloc(&a, 16);

	large[999999] = 'x';
	assert_ptr_equal(after, before + 16);
	arena_done(&a);
}

static void test_copies(void **state)
{
	struct arena a = { 0 };
	struct str copy = arena_copy(&a, str_first(STR("abcdef"), 3));
	struct str empty = arena_copy(&a, (struct str){ 0 });
	struct str printed = arena_printf(&a, "%s-%d", "n", 7);
	int *numbers = arena_alloc_array(&a, 10, sizeof(int));

	assert_true(str_equal(copy, STR("abc")));
	assert_int_equal(copy.at[3], '\0');
	assert_int_equal(empty.len, 0);
	assert_string_equal(empty.at, "");
	assert_string_equal(printed.at, "n-7");
	assert_int_equal(printed.len, 3);
	assert_int_equal(numbers[9], 0);
	assert_string_equal(arena_copy_string(&a, STR("text")), "text");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_large_one_keeps_the_room_of_the_first_chunk),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
