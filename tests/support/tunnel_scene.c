/*
 * tunnel_scene.c - tunnels over streams in memory
 */

#include "tests/support/tunnel_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/stream_mem.h"

void scene_reload(struct exchange_fixture *f, const char *settings)
{
	exchange_fixture_reload(f, settings);
	recheck_all(&f->worker);
	exchange_fixture_settle(f);
}

static struct exchange *last_exchange(struct exchange_fixture *f)
{
	return container_of(f->worker.exchanges.head.prev, struct exchange, in_worker);
}

void scene_begin(struct exchange_fixture *f, const struct session *session)
{
	char *token = exchange_fixture_token(f, session);

	exchange_fixture_sendf(f,
			       "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE
			       "\r\nAuthorization: Pomerium %s\r\n\r\n",
			       token);
	mem_free_secret(token);
}

static struct open_one connected(struct exchange_fixture *f)
{
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 200);
	return (struct open_one){
		.x = last_exchange(f),
		.client = TAKE(f->client),
		.upstream = TAKE(f->upstream),
	};
}

struct open_one scene_open_with(struct exchange_fixture *f, const struct session *session)
{
	struct open_one t;

	scene_begin(f, session);
	t = connected(f);
	memcpy(t.session_id, session->id, sizeof(t.session_id));
	return t;
}

struct open_one scene_open_as(struct exchange_fixture *f, const char *email)
{
	struct session *session = exchange_fixture_session(f, email, 3600);
	struct open_one t = scene_open_with(f, session);

	session_unref(session);
	return t;
}

void scene_close(struct exchange_fixture *f, struct open_one *t)
{
	stream_close(TAKE(t->client), STREAM_CLOSE_RESET);
	stream_close(TAKE(t->upstream), STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
}

void scene_expect_alive(struct exchange_fixture *f, struct open_one *t)
{
	char piece[64];
	ssize_t count;

	assert_int_equal(stream_write(t->client, "question", 8), 8);
	exchange_fixture_settle(f);
	count = stream_read(t->upstream, piece, sizeof(piece));
	assert_int_equal(count, 8);
	assert_memory_equal(piece, "question", 8);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	scene_close(f, t);
}

void scene_expect_end(struct exchange_fixture *f, struct open_one *t, const char *reason)
{
	char wanted[64];
	const char *log = exchange_fixture_log(f);

	(void)snprintf(wanted, sizeof(wanted), "\"end-reason\":\"%s\"", reason);
	if (!strstr(log, wanted))
		fail_msg("no %s in: %s", wanted, log);
	assert_true(stream_mem_peer_was_reset(t->client));
	assert_true(stream_mem_peer_was_reset(t->upstream));
	scene_close(f, t);
}
