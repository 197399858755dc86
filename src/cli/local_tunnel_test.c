/*
 * Local connections against a gateway played by the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/events.h"
#include "cli/end_question.h"
#include "cli/fake_gateway.h"
#include "cli/gateway.h"
#include "cli/local_tunnel.h"
#include "cli/login.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "tests/support/stream_mem.h"

#define TUNNELS_MAX 8

struct fixture {
	struct loop *loop;
	struct resolver *resolver;
	struct fake_gateway fake;
	struct destination destination;
	struct gateway gateway;
	struct events events;
	struct credentials credentials;
	struct login login;
	struct end_questions questions;
	struct local_tunnel_context context;
	struct list tunnels;
	unsigned done_count;
	enum exit_status status_done;
	struct err error_done;
};

static void open_fixture(struct fixture *f, struct str service_account)
{
	struct err e;

	*f = (struct fixture){ 0 };
	f->loop = loop_new();
	f->resolver = resolver_new(f->loop, &e);
	list_init(&f->tunnels);
	fake_gateway_open(&f->fake, f->loop, f->resolver);
	assert_int_equal(
		destination_parse(STR("db.example:5432"), f->fake.url, &f->destination, &e), 0);
	f->gateway = (struct gateway){ .loop = f->loop,
				       .resolver = f->resolver,
				       .destination = &f->destination };
	f->events.log = log_new(STDERR_FILENO, LOG_JSON, LOG_DIRECT, LOG_OFF);
	credentials_init(&f->credentials, NULL, STR("gw"), false);
	f->context = (struct local_tunnel_context){ .gateway = &f->gateway,
						    .events = &f->events,
						    .credentials = &f->credentials,
						    .login = &f->login,
						    .questions = &f->questions };
	end_questions_init(&f->questions);
	login_init(&f->login, &(struct login_options){
				      .browser = { .gateway = &f->gateway, .events = &f->events },
				      .credentials = &f->credentials,
				      .service_account = service_account });
}

static void close_fixture(struct fixture *f)
{
	LIST_FOREACH (&f->tunnels, node) {
		list_remove(node);
		local_tunnel_close(local_tunnel_from_node(node));
	}
	login_done(&f->login);
	fake_gateway_close(&f->fake);
	resolver_free(f->resolver);
	credentials_done(&f->credentials);
	destination_done(&f->destination);
	events_done(&f->events);
	loop_free(f->loop);
}

static void on_done(void *arg, struct local_tunnel *t, enum exit_status status, const struct err *e)
{
	struct fixture *f = arg;

	list_remove(local_tunnel_node(t));
	f->done_count++;
	f->status_done = status;
	f->error_done = e ? *e : (struct err){ 0 };
}

static struct stream *begin_tunnel(struct fixture *f)
{
	struct stream *application;
	struct stream *local;
	struct local_tunnel *t;

	stream_mem_pair(f->loop, &(struct stream_mem_options){ 0 }, &application, &local);
	t = local_tunnel_start(&f->context, local, on_done, f);
	list_append(&f->tunnels, local_tunnel_node(t));
	return application;
}

static void ignore_event(void *arg, unsigned events)
{
}

/* What the application reads until its connection ends. */
static void read_all(struct fixture *f, struct stream *application, struct buf *out)
{
	char bytes[64];
	ssize_t got;

	stream_set_owner(application, ignore_event, NULL);
	while ((got = stream_read(application, bytes, sizeof(bytes))) != STREAM_END) {
		if (got == STREAM_AGAIN)
			loop_turn(f->loop, true);
		else
			assert_int_equal(buf_append(out, bytes, (size_t)got), 0);
	}
}

/* Runs count connections at once; each must read text. */
static void check_connections(struct fixture *f, size_t count, const char *text)
{
	struct stream *applications[TUNNELS_MAX];

	f->done_count = 0;
	for (size_t i = 0; i < count; i++)
		applications[i] = begin_tunnel(f);
	for (size_t i = 0; i < count; i++) {
		struct buf received = BUF_INIT(100);

		read_all(f, applications[i], &received);
		assert_true(str_equal(buf_view(&received), str_from(text)));
		buf_done(&received);
		stream_close(applications[i], STREAM_CLOSE_NORMAL);
	}
	while (f->done_count < count)
		loop_turn(f->loop, true);
}

static void store(struct fixture *f, struct str token)
{
	struct err e;

	assert_int_equal(credentials_store(&f->credentials, token, &e), 0);
}

static bool has_token(struct fixture *f)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	bool has = credentials_load(&f->credentials, &token);

	buf_done(&token);
	return has;
}

/* ---- tests ---- */

static void test_stored_token(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	store(&f, STR("good"));
	check_connections(&f, 1, "hi");
	assert_int_equal(f.status_done, EXIT_STATUS_OK);
	assert_int_equal(f.fake.connect_count, 1);
	assert_int_equal(f.fake.login_count, 0);
	close_fixture(&f);
}

static void test_first_connection_is_served_after_the_login(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	check_connections(&f, 1, "hi");
	assert_int_equal(f.fake.connect_count, 2);
	assert_int_equal(f.fake.login_count, 1);
	check_connections(&f, 1, "hi");
	assert_int_equal(f.fake.connect_count, 3);
	assert_int_equal(f.fake.login_count, 1);
	close_fixture(&f);
}

static void test_one_login_for_all(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	check_connections(&f, TUNNELS_MAX, "hi");
	assert_int_equal(f.fake.login_count, 1);
	close_fixture(&f);
}

static void test_stale_token_is_replaced(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	store(&f, STR("stale"));
	check_connections(&f, 2, "hi");
	assert_int_equal(f.fake.login_count, 1);
	assert_true(has_token(&f));
	close_fixture(&f);
}

static void test_token_of_another_process(void **state)
{
	struct buf received = BUF_INIT(100);
	struct stream *application;
	struct fixture f;

	open_fixture(&f, STR(""));
	store(&f, STR("stale"));
	application = begin_tunnel(&f);
	store(&f, STR("good")); /* while the old one is on its way */
	read_all(&f, application, &received);
	assert_true(str_equal(buf_view(&received), STR("hi")));
	assert_int_equal(f.fake.connect_count, 2);
	assert_int_equal(f.fake.login_count, 0);
	stream_close(application, STREAM_CLOSE_NORMAL);
	while (f.done_count == 0)
		loop_turn(f.loop, true);
	buf_done(&received);
	close_fixture(&f);
}

static void test_refused_after_the_login(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	f.fake.brought_token = "useless";
	check_connections(&f, 1, "");
	assert_int_equal(f.status_done, EXIT_STATUS_NOT_LOGGED_IN);
	assert_non_null(strstr(f.error_done.text, "not logged in"));
	assert_null(strstr(f.error_done.text, "useless"));
	assert_int_equal(f.fake.connect_count, 2); /* exactly one retry */
	assert_int_equal(f.fake.login_count, 1);
	assert_false(has_token(&f));
	close_fixture(&f);
}

static void test_login_api_fails(void **state)
{
	struct fixture f;

	open_fixture(&f, STR(""));
	f.fake.brought_token = NULL;
	check_connections(&f, 3, "");
	assert_int_equal(f.status_done, EXIT_STATUS_NOT_LOGGED_IN);
	assert_non_null(strstr(f.error_done.text, "status 500"));
	assert_int_equal(f.fake.login_count, 1);
	close_fixture(&f);
}

static void test_service_account(void **state)
{
	struct fixture f;

	open_fixture(&f, STR("good"));
	check_connections(&f, 2, "hi");
	assert_int_equal(f.fake.login_count, 0);
	assert_true(has_token(&f));
	close_fixture(&f);
}

static void test_refused_service_account(void **state)
{
	struct fixture f;

	open_fixture(&f, STR("bad-account"));
	check_connections(&f, 1, "");
	assert_int_equal(f.status_done, EXIT_STATUS_NOT_LOGGED_IN);
	assert_int_equal(f.fake.login_count, 0);
	assert_null(strstr(f.error_done.text, "bad-account"));
	store(&f, STR("bad-account"));
	f.fake.connect_count = 0;
	check_connections(&f, 1, "");
	assert_int_equal(f.fake.connect_count, 1); /* it would be the same again */
	assert_non_null(strstr(f.error_done.text, "service account"));
	close_fixture(&f);
}

struct refusal {
	int status;
	enum exit_status exit_status;
};

static void test_refusals_keep_the_token(void **state)
{
	static const struct refusal cases[] = {
		{ 403, EXIT_STATUS_DENIED },      { 404, EXIT_STATUS_NO_ROUTE },
		{ 503, EXIT_STATUS_UNREACHABLE }, { 400, EXIT_STATUS_OTHER },
		{ 450, EXIT_STATUS_OTHER },       { 303, EXIT_STATUS_OTHER },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		open_fixture(&f, STR(""));
		store(&f, STR("good"));
		f.fake.status = cases[i].status;
		check_connections(&f, 1, "");
		assert_int_equal(f.status_done, cases[i].exit_status);
		assert_int_equal(f.fake.login_count, 0);
		assert_true(has_token(&f));
		close_fixture(&f);
	}
}

static void test_one_leaves_while_all_wait(void **state)
{
	struct buf received = BUF_INIT(100);
	struct stream *applications[2];
	struct local_tunnel *first;
	struct fixture f;

	open_fixture(&f, STR(""));
	for (size_t i = 0; i < ARRAY_LEN(applications); i++)
		applications[i] = begin_tunnel(&f);
	first = local_tunnel_from_node(f.tunnels.head.next);
	while (f.fake.login_count == 0)
		loop_turn(f.loop, true);
	list_remove(local_tunnel_node(first));
	local_tunnel_close(first);
	read_all(&f, applications[1], &received);
	assert_true(str_equal(buf_view(&received), STR("hi")));
	for (size_t i = 0; i < ARRAY_LEN(applications); i++)
		stream_close(applications[i], STREAM_CLOSE_NORMAL);
	while (f.done_count == 0)
		loop_turn(f.loop, true);
	buf_done(&received);
	close_fixture(&f);
}

/* An application that has nothing to say. */
static struct stream *begin_and_shut(struct fixture *f)
{
	struct stream *application = begin_tunnel(f);

	stream_set_owner(application, ignore_event, NULL);
	assert_int_equal(stream_shutdown(application), STREAM_END);
	return application;
}

/* Everything is closed after the k-th turn, for every k until all is done. Whatever leaks or is used after its end, the
 * sanitizers report. */
static void test_close_at_every_step(void **state)
{
	bool has_finished = false;

	for (unsigned k = 0; !has_finished; k++) {
		struct stream *applications[2];
		struct fixture f;

		open_fixture(&f, STR(""));
		for (size_t i = 0; i < ARRAY_LEN(applications); i++)
			applications[i] = begin_and_shut(&f);
		for (unsigned turn = 0; turn < k && f.done_count < 2; turn++)
			loop_turn(f.loop, true);
		has_finished = f.done_count == 2;
		for (size_t i = 0; i < ARRAY_LEN(applications); i++)
			stream_close(applications[i], STREAM_CLOSE_NORMAL);
		close_fixture(&f);
		assert_true(k < 1000);
	}
}

/* ---- the gateway cuts it ---- */

static void read_log(int fd, char *out, size_t size)
{
	ssize_t len = pread(fd, out, size - 1, 0);

	assert_true(len >= 0);
	out[len] = '\0';
}

/* A tunnel through which "hi" has come; log_fd: -1, or where the events go. Returns the application's end. */
static struct stream *open_to_be_cut(struct fixture *f, int log_fd)
{
	struct stream *application;
	char text[64];

	open_fixture(f, STR(""));
	if (log_fd >= 0) {
		log_free(f->events.log);
		f->events.log = log_new(log_fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	}
	f->fake.cuts_tunnels = true;
	store(f, STR("good"));
	application = begin_tunnel(f);
	stream_set_owner(application, ignore_event, NULL);
	while (stream_read(application, text, sizeof(text)) != 2)
		loop_turn(f->loop, true);
	return application;
}

/* The client asks why, and what the person reads must have the sentence in it. */
static void check_cut(const char *answer, const char *sentence)
{
	struct stream *application;
	char text[4096];
	struct fixture f;
	int fd = memfd_create("log", MFD_CLOEXEC);

	application = open_to_be_cut(&f, fd);
	f.fake.end_answer = answer;
	fake_gateway_cut(&f.fake);
	while (f.done_count == 0)
		loop_turn(f.loop, true);
	assert_int_equal(f.status_done, EXIT_STATUS_OTHER);
	assert_int_equal(f.fake.end_count, 1);
	assert_int_equal(f.fake.login_count, 0);
	assert_true(has_token(&f));
	read_log(fd, text, sizeof(text));
	if (!strstr(text, sentence))
		fail_msg("%s", text);
	stream_close(application, STREAM_CLOSE_NORMAL);
	close_fixture(&f);
	(void)close(fd);
}

static void test_closed_while_asking_why(void **state)
{
	for (int turns = 0; turns < 12; turns++) {
		struct stream *application;
		struct fixture f;

		application = open_to_be_cut(&f, -1);
		fake_gateway_cut(&f.fake);
		for (int i = 0; i < turns && f.done_count == 0; i++)
			loop_turn(f.loop, true);
		stream_close(application, STREAM_CLOSE_NORMAL);
		close_fixture(&f);
	}
}

static void test_cut_by_the_gateway(void **state)
{
	check_cut(
		"{\"reason\":\"session-revoked\"}\n",
		"\"the gateway closed the tunnel: the session was revoked (session-revoked, request " FAKE_TUNNEL_ID
		")\"");
}

static void test_cut_by_another_gateway(void **state)
{
	check_cut(NULL, "\"the tunnel to db.example:5432 broke: ");
	check_cut("<html>What?</html>", "\"the tunnel to db.example:5432 broke: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stored_token),
		cmocka_unit_test(test_first_connection_is_served_after_the_login),
		cmocka_unit_test(test_one_login_for_all),
		cmocka_unit_test(test_stale_token_is_replaced),
		cmocka_unit_test(test_token_of_another_process),
		cmocka_unit_test(test_refused_after_the_login),
		cmocka_unit_test(test_login_api_fails),
		cmocka_unit_test(test_service_account),
		cmocka_unit_test(test_refused_service_account),
		cmocka_unit_test(test_refusals_keep_the_token),
		cmocka_unit_test(test_one_leaves_while_all_wait),
		cmocka_unit_test(test_close_at_every_step),
		cmocka_unit_test(test_cut_by_the_gateway),
		cmocka_unit_test(test_cut_by_another_gateway),
		cmocka_unit_test(test_closed_while_asking_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
