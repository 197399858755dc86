#include "http/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "io/poll_fd.h"
#include "io/stream_tcp.h"
#include "tests/support/fetch_fixture.h"

/* ---- requests ---- */

static void answer_with_headers(struct http_peer_call *call)
{
	static const struct http_header headers[] = {
		{ STR("content-type"), STR("application/json; charset=utf-8") },
		{ STR("cache-control"), STR("public, max-age=3600") },
		{ STR("cache-control"), STR("max-age=60") },
		{ STR("cache-control"), STR("max-age=120") },
	};

	(void)fetch_fixture_note(call);
	http_peer_respond(call, &(struct http_response){
					.status = 203,
					.headers = headers,
					.header_count = ARRAY_LEN(headers),
					.body = STR("{\"a\":\0 1}"),
				});
}

static void test_get(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_with_headers);
	fetch_fixture_start(
		&f, (struct fetch_request){ .url = fetch_fixture_url(&f, "/a/../b?c=d%20e") });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_diary(&f, "GET /a/../b?c=d%20e;");
	assert_int_equal(f.status, 203);
	assert_string_equal(f.content_type, "application/json");
	assert_int_equal(f.max_age_s, 60);
	assert_memory_equal(f.body, "{\"a\":\0 1}", 10);
	fetch_fixture_done(&f);
}

static void test_says_nothing_of_what_is_not_there(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, fetch_fixture_answer);
	f.max_age_s = 5;
	fetch_fixture_get(&f, fetch_fixture_url(&f, "/").at);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.content_type, "");
	assert_int_equal(f.max_age_s, -1);
	fetch_fixture_done(&f);
}

/* Answers with what was sent: method, body and headers but the host. */
static void answer_with_request(struct http_peer_call *call)
{
	struct buf text = BUF_INIT(FIXTURE_BODY_MAX);
	const struct http_request *request = call->request;

	(void)fetch_fixture_note(call);
	for (size_t i = 0; i < request->headers.count; i++) {
		const struct http_header *header = &request->headers.items[i];

		if (!str_equal_nocase(header->name, STR("host")))
			(void)buf_printf(&text, "%.*s=%.*s;", STR_FMT(header->name),
					 STR_FMT(header->value));
	}
	http_peer_respond(call, &(struct http_response){ .status = 200, .body = buf_view(&text) });
	buf_done(&text);
}

static void test_post(void **state)
{
	static const struct http_header headers[] = {
		{ STR("Authorization"), STR("Basic eDp5") },
		{ STR("Content-Type"), STR("application/x-www-form-urlencoded") },
		{ STR("X-Empty"), STR("") },
		{ STR("Accept"), STR("application/json") },
	};
	struct fetch_fixture f;
	char body[] = "a=b&c=d";

	fetch_fixture_init(&f, answer_with_request);
	fetch_fixture_start(&f, (struct fetch_request){
					.method = STR("POST"),
					.url = fetch_fixture_url(&f, "/token"),
					.headers = headers,
					.header_count = ARRAY_LEN(headers),
					.body = str_from(body),
				});
	/* it has its own copy */
	memset(body, 'x', sizeof(body));
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_diary(&f, "POST /token a=b&c=d;");
	assert_string_equal(f.body, "User-Agent=pomerium;Authorization=Basic eDp5;"
				    "Content-Type=application/x-www-form-urlencoded;X-Empty=;"
				    "Accept=application/json;Content-Length=7;");
	fetch_fixture_done(&f);
}

static void test_post_of_nothing_has_no_type(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_with_request);
	fetch_fixture_start(&f, (struct fetch_request){ .method = STR("POST"),
							.url = fetch_fixture_url(&f, "/") });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_diary(&f, "POST /;");
	assert_string_equal(f.body, "User-Agent=pomerium;Accept=*/*;Content-Length=0;");
	fetch_fixture_done(&f);
}

/* More than goes out at once, with every byte there is. */
static void test_large_post(void **state)
{
	struct fetch_fixture f;
	char body[60000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)i;
	fetch_fixture_init(&f, fetch_fixture_answer);
	fetch_fixture_start(&f, (struct fetch_request){ .method = STR("POST"),
							.url = fetch_fixture_url(&f, "/"),
							.body = str_of(body, sizeof(body)) });
	fetch_fixture_wait(&f, 1);
	assert_int_equal(f.status, 200);
	assert_int_equal(f.diary.len, strlen("POST / ;") + sizeof(body));
	assert_memory_equal(f.diary.data + strlen("POST / "), body, sizeof(body));
	fetch_fixture_done(&f);
}

static void test_delete(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, fetch_fixture_answer);
	fetch_fixture_start(&f, (struct fetch_request){ .method = STR("DELETE"),
							.url = fetch_fixture_url(&f, "/x") });
	fetch_fixture_wait(&f, 1);
	fetch_fixture_expect_diary(&f, "DELETE /x;");
	assert_string_equal(f.body, "DELETE");
	fetch_fixture_done(&f);
}

/* ---- what is just a response ---- */

static void answer_with_path_as_status(struct http_peer_call *call)
{
	const struct http_header location = { STR("location"), STR("/200") };
	struct fetch_fixture *f = fetch_fixture_note(call);
	uint64_t status;

	assert_true(str_to_uint64(str_from_pos(call->request->path, 1), &status));
	http_peer_respond(call,
			  &(struct http_response){
				  .status = (int)status,
				  .headers = &location,
				  .header_count = 1,
				  .body = status == 204 || status == 304 ? STR("") : STR("text"),
			  });
	assert_int_equal(f->done_count, 0);
}

static void test_every_status_is_a_response(void **state)
{
	static const int statuses[] = {
		200, 204, 301, 302, 304, 307, 400, 401, 403, 407, 500, 503
	};

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fetch_fixture f;
		char path[8];
		char diary[16];

		(void)snprintf(path, sizeof(path), "/%d", statuses[i]);
		(void)snprintf(diary, sizeof(diary), "GET %s;", path);
		fetch_fixture_init(&f, answer_with_path_as_status);
		fetch_fixture_get(&f, fetch_fixture_url(&f, path).at);
		assert_int_equal(f.status, statuses[i]);
		/* a redirect is not followed, a refusal not tried again */
		fetch_fixture_expect_diary(&f, diary);
		fetch_fixture_done(&f);
	}
}

static void test_keeps_connections(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, fetch_fixture_answer);
	for (int i = 0; i < 5; i++)
		fetch_fixture_get(&f, fetch_fixture_url(&f, "/").at);
	assert_int_equal(http_peer_accepted(f.peer), 1);
	/* and lets go of them */
	fetch_fixture_new_fetcher(&f, &(struct fetcher_options){ 0 });
	while (http_peer_connected(f.peer) > 0)
		loop_turn(f.loop, true);
	fetch_fixture_done(&f);
}

static void test_remembers_no_cookie(void **state)
{
	struct fetch_fixture f;

	fetch_fixture_init(&f, answer_with_request);
	for (int i = 0; i < 2; i++)
		fetch_fixture_get(&f, fetch_fixture_url(&f, "/").at);
	assert_string_equal(f.body, "User-Agent=pomerium;Accept=*/*;");
	fetch_fixture_done(&f);
}

/* ---- many ---- */

#define MANY 200

struct crowd {
	struct fetch_fixture f;
	struct http_peer_call *held[FETCHES_MAX];
	size_t held_count;
	bool is_open;
};

static void answer_crowd(struct http_peer_call *call)
{
	http_peer_respond(call, &(struct http_response){ .status = 200 });
}

/* Nobody is answered before as many are asking as may. */
static void hold_crowd(struct http_peer_call *call)
{
	struct crowd *crowd = call->arg;

	if (crowd->is_open) {
		answer_crowd(call);
		return;
	}
	assert_true(crowd->held_count < FETCHES_MAX);
	crowd->held[crowd->held_count++] = call;
}

static void turn_until_held(struct crowd *crowd)
{
	while (crowd->held_count < FETCHES_MAX)
		loop_turn(crowd->f.loop, true);
	/* no one more comes */
	for (int i = 0; i < 100; i++)
		loop_turn(crowd->f.loop, false);
	assert_int_equal(http_peer_connected(crowd->f.peer), FETCHES_MAX);
}

static void test_many_at_once(void **state)
{
	struct crowd crowd = { 0 };
	struct fetch_fixture *f = &crowd.f;

	fetch_fixture_init(f, hold_crowd);
	for (int i = 0; i < MANY; i++)
		fetch_fixture_start(f, (struct fetch_request){ .url = fetch_fixture_url(f, "/") });
	turn_until_held(&crowd);
	assert_int_equal(f->done_count, 0);
	crowd.is_open = true;
	for (size_t i = 0; i < crowd.held_count; i++)
		answer_crowd(crowd.held[i]);
	fetch_fixture_wait(f, MANY);
	assert_int_equal(f->status, 200);
	assert_int_equal(http_peer_accepted(f->peer), FETCHES_MAX);
	fetch_fixture_done(f);
}

/* A place that is given up goes to the next one. */
static void test_cancelled_ones_make_room(void **state)
{
	struct crowd crowd = { 0 };
	struct fetch_fixture *f = &crowd.f;
	struct fetch *fetches[FETCHES_MAX + 2];

	fetch_fixture_init(f, hold_crowd);
	for (size_t i = 0; i < ARRAY_LEN(fetches); i++) {
		fetch_fixture_start(f, (struct fetch_request){ .url = fetch_fixture_url(f, "/") });
		fetches[i] = f->fetch;
	}
	turn_until_held(&crowd);
	crowd.is_open = true;
	fetch_cancel(fetches[FETCHES_MAX]); /* a waiting one */
	fetch_cancel(fetches[7]);
	fetch_fixture_wait(f, 1);
	assert_int_equal(f->status, 200);
	fetch_fixture_done(f);
}

static void test_not_too_many_wait(void **state)
{
	struct crowd crowd = { 0 };
	struct fetch_fixture *f = &crowd.f;

	fetch_fixture_init(f, hold_crowd);
	for (int i = 0; i < FETCHES_WAITING_MAX + 1; i++)
		fetch_fixture_start(f, (struct fetch_request){ .url = fetch_fixture_url(f, "/") });
	fetch_fixture_wait(f, 1);
	fetch_fixture_expect_error(f, ERR_LIMIT, "127.0.0.1:");
	assert_non_null(strstr(f->error.text, ": not asked: 1024 other requests are waiting"));
	fetch_fixture_done(f);
}

/* ---- a socket with a name ---- */

struct doorman {
	struct fetch_fixture f;
	struct poll_fd *poll;
	int fd;
};

static void on_unix_client(void *arg, unsigned events)
{
	struct doorman *doorman = arg;
	int fd = accept4(doorman->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_true(fd >= 0);
	http_peer_serve(doorman->f.peer, stream_tcp_open(doorman->f.loop, fd, NULL));
}

static void test_unix_socket(void **state)
{
	struct doorman doorman = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/fetch-test-XXXXXX";

	fetch_fixture_init(&doorman.f, fetch_fixture_answer);
	assert_non_null(mkdtemp(directory));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	/* has nothing to do with it */
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	fetch_fixture_new_fetcher(
		&doorman.f, &(struct fetcher_options){ .unix_socket_path = address.sun_path });

	fetch_fixture_get(&doorman.f, "http://admin.example/x");
	fetch_fixture_expect_error(&doorman.f, ERR_UNREACHABLE,
				   "admin.example: no connection: No such file or directory");

	assert_int_equal(bind(doorman.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(doorman.fd, 8), 0);
	doorman.poll = poll_fd_open(doorman.f.loop, doorman.fd, on_unix_client, &doorman, NULL);
	poll_fd_want(doorman.poll, WATCH_READ);
	fetch_fixture_get(&doorman.f, "http://admin.example/x?y");
	fetch_fixture_expect_diary(&doorman.f, "GET /x?y;");
	assert_int_equal(doorman.f.status, 200);

	poll_fd_close(doorman.poll);
	close(doorman.fd);
	fetch_fixture_done(&doorman.f);
	assert_int_equal(unlink(address.sun_path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_says_nothing_of_what_is_not_there),
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_post_of_nothing_has_no_type),
		cmocka_unit_test(test_large_post),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_every_status_is_a_response),
		cmocka_unit_test(test_keeps_connections),
		cmocka_unit_test(test_remembers_no_cookie),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_cancelled_ones_make_room),
		cmocka_unit_test(test_not_too_many_wait),
		cmocka_unit_test(test_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
