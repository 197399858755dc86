/*
 * list_test.c - embedded nodes
 */

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
	int number;
	struct list_node node;
};

static int number_of(struct list_node *node)
{
	return node ? container_of(node, struct item, node)->number : -1;
}

static void assert_numbers(const struct list *l, const int *numbers, size_t count)
{
	size_t seen = 0;

	LIST_FOREACH (l, node) {
		assert_true(seen < count);
		assert_int_equal(number_of(node), numbers[seen]);
		seen++;
	}
	assert_int_equal(seen, count);
}

static void test_order_and_removal(void **state)
{
	struct item items[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	struct list l;

	list_init(&l);
	assert_true(list_is_empty(&l));
	assert_null(list_first(&l));
	for (size_t i = 0; i < 3; i++)
		list_append(&l, &items[i].node);
	assert_numbers(&l, (int[]){ 0, 1, 2 }, 3);
	assert_true(list_node_is_linked(&items[1].node));
	list_remove(&items[1].node);
	assert_false(list_node_is_linked(&items[1].node));
	list_remove(&items[1].node);
	assert_numbers(&l, (int[]){ 0, 2 }, 2);
	list_append(&l, &items[1].node);
	assert_numbers(&l, (int[]){ 0, 2, 1 }, 3);
	assert_int_equal(number_of(list_first(&l)), 0);
}

static void test_the_visited_node_may_be_removed(void **state)
{
	struct item items[4] = {
		{ .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 }
	};
	struct list l;

	list_init(&l);
	for (size_t i = 0; i < 4; i++)
		list_append(&l, &items[i].node);
	LIST_FOREACH (&l, node) {
		if (number_of(node) % 2 == 0)
			list_remove(node);
	}
	assert_numbers(&l, (int[]){ 1, 3 }, 2);
	LIST_FOREACH (&l, node)
		list_remove(node);
	assert_true(list_is_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_removal),
		cmocka_unit_test(test_the_visited_node_may_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
