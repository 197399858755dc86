#include "tests/support/h1_server_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"

/* Every event runs through count_event(), so that a test can close the server at each of them in turn. */

#define SETTLE_TURNS 400

static bool count_event(struct h1_fixture *f)
{
	if (++f->event_count != f->close_at)
		return false;
	h1_server_close(TAKE(f->server), STREAM_CLOSE_NORMAL);
	f->request = NULL;
	return true;
}

static void respond(struct h1_fixture *f, int status, struct str body, bool close)
{
	const struct http_header headers[] = { { STR("x-test"), STR("1") } };
	const struct http_response response = {
		.status = status,
		.headers = headers,
		.header_count = 1,
		.body = body,
		.close = close,
	};

	f->request = NULL;
	h1_server_respond(f->server, &response);
}

static void on_request(void *arg, const struct http_request *request)
{
	struct h1_fixture *f = arg;

	(void)buf_printf(&f->diary, "request %.*s %.*s %.*s %.*s;", STR_FMT(request->method),
			 STR_FMT(request->path), STR_FMT(request->authority),
			 STR_FMT(request->body));
	f->request = request;
	if (!count_event(f) && f->answers_at_once)
		respond(f, 200, request->path, false);
}

static void on_bad_request(void *arg, int status, const struct err *e)
{
	struct h1_fixture *f = arg;

	assert_true(e->text[0] != '\0');
	(void)buf_printf(&f->diary, "bad %d;", status);
	if (!count_event(f))
		respond(f, status, STR(""), false);
}

static void on_closed(void *arg, const struct err *e)
{
	struct h1_fixture *f = arg;

	(void)buf_printf(&f->diary, "closed%s%s;", e ? " " : "", e ? err_kind_name(e->kind) : "");
	/* gone already: closing once more must do no harm */
	(void)count_event(f);
	f->server = NULL;
	f->request = NULL;
}

static void on_late(void *arg)
{
	struct h1_fixture *f = arg;

	(void)buf_printf(&f->diary, "late;");
	if (!count_event(f))
		respond(f, 503, STR(""), false);
}

static const struct h1_server_events events = {
	.on_request = on_request,
	.on_bad_request = on_bad_request,
	.on_closed = on_closed,
	.on_late = on_late,
};

static void ignore_event(void *arg, unsigned what)
{
}

void h1_fixture_init(struct h1_fixture *f, const struct stream_mem_options *options)
{
	struct h1_server_options server_options = {
		.head_timeout_ms = FIXTURE_HEAD_TIMEOUT_MS,
		.idle_timeout_ms = FIXTURE_IDLE_TIMEOUT_MS,
		.events = &events,
		.arg = f,
	};
	struct stream *end;

	*f = (struct h1_fixture){ .diary = BUF_INIT(1u << 16), .received = BUF_INIT(4u << 20) };
	clock_fake_set_unix(1767225600);
	f->loop = loop_new();
	stream_mem_pair(f->loop, options, &f->client, &end);
	stream_set_owner(f->client, ignore_event, NULL);
	f->server = h1_server_open(f->loop, end, &server_options);
}

void h1_fixture_done(struct h1_fixture *f)
{
	h1_server_close(TAKE(f->server), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(f->client), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(f->tunnel), STREAM_CLOSE_NORMAL);
	h1_fixture_settle(f);
	loop_free(f->loop);
	buf_done(&f->diary);
	buf_done(&f->received);
	buf_done(&f->early);
}

void h1_fixture_settle(struct h1_fixture *f)
{
	for (int i = 0; i < SETTLE_TURNS; i++)
		loop_turn(f->loop, false);
}

void h1_fixture_send(struct h1_fixture *f, struct str bytes)
{
	int stuck = 0;

	while (bytes.len > 0 && stuck < SETTLE_TURNS) {
		ssize_t count = stream_write(f->client, bytes.at, bytes.len);

		if (count == STREAM_FAILED)
			break;
		stuck = count > 0 ? 0 : stuck + 1;
		if (count > 0)
			bytes = str_from_pos(bytes, (size_t)count);
		loop_turn(f->loop, false);
	}
	h1_fixture_settle(f);
}

void h1_fixture_receive(struct h1_fixture *f)
{
	char piece[4096];
	ssize_t count = 1;

	while (count > 0) {
		count = stream_read(f->client, piece, sizeof(piece));
		if (count > 0)
			assert_int_equal(buf_append(&f->received, piece, (size_t)count), 0);
		h1_fixture_settle(f);
	}
	f->client_saw_end = count == STREAM_END;
}

void h1_fixture_answer(struct h1_fixture *f, int status, struct str body, bool close)
{
	assert_non_null(f->request);
	respond(f, status, body, close);
	h1_fixture_settle(f);
	h1_fixture_receive(f);
}

void h1_fixture_advance(struct h1_fixture *f, uint64_t ms)
{
	clock_fake_advance_ms(ms);
	h1_fixture_settle(f);
}

static void expect_and_empty(struct buf *got, const char *expected)
{
	if (!str_equal(buf_view(got), str_from(expected)))
		fail_msg("got\n%.*s\ninstead of\n%s", STR_FMT(buf_view(got)), expected);
	buf_truncate(got, 0);
}

void h1_fixture_expect(struct h1_fixture *f, const char *diary)
{
	expect_and_empty(&f->diary, diary);
}

void h1_fixture_expect_received(struct h1_fixture *f, const char *text)
{
	h1_fixture_receive(f);
	expect_and_empty(&f->received, text);
}
