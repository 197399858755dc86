#include "proxy/bearer_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "session/session.h"
#include "tests/support/clock_fake.h"

struct key {
	uint8_t bytes[SHA256_SIZE];
};

static struct key key_of(uint32_t number)
{
	struct key key = { 0 };

	memcpy(key.bytes, &number, sizeof(number));
	return key;
}

static struct session *make_session(const char *name)
{
	const struct identity facts = { .user_id = str_from(name) };
	struct identity *who = identity_new(&facts);
	struct session *session = session_new(
		&(struct session_facts){ .kind = SESSION_WORKLOAD, .who = who });

	identity_unref(who);
	return session;
}

static void put(struct bearer_cache *c, uint32_t number, struct session *session, int64_t keep_s)
{
	const struct key key = key_of(number);

	bearer_cache_put(c, key.bytes, session, keep_s);
}

/* The session that is expected, if any. */
static void expect(struct bearer_cache *c, uint32_t number, enum bearer_memory memory,
		   const struct session *session)
{
	const struct key key = key_of(number);
	struct session *found = NULL;

	assert_int_equal(bearer_cache_find(c, key.bytes, &found), memory);
	assert_ptr_equal(found, session);
	session_unref(found);
}

static void test_remembers_for_so_long(void **state)
{
	struct bearer_cache *c = bearer_cache_new();
	struct session *session = make_session("a");

	(void)state;
	clock_fake_set_ms(5000);
	put(c, 1, session, 10);
	put(c, 2, NULL, 5);
	put(c, 3, session, 0);
	put(c, 4, session, -1);
	clock_fake_set_ms(9999);
	expect(c, 1, BEARER_GOOD, session);
	expect(c, 2, BEARER_BAD, NULL);
	expect(c, 3, BEARER_UNKNOWN, NULL);
	expect(c, 4, BEARER_UNKNOWN, NULL);
	expect(c, 5, BEARER_UNKNOWN, NULL);
	clock_fake_set_ms(10000);
	expect(c, 2, BEARER_UNKNOWN, NULL);
	clock_fake_set_ms(14999);
	expect(c, 1, BEARER_GOOD, session);
	clock_fake_set_ms(15000);
	expect(c, 1, BEARER_UNKNOWN, NULL);
	session_unref(session);
	bearer_cache_free(c);
}

static void test_the_last_word_counts(void **state)
{
	struct bearer_cache *c = bearer_cache_new();
	struct session *first = make_session("a");
	struct session *second = make_session("b");

	(void)state;
	put(c, 1, first, 10);
	put(c, 1, second, 10);
	expect(c, 1, BEARER_GOOD, second);
	put(c, 1, NULL, 10);
	expect(c, 1, BEARER_BAD, NULL);
	put(c, 1, first, 10);
	expect(c, 1, BEARER_GOOD, first);
	session_unref(first);
	session_unref(second);
	bearer_cache_free(c);
}

static void test_full(void **state)
{
	struct bearer_cache *c = bearer_cache_new();
	struct session *session = make_session("a");

	(void)state;
	for (uint32_t i = 0; i < BEARER_GOOD_MAX; i++)
		put(c, i, session, 10);
	expect(c, 0, BEARER_GOOD, session); /* used: now the second is the oldest */
	put(c, BEARER_GOOD_MAX, session, 10);
	expect(c, 0, BEARER_GOOD, session);
	expect(c, 1, BEARER_UNKNOWN, NULL);
	expect(c, 2, BEARER_GOOD, session);
	/* However many bad ones come. */
	for (uint32_t i = 0; i < BEARER_BAD_MAX + 1; i++)
		put(c, 100000 + i, NULL, 10);
	expect(c, 100000, BEARER_UNKNOWN, NULL);
	expect(c, 100001, BEARER_BAD, NULL);
	expect(c, 2, BEARER_GOOD, session);
	session_unref(session);
	bearer_cache_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembers_for_so_long),
		cmocka_unit_test(test_the_last_word_counts),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
