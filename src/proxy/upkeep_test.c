#include "proxy/upkeep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proxy/snapshot.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/idp_fake.h"

#define LIFE_S  36000
#define LOG_MAX 65536
#define HOUR_S  3600
#define DUE_S   (300 - REFRESH_BEFORE_S)
#define MANY    (3 * STORE_CLAIM_MAX)
#define ROUNDS  4

struct scene {
	struct idp_fake idp;
	struct store *store;
	struct upkeep *upkeep;
	struct log *log;
	int log_fd;
	char session_id[UUID_TEXT_LEN + 1];
};

static struct snapshot *current(void *arg)
{
	struct scene *s = arg;

	return snapshot_ref(s->idp.snapshot);
}

/* Logs ann in, as the gateway does. */
static void store_session(struct scene *s, struct str idp_id)
{
	struct idp_call *call = &s->idp.call;
	struct store_call put = { .verb = STORE_PUT, .kind = RECORD_SESSION };
	int64_t now = clock_now_unix();

	idp_fake_run(&s->idp, IDP_LOGIN);
	idp_fake_expect(&s->idp, IDP_DONE, "");
	put.now_unix = now;
	put.item.session = session_new(&(struct session_facts){
		.idp_id = idp_id,
		.who = call->who,
		.issued_unix = now,
		.expires_unix = now + LIFE_S,
		.valid_until_unix = session_valid_until(call->secrets, now + LIFE_S),
		.credential_tag = { 7 },
	});
	put.item.secrets = TAKE(call->secrets);
	memcpy(s->session_id, put.item.session->id, sizeof(s->session_id));
	store_run(s->store, &put);
	assert_int_equal(put.result, STORE_DONE);
	store_call_done(&put);
	idp_fake_forget(&s->idp);
	buf_truncate(&s->idp.f.diary, 0);
}

static int set_up(void **state)
{
	struct scene *s = mem_alloc(sizeof(*s));

	idp_fake_init(&s->idp, "");
	s->log_fd = memfd_create("log", MFD_CLOEXEC);
	s->log = log_new(s->log_fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	assert_int_equal(
		store_open(&(struct store_options){ .type = STORE_MEMORY,
						    .shared_key = STR("0123456789abcdef"
								      "0123456789abcdef") },
			   &s->store, NULL),
		0);
	s->upkeep = upkeep_new(&(struct upkeep_options){
		.loop = s->idp.f.loop,
		.log = s->log,
		.store = s->store,
		.idps = s->idp.idps,
		.current = current,
		.arg = s,
	});
	*state = s;
	return 0;
}

static void shut_down(struct scene *s)
{
	upkeep_stop(s->upkeep);
	idp_service_free(TAKE(s->idp.idps));
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	shut_down(s);
	store_free(s->store);
	upkeep_free(s->upkeep);
	idp_fake_done(&s->idp);
	log_free(s->log);
	(void)close(s->log_fd);
	mem_free(s);
	return 0;
}

/* What is in the store; the caller releases it. */
static struct store_call look(struct scene *s)
{
	struct store_call get = { .verb = STORE_GET, .kind = RECORD_SESSION };

	memcpy(get.key, s->session_id, sizeof(s->session_id));
	get.now_unix = clock_now_unix();
	store_run(s->store, &get);
	return get;
}

/* One answer of the store's thread lies behind each look. */
static void settle(struct scene *s)
{
	for (int k = 0; k < ROUNDS; k++) {
		struct store_call get = look(s);

		store_call_done(&get);
		idp_fake_settle(&s->idp);
	}
}

static void pass(struct scene *s, unsigned seconds)
{
	for (unsigned k = 0; k < seconds; k++) {
		clock_fake_advance_ms(1000);
		settle(s);
	}
}

/* Without a look at what happens in between. */
static void leap(struct scene *s, unsigned seconds)
{
	clock_fake_advance_ms((uint64_t)(seconds - 1) * 1000);
	pass(s, 1);
}

static void expect_session(struct scene *s, const char *refresh_token, unsigned failures)
{
	struct store_call get = look(s);

	assert_int_equal(get.result, STORE_DONE);
	assert_true(str_equal(get.item.secrets->refresh_token, str_from(refresh_token)));
	assert_int_equal(get.item.secrets->failures, failures);
	store_call_done(&get);
}

static void expect_no_session(struct scene *s)
{
	struct store_call get = look(s);

	assert_int_equal(get.result, STORE_ABSENT);
	store_call_done(&get);
}

static void expect_log(struct scene *s, const char *part)
{
	char *text = mem_alloc(LOG_MAX);
	ssize_t len = pread(s->log_fd, text, LOG_MAX - 1, 0);

	assert_true(len >= 0);
	if (*part ? !strstr(text, part) : len > 0)
		fail_msg("the log is\n%s\nwithout \"%s\"", text, part);
	mem_free(text);
}

static size_t count_in_diary(struct scene *s, const char *word)
{
	struct str text = buf_view(&s->idp.f.diary);
	struct str item;
	size_t count = 0;

	while (str_cut(&text, ' ', &item))
		count += str_equal(item, str_from(word));
	return count;
}

static void test_nothing_before_it_is_due(void **state)
{
	struct scene *s = *state;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	leap(s, DUE_S - 5);
	fetch_fixture_expect_diary(&s->idp.f, "");
	expect_session(s, "refresh-1", 0);
}

static void test_renews(void **state)
{
	struct scene *s = *state;
	struct store_call before;
	struct store_call after;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	before = look(s);
	s->idp.email = "ann@new.example.com";
	leap(s, USERINFO_INTERVAL_S);
	pass(s, 2);
	fetch_fixture_expect_diary(&s->idp.f, "token userinfo ");
	expect_session(s, "refresh-2", 0);
	after = look(s);
	assert_string_equal(after.item.session->id, before.item.session->id);
	assert_int_equal(after.item.session->issued_unix, before.item.session->issued_unix);
	assert_int_equal(after.item.session->expires_unix, before.item.session->expires_unix);
	assert_int_equal(after.item.session->valid_until_unix, after.item.session->expires_unix);
	assert_memory_equal(after.item.session->credential_tag, before.item.session->credential_tag,
			    SESSION_TAG_SIZE);
	assert_true(str_equal(after.item.session->who->email, STR("ann@new.example.com")));
	store_call_done(&before);
	store_call_done(&after);
	expect_log(s, "");
}

/* An hour of a provider that takes each refresh token once. */
static void test_refresh_tokens_are_used_once(void **state)
{
	struct scene *s = *state;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	for (unsigned k = 0; k < HOUR_S / 20; k++)
		leap(s, 20);
	assert_int_equal(count_in_diary(s, "token"), s->idp.generation - 1);
	assert_in_range(s->idp.generation, 12, 16);
	expect_log(s, "");
}

static void test_provider_that_is_down_for_an_hour(void **state)
{
	struct scene *s = *state;
	struct store_call get;
	size_t tries;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	s->idp.token = (struct idp_fake_answer){ 503, "later" };
	leap(s, DUE_S);
	for (unsigned k = 0; k < HOUR_S / 5; k++)
		leap(s, 5);
	tries = count_in_diary(s, "token");
	assert_in_range(tries, HOUR_S / 80, HOUR_S / UPKEEP_RETRY_MAX_S + 5);
	get = look(s);
	assert_int_equal(get.result, STORE_DONE);
	assert_false(session_is_expired(get.item.session, clock_now_unix()));
	assert_int_equal(get.item.secrets->failures, tries);
	store_call_done(&get);

	s->idp.token = (struct idp_fake_answer){ 0 };
	leap(s, 2 * UPKEEP_RETRY_MAX_S);
	expect_session(s, "refresh-2", 0);
}

static void test_refused_session_ends(void **state)
{
	struct scene *s = *state;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	s->idp.token = (struct idp_fake_answer){ 400, "{\"error\":\"invalid_grant\"}" };
	leap(s, DUE_S + 1);
	pass(s, 1);
	expect_no_session(s);
	expect_log(s, "session ended");
	expect_log(s, "ann@example.com");
	expect_log(s, s->session_id);
	expect_log(s, "invalid_grant");
}

static void test_provider_that_is_configured_no_more(void **state)
{
	struct scene *s = *state;

	store_session(s, STR("another"));
	leap(s, DUE_S + 1);
	pass(s, 1);
	expect_no_session(s);
	fetch_fixture_expect_diary(&s->idp.f, "");
	expect_log(s, "not configured any more");
}

/* More than one claim gives: they do not wait for another second. */
static void test_many_are_due_at_once(void **state)
{
	struct scene *s = *state;
	struct store_call first;

	s->idp.rotates = false; /* all of them have the same token */
	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	first = look(s);
	for (int k = 1; k < MANY; k++) {
		struct store_call put = { .verb = STORE_PUT, .kind = RECORD_SESSION };

		put.item.session = session_new(&(struct session_facts){
			.idp_id = first.item.session->idp_id,
			.who = first.item.session->who,
			.issued_unix = first.item.session->issued_unix,
			.expires_unix = first.item.session->expires_unix,
			.valid_until_unix = first.item.session->valid_until_unix,
		});
		put.item.secrets = session_secrets_new(first.item.secrets);
		store_run(s->store, &put);
		assert_int_equal(put.result, STORE_DONE);
		store_call_done(&put);
	}
	store_call_done(&first);
	clock_fake_advance_ms((DUE_S + 1) * 1000);
	for (int k = 0; k < MANY; k++)
		settle(s);
	assert_int_equal(count_in_diary(s, "token"), MANY);
}

/* Whoever signs out while the provider is being asked stays out. */
static void test_signed_out_meanwhile(void **state)
{
	struct scene *s = *state;
	struct store_call remove = { .verb = STORE_REMOVE, .kind = RECORD_SESSION };

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	s->idp.is_silent = true;
	clock_fake_advance_ms((DUE_S + 1) * 1000);
	for (int k = 0; k < ROUNDS || count_in_diary(s, "token") == 0; k++) {
		struct store_call get = look(s);

		store_call_done(&get);
		loop_turn(s->idp.f.loop, false);
	}
	memcpy(remove.key, s->session_id, sizeof(s->session_id));
	store_run(s->store, &remove);
	assert_int_equal(remove.result, STORE_DONE);
	store_call_done(&remove);
	clock_fake_advance_ms(IDP_CALL_TIMEOUT_MS);
	settle(s);
	expect_no_session(s);
	expect_log(s, "session not renewed");
}

static void test_purges(void **state)
{
	struct scene *s = *state;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	clock_fake_advance_ms((uint64_t)LIFE_S * 1000);
	pass(s, 2);
	expect_no_session(s);
}

static void test_stopping_in_the_middle(void **state)
{
	struct scene *s = *state;

	store_session(s, str_from(idp_fake_client(&s->idp)->id));
	s->idp.is_silent = true;
	clock_fake_advance_ms((DUE_S + 1) * 1000);
	for (int k = 0; k < ROUNDS || count_in_diary(s, "token") == 0; k++) {
		struct store_call get = look(s);

		store_call_done(&get);
		loop_turn(s->idp.f.loop, false);
	}
	shut_down(s);
	expect_session(s, "refresh-1", 0);
	expect_log(s, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_before_it_is_due, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_renews, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refresh_tokens_are_used_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_provider_that_is_down_for_an_hour, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_refused_session_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_provider_that_is_configured_no_more, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_many_are_due_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signed_out_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_purges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stopping_in_the_middle, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
