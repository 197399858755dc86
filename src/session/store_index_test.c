#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/store_index.h"
#include "tests/support/store_support.h"

static bool has(struct store_index *index, const struct session *s)
{
	struct session *found = store_index_find(index, str_from(s->id));

	session_unref(found);
	return found;
}

static void test_put_find_drop(void **state)
{
	struct store_index *index = store_index_new(100);
	struct session *s = store_support_session("u1", 2000);
	struct session *next = session_new(
		&(struct session_facts){ .id = str_from(s->id), .who = s->who });
	struct session *found;

	assert_null(store_index_find(index, str_from(s->id)));
	assert_false(store_index_drop(index, str_from(s->id)));
	store_index_put(index, s);
	assert_null(store_index_find(index, STR("")));
	assert_null(store_index_find(index, str_first(str_from(s->id), 10)));
	found = store_index_find(index, str_from(s->id));
	assert_ptr_equal(found, s);
	session_unref(found);
	store_index_put(index, next); /* in its place */
	assert_int_equal(store_index_count(index), 1);
	found = store_index_find(index, str_from(s->id));
	assert_ptr_equal(found, next);
	assert_true(store_index_drop(index, str_from(s->id)));
	assert_false(store_index_drop(index, str_from(s->id)));
	assert_int_equal(store_index_count(index), 0);
	assert_string_equal(found->id, s->id); /* this reference is ours */
	session_unref(found);
	session_unref(next);
	session_unref(s);
	store_index_free(index);
	store_index_free(NULL);
}

/* However many come, what is used stays and the rest is bounded. */
static void test_what_is_used_stays(void **state)
{
	struct store_index *index = store_index_new(160);
	struct session *used = store_support_session("u1", 2000);
	struct session *unused = store_support_session("u1", 2000);

	store_index_put(index, used);
	store_index_put(index, unused);
	for (int i = 0; i < 3000; i++) {
		struct session *s = store_support_session("u2", 2000);

		assert_true(has(index, used));
		store_index_put(index, s);
		session_unref(s);
	}
	assert_true(has(index, used));
	assert_false(has(index, unused));
	assert_in_range(store_index_count(index), 100, 160);
	session_unref(used);
	session_unref(unused);
	store_index_free(index);
}

static void test_stamps(void **state)
{
	struct store_index *index = store_index_new(1000);
	struct identity *who = identity_new(&(struct identity){ .user_id = STR("u1") });
	struct arena arena = { 0 };
	struct record_stamp *stamps;
	uint64_t sum = 0;
	size_t count;

	stamps = store_index_stamps(index, &arena, &count);
	assert_int_equal(count, 0);
	for (uint64_t i = 1; i <= 100; i++) {
		struct session *s = session_new(&(struct session_facts){
			.kind = i % 2 ? SESSION_LOGIN : SESSION_SERVICE_ACCOUNT,
			.who = who,
			.record_version = i,
		});

		store_index_put(index, s);
		session_unref(s);
	}
	stamps = store_index_stamps(index, &arena, &count);
	assert_int_equal(count, 100);
	for (size_t i = 0; i < count; i++) {
		struct session *s = store_index_find(index, stamps[i].id);

		assert_int_equal(s->record_version, stamps[i].version);
		assert_int_equal(stamps[i].kind,
				 stamps[i].version % 2 ? RECORD_SESSION : RECORD_SERVICE_ACCOUNT);
		sum += stamps[i].version;
		session_unref(s);
	}
	assert_int_equal(sum, 5050);
	arena_done(&arena);
	identity_unref(who);
	store_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_find_drop),
		cmocka_unit_test(test_what_is_used_stays),
		cmocka_unit_test(test_stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
