#include "tests/support/fetch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/listener.h"
#include "io/loop.h"

#define TURNS_MAX 100000

static void forget_environment(void)
{
	static const char *const names[] = {
		"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",  "all_proxy",
		"ALL_PROXY",  "no_proxy",   "NO_PROXY",    "SSL_CERT_DIR", "SSL_CERT_FILE",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(unsetenv(names[i]), 0);
}

void fetch_fixture_init(struct fetch_fixture *f, void (*answer)(struct http_peer_call *call))
{
	*f = (struct fetch_fixture){ .diary = BUF_INIT(1u << 20), .url = BUF_INIT(4096) };
	forget_environment();
	(void)signal(SIGPIPE, SIG_IGN);
	f->loop = loop_new();
	f->peer = http_peer_open(f->loop, answer, f);
	fetch_fixture_new_fetcher(f, &(struct fetcher_options){ 0 });
}

void fetch_fixture_done(struct fetch_fixture *f)
{
	fetcher_free(f->fetcher);
	http_peer_close(f->peer);
	loop_turn(f->loop, false);
	loop_free(f->loop);
	buf_done(&f->diary);
	buf_done(&f->url);
	forget_environment();
}

void fetch_fixture_new_fetcher(struct fetch_fixture *f, const struct fetcher_options *options)
{
	struct err e = { 0 };

	fetcher_free(f->fetcher);
	f->fetcher = fetcher_new(f->loop, options, &e);
	if (!f->fetcher)
		fail_msg("%s", e.text);
}

struct str fetch_fixture_url(struct fetch_fixture *f, const char *path)
{
	buf_truncate(&f->url, 0);
	assert_int_equal(
		buf_printf(&f->url, "http://127.0.0.1:%u%s", http_peer_port(f->peer), path), 0);
	return buf_view(&f->url);
}

static void copy_text(char *to, size_t size, struct str from)
{
	assert_true(from.len < size);
	if (from.len > 0)
		memcpy(to, from.at, from.len);
	to[from.len] = '\0';
}

static void on_done(void *arg, const struct fetch_response *response, const struct err *e)
{
	struct fetch_fixture *f = arg;

	f->done_count++;
	assert_true((response == NULL) != (e == NULL));
	f->status = response ? response->status : 0;
	f->error = e ? *e : (struct err){ 0 };
	if (response) {
		f->max_age_s = response->max_age_s;
		copy_text(f->content_type, sizeof(f->content_type), response->content_type);
		copy_text(f->body, sizeof(f->body), response->body);
	}
	if (f->on_done)
		f->on_done(f);
}

void fetch_fixture_start(struct fetch_fixture *f, struct fetch_request request)
{
	unsigned before = f->done_count;

	if (str_is_empty(request.method))
		request.method = STR("GET");
	if (request.timeout_ms == 0)
		request.timeout_ms = FIXTURE_TIMEOUT_MS;
	if (request.body_max == 0)
		request.body_max = FIXTURE_BODY_MAX;
	f->fetch = fetch_start(f->fetcher, &request, on_done, f);
	assert_non_null(f->fetch);
	/* never from inside */
	assert_int_equal(f->done_count, before);
}

void fetch_fixture_wait(struct fetch_fixture *f, unsigned done_count)
{
	for (unsigned turns = 0; f->done_count < done_count; turns++) {
		assert_true(turns < TURNS_MAX);
		loop_turn(f->loop, true);
	}
	/* nor twice */
	for (int i = 0; i < 3; i++)
		loop_turn(f->loop, false);
	assert_int_equal(f->done_count, done_count);
}

void fetch_fixture_get(struct fetch_fixture *f, const char *url)
{
	fetch_fixture_start(f, (struct fetch_request){ .url = str_from(url) });
	fetch_fixture_wait(f, f->done_count + 1);
}

void fetch_fixture_expect_error(const struct fetch_fixture *f, enum err_kind kind,
				const char *beginning)
{
	if (f->status != 0 || f->error.kind != kind ||
	    !str_starts_with(str_from(f->error.text), str_from(beginning)))
		fail_msg("got %d %s \"%s\" instead of %s \"%s\"", f->status,
			 err_kind_name(f->error.kind), f->error.text, err_kind_name(kind),
			 beginning);
}

void fetch_fixture_expect_diary(struct fetch_fixture *f, const char *text)
{
	if (!str_equal(buf_view(&f->diary), str_from(text)))
		fail_msg("got\n%.*s\ninstead of\n%s", STR_FMT(buf_view(&f->diary)), text);
	buf_truncate(&f->diary, 0);
}

struct fetch_fixture *fetch_fixture_note(struct http_peer_call *call)
{
	struct fetch_fixture *f = call->arg;
	const struct http_request *request = call->request;

	(void)buf_printf(&f->diary, "%.*s %.*s%s", STR_FMT(request->method),
			 STR_FMT(request->target), request->body.len ? " " : "");
	(void)buf_append_str(&f->diary, request->body); /* may have NULs */
	(void)buf_append_char(&f->diary, ';');
	assert_false(f->diary.is_overflown);
	return f;
}

void fetch_fixture_answer(struct http_peer_call *call)
{
	(void)fetch_fixture_note(call);
	http_peer_respond(call, &(struct http_response){
					.status = 200,
					.body = call->request->method,
				});
}

/* ---- the raw peer ---- */

struct raw_peer {
	struct loop *loop;
	struct listener *listener;
	struct stream *stream;
	struct str left;
	struct str says;
};

static void hang_up(struct raw_peer *peer)
{
	stream_close(TAKE(peer->stream), STREAM_CLOSE_NORMAL);
}

static ssize_t say(struct raw_peer *peer)
{
	ssize_t count = STREAM_END;

	while (peer->left.len > 0) {
		count = stream_write(peer->stream, peer->left.at, peer->left.len);
		if (count <= 0)
			return count;
		peer->left = str_from_pos(peer->left, (size_t)count);
	}
	return STREAM_END;
}

static void on_stream(void *arg, unsigned events)
{
	struct raw_peer *peer = arg;
	char sink[4096];
	ssize_t count = 1;

	/* All is read, so that closing is no reset. */
	while (count > 0)
		count = stream_read(peer->stream, sink, sizeof(sink));
	if (count == STREAM_AGAIN)
		count = say(peer);
	if (count != STREAM_AGAIN)
		hang_up(peer);
}

static void on_accept(void *arg, struct stream *stream, const struct addr *from)
{
	struct raw_peer *peer = arg;
	char first;

	assert_null(peer->stream);
	peer->stream = stream;
	peer->left = peer->says;
	stream_set_owner(stream, on_stream, peer);
	/* speaks second */
	if (stream_read(stream, &first, 1) != STREAM_AGAIN)
		on_stream(peer, STREAM_READABLE);
}

static void on_problem(void *arg, const struct err *e, unsigned shed_count)
{
	fail_msg("%s", e->text);
}

static const struct listener_events raw_events = {
	.on_accept = on_accept,
	.on_problem = on_problem,
};

struct raw_peer *raw_peer_open(struct loop *loop, struct str says)
{
	struct raw_peer *peer = mem_alloc(sizeof(*peer));
	struct addr address = { 0 };

	peer->loop = loop;
	peer->says = says;
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	peer->listener = listener_open(loop, &address, false, &raw_events, peer, NULL);
	assert_non_null(peer->listener);
	return peer;
}

uint16_t raw_peer_port(const struct raw_peer *peer)
{
	struct addr address;

	listener_address(peer->listener, &address);
	return addr_port(&address);
}

void raw_peer_close(struct raw_peer *peer)
{
	listener_close(peer->listener);
	hang_up(peer);
	loop_free_later(peer->loop, peer);
}

uint16_t free_port(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr address = { 0 };
	socklen_t len = sizeof(address);

	assert_true(fd >= 0);
	assert_true(addr_from_ip(STR("127.0.0.1"), 0, &address));
	assert_int_equal(bind(fd, &address.any, addr_len(&address)), 0);
	assert_int_equal(getsockname(fd, &address.any, &len), 0);
	close(fd);
	return addr_port(&address);
}
