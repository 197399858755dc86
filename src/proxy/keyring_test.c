#include "proxy/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/fetch_fixture.h"

#define TURNS_MAX 100000

struct scene {
	struct fetch_fixture f; /* the diary has the paths that were asked for */
	struct keyring *keyring;
	const char *body; /* NULL: an empty set */
	int status;
	bool is_silent;
	unsigned done_count;
	unsigned good_count;
	struct err error;
};

static void on_request(struct http_peer_call *call)
{
	struct scene *s = container_of((struct fetch_fixture *)call->arg, struct scene, f);

	(void)buf_printf(&s->f.diary, "%.*s ", STR_FMT(call->request->path));
	if (s->is_silent)
		return;
	http_peer_respond(call, &(struct http_response){
					.status = s->status ? s->status : 200,
					.body = str_from(s->body ? s->body : "{\"keys\":[]}"),
				});
}

static int set_up(void **state)
{
	struct scene *s = mem_alloc(sizeof(*s));

	clock_fake_set_ms(1000000);
	fetch_fixture_init(&s->f, on_request);
	s->keyring = keyring_new(s->f.loop, s->f.fetcher);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	keyring_free(s->keyring);
	fetch_fixture_done(&s->f);
	mem_free(s);
	return 0;
}

static void on_renewed(void *arg, struct jwks *keys, const struct err *e)
{
	struct scene *s = arg;

	assert_true((keys == NULL) != (e == NULL));
	s->done_count++;
	s->good_count += keys != NULL;
	s->error = e ? *e : (struct err){ 0 };
}

static struct keyring_wait *start(struct scene *s, const char *path)
{
	unsigned before = s->done_count;
	struct keyring_wait *wait = keyring_renew(s->keyring, fetch_fixture_url(&s->f, path),
						  on_renewed, s);

	/* never from inside */
	assert_int_equal(s->done_count, before);
	return wait;
}

static void wait_for(struct scene *s, unsigned done_count)
{
	for (unsigned turns = 0; s->done_count < done_count; turns++) {
		assert_true(turns < TURNS_MAX);
		loop_turn(s->f.loop, true);
	}
	for (int k = 0; k < 3; k++)
		loop_turn(s->f.loop, false);
	assert_int_equal(s->done_count, done_count);
}

static void renew(struct scene *s, const char *path)
{
	(void)start(s, path);
	wait_for(s, s->done_count + 1);
}

static bool is_known(struct scene *s, const char *path)
{
	struct jwks *keys = keyring_find(s->keyring, fetch_fixture_url(&s->f, path));

	jwks_unref(keys);
	return keys != NULL;
}

/* Until the peer was asked, whoever caused it. */
static void wait_for_diary(struct scene *s, const char *text)
{
	for (unsigned turns = 0; s->f.diary.len == 0; turns++) {
		assert_true(turns < TURNS_MAX);
		loop_turn(s->f.loop, true);
	}
	for (int k = 0; k < 20; k++)
		loop_turn(s->f.loop, false);
	fetch_fixture_expect_diary(&s->f, text);
}

static void test_first_need(void **state)
{
	struct scene *s = *state;

	assert_false(is_known(s, "/a"));
	renew(s, "/a");
	assert_int_equal(s->good_count, 1);
	assert_true(is_known(s, "/a"));
	assert_false(is_known(s, "/b"));
	fetch_fixture_expect_diary(&s->f, "/a ");
}

static void test_one_fetch_serves_all(void **state)
{
	struct scene *s = *state;

	for (int k = 0; k < 5; k++)
		(void)start(s, "/a");
	keyring_cancel(start(s, "/a"));
	wait_for(s, 5);
	assert_int_equal(s->good_count, 5);
	fetch_fixture_expect_diary(&s->f, "/a ");
}

static void test_not_too_often(void **state)
{
	struct scene *s = *state;

	renew(s, "/a");
	clock_fake_advance_ms(KEYRING_REFETCH_S * 1000 - 1);
	renew(s, "/a");
	renew(s, "/b");
	fetch_fixture_expect_diary(&s->f, "/a /b ");
	assert_int_equal(s->good_count, 3);
	clock_fake_advance_ms(1);
	renew(s, "/a");
	fetch_fixture_expect_diary(&s->f, "/a ");
}

static void test_cancelled_answer_at_once(void **state)
{
	struct scene *s = *state;

	renew(s, "/a");
	keyring_cancel(start(s, "/a"));
	wait_for(s, 1);
}

static void test_failures(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *error_has;
	} cases[] = {
		{ 404, "", "status 404" },
		{ 302, "", "status 302" },
		{ 200, "<html>", "the key set at http://127.0.0.1" },
		{ 200, "", "the key set at" },
		{ 200, "{\"keys\":1}", "the key set at" },
	};
	struct scene *s = *state;

	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		char path[16];

		(void)snprintf(path, sizeof(path), "/%zu", k);
		s->status = cases[k].status;
		s->body = cases[k].body;
		renew(s, path);
		assert_int_equal(s->good_count, 0);
		assert_true(str_contains(str_from(s->error.text), str_from(cases[k].error_has)));
		renew(s, path); /* the same, without asking */
		assert_true(str_contains(str_from(s->error.text), str_from(cases[k].error_has)));
		assert_false(is_known(s, path));
	}
	fetch_fixture_expect_diary(&s->f, "/0 /1 /2 /3 /4 ");
}

static void test_silent_issuer(void **state)
{
	struct scene *s = *state;

	s->is_silent = true;
	(void)start(s, "/a");
	wait_for_diary(s, "/a ");
	clock_fake_advance_ms(60000);
	wait_for(s, 1);
	assert_int_equal(s->error.kind, ERR_TIMEOUT);
}

static void test_old_ones_are_renewed_if_used(void **state)
{
	struct scene *s = *state;

	renew(s, "/used");
	renew(s, "/unused");
	buf_truncate(&s->f.diary, 0);
	clock_fake_advance_ms(KEYRING_AGE_MAX_S * 1000 - 1);
	loop_turn(s->f.loop, false);
	assert_true(is_known(s, "/used"));
	fetch_fixture_expect_diary(&s->f, "");
	clock_fake_advance_ms(1);
	wait_for_diary(s, "/used ");
	assert_true(is_known(s, "/used"));
	assert_false(is_known(s, "/unused"));
}

static void test_stale_is_better_than_down(void **state)
{
	struct scene *s = *state;
	uint64_t age_s = 0;

	renew(s, "/a");
	s->status = 500;
	for (; age_s + 1800 < KEYRING_STALE_MAX_S; age_s += 1800) {
		assert_true(is_known(s, "/a"));
		clock_fake_advance_ms(1800 * 1000);
		for (int k = 0; k < 20; k++)
			loop_turn(s->f.loop, false);
	}
	assert_true(s->f.diary.len > 0);
	assert_true(is_known(s, "/a"));
	clock_fake_advance_ms(1800 * 1000);
	assert_false(is_known(s, "/a"));

	/* Whoever insists hears why there are no newer ones. */
	renew(s, "/a");
	assert_true(str_contains(str_from(s->error.text), STR("status 500")));
	clock_fake_advance_ms(KEYRING_REFETCH_S * 1000);
	s->status = 0;
	renew(s, "/a");
	assert_true(is_known(s, "/a"));
}

static void test_too_many_sets(void **state)
{
	struct scene *s = *state;
	char path[16];

	for (unsigned k = 0; k <= KEYRING_SETS_MAX; k++) {
		(void)snprintf(path, sizeof(path), "/%u", k);
		renew(s, path);
		clock_fake_advance_ms(1);
		assert_true(is_known(s, "/0")); /* in use all the time */
		clock_fake_advance_ms(1);
	}
	assert_false(is_known(s, "/1"));
	assert_true(is_known(s, "/2"));
	assert_true(is_known(s, path));
}

/* Nobody is forgotten while somebody waits for him. */
static void test_all_sets_are_being_fetched(void **state)
{
	struct keyring_wait *waits[KEYRING_SETS_MAX];
	struct scene *s = *state;
	char path[16];

	s->is_silent = true;
	for (unsigned k = 0; k < KEYRING_SETS_MAX; k++) {
		(void)snprintf(path, sizeof(path), "/%u", k);
		waits[k] = start(s, path);
	}
	renew(s, "/one-more");
	assert_int_equal(s->error.kind, ERR_LIMIT);
	for (unsigned k = 0; k < KEYRING_SETS_MAX; k++)
		keyring_cancel(waits[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_need, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_fetch_serves_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_too_often, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancelled_answer_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_issuer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_old_ones_are_renewed_if_used, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_stale_is_better_than_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_sets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_sets_are_being_fetched, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
