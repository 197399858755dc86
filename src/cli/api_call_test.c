/*
 * Requests as the user, to a gateway played by the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/api_call.h"
#include "cli/client.h"
#include "cli/fake_gateway.h"
#include "io/loop.h"
#include "io/resolver.h"

struct fixture {
	struct loop *loop;
	struct resolver *resolver;
	struct fake_gateway fake;
	struct events events;
	struct account account;
	bool is_done;
	int status;
	bool has_body;
	enum exit_status exit_status;
	struct err error;
};

static void open_fixture(struct fixture *f, const char *stored, struct str service_account)
{
	struct account *a = &f->account;
	struct err e;

	*f = (struct fixture){ .loop = loop_new() };
	f->resolver = resolver_new(f->loop, &e);
	fake_gateway_open(&f->fake, f->loop, f->resolver);
	assert_int_equal(
		destination_parse(STR("db.example:5432"), f->fake.url, &a->destination, &e), 0);
	a->gateway = (struct gateway){ .loop = f->loop,
				       .resolver = f->resolver,
				       .destination = &a->destination };
	f->events.log = log_new(STDERR_FILENO, LOG_JSON, LOG_DIRECT, LOG_OFF);
	credentials_init(&a->credentials, NULL, STR("gw"), false);
	if (stored)
		assert_int_equal(credentials_store(&a->credentials, str_from(stored), &e), 0);
	login_init(&a->login, &(struct login_options){
				      .browser = { .gateway = &a->gateway, .events = &f->events },
				      .credentials = &a->credentials,
				      .service_account = service_account });
}

static void close_fixture(struct fixture *f)
{
	login_done(&f->account.login);
	fake_gateway_close(&f->fake);
	resolver_free(f->resolver);
	credentials_done(&f->account.credentials);
	destination_done(&f->account.destination);
	events_done(&f->events);
	loop_free(f->loop);
}

static void on_done(void *arg, const struct api_result *result)
{
	struct fixture *f = arg;

	assert_false(f->is_done);
	f->is_done = true;
	f->status = result->status;
	f->has_body = str_equal(result->body, STR("things"));
	f->exit_status = result->exit_status;
	f->error = result->error;
}

static struct api_call *begin(struct fixture *f)
{
	const struct api_request request = { .method = STR("GET"),
					     .target = STR(FAKE_API),
					     .body_max = 100 };
	struct api_call *call = api_call_start(&f->account, &request, on_done, f);

	assert_false(f->is_done); /* never from inside the call */
	return call;
}

static bool is_stored(struct fixture *f, const char *token)
{
	struct buf stored = BUF_INIT(TOKEN_MAX);
	bool is = credentials_load(&f->account.credentials, &stored) &&
		  str_equal(buf_view(&stored), str_from(token));

	buf_done_secret(&stored);
	return is;
}

static void test_calls(void **state)
{
	static const struct {
		const char *stored;
		const char *account;
		const char *brought;
		int answer;
		int status; /* of the result */
		enum exit_status exit_status;
		unsigned asked;
		unsigned logins;
		const char *left; /* stored afterwards */
		const char *words;
	} rows[] = {
		{ "good", "", "good", 200, 200, EXIT_STATUS_OK, 1, 0, "good", "" },
		{ "good", "", "good", 404, 404, EXIT_STATUS_OK, 1, 0, "good", "" },
		/* a gateway in trouble costs no login */
		{ "good", "", "good", 500, 0, EXIT_STATUS_UNREACHABLE, 1, 0, "good", "status 500" },
		{ "good", "", "good", 503, 0, EXIT_STATUS_UNREACHABLE, 1, 0, "good", "status 503" },
		{ NULL, "", "good", 200, 200, EXIT_STATUS_OK, 2, 1, "good", "" },
		{ "old", "", "good", 200, 200, EXIT_STATUS_OK, 2, 1, "good", "" },
		/* one login at most, and what it brought is not kept */
		{ "old", "", "bad", 200, 0, EXIT_STATUS_NOT_LOGGED_IN, 2, 1, NULL, "the login" },
		{ "old", "", NULL, 200, 0, EXIT_STATUS_NOT_LOGGED_IN, 1, 1, NULL, "log in" },
		{ NULL, "good", NULL, 200, 200, EXIT_STATUS_OK, 2, 0, "good", "" },
		{ NULL, "bad", "good", 200, 0, EXIT_STATUS_NOT_LOGGED_IN, 2, 0, NULL,
		  "service account" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		open_fixture(&f, rows[i].stored, str_from(rows[i].account));
		f.fake.brought_token = rows[i].brought;
		f.fake.status = rows[i].answer;
		(void)begin(&f); /* goes by itself */
		while (!f.is_done)
			loop_turn(f.loop, true);
		assert_int_equal(f.status, rows[i].status);
		assert_int_equal(f.has_body, rows[i].status != 0);
		assert_int_equal(f.exit_status, rows[i].exit_status);
		assert_int_equal(f.fake.api_count, rows[i].asked);
		assert_int_equal(f.fake.login_count, rows[i].logins);
		if (rows[i].left)
			assert_true(is_stored(&f, rows[i].left));
		else
			assert_false(is_stored(&f, "old") || is_stored(&f, "bad"));
		if (!strstr(f.error.text, rows[i].words))
			fail_msg("%zu: no \"%s\" in %s", i, rows[i].words, f.error.text);
		close_fixture(&f);
	}
}

/* What another process has stored meanwhile is tried before anybody is asked to log in. */
static void test_what_is_stored_by_now_comes_before_a_login(void **state)
{
	struct fixture f;
	struct err e;

	open_fixture(&f, "old", STR(""));
	(void)begin(&f); /* goes by itself */
	assert_int_equal(credentials_store(&f.account.credentials, STR("good"), &e), 0);
	while (!f.is_done)
		loop_turn(f.loop, true);
	assert_int_equal(f.status, 200);
	assert_int_equal(f.fake.login_count, 0);
	assert_true(is_stored(&f, "good"));
	close_fixture(&f);
}

static void test_cancelled_at_every_step(void **state)
{
	for (unsigned turns = 0; turns < 60; turns++) {
		struct fixture f;
		struct api_call *call;

		open_fixture(&f, "old", STR(""));
		call = begin(&f);
		for (unsigned i = 0; i < turns && !f.is_done; i++)
			loop_turn(f.loop, false);
		if (!f.is_done) {
			api_call_cancel(call);
			f.is_done = true; /* on_done would notice */
			loop_turn(f.loop, false);
		}
		close_fixture(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_what_is_stored_by_now_comes_before_a_login),
		cmocka_unit_test(test_cancelled_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
