/*
 * exchange_fakes.c - what stands around an exchange, played by the fixture: its connection and its dial
 */

#include "tests/support/exchange_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/dial.h"
#include "tests/support/stream_mem.h"

struct dial {
	struct exchange_fixture *fixture;
	void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
			const struct err *e);
	void *arg;
};

static struct exchange_fixture *fixture_of(struct connection *c)
{
	return container_of(c, struct exchange_fixture, connection);
}

void connection_respond(struct connection *c, const struct http_response *response)
{
	exchange_fixture_keep(fixture_of(c), response);
}

static void ignore_event(void *arg, unsigned events)
{
}

struct stream *connection_take_tunnel(struct connection *c, const struct http_response *response,
				      struct buf *ret_head, struct buf *ret_early)
{
	struct exchange_fixture *f = fixture_of(c);
	struct stream *near;

	assert_null(f->client);
	*ret_head = BUF_INIT(16);
	(void)buf_append_str(ret_head, STR("head|"));
	*ret_early = BUF_INIT(FIXTURE_LINES_MAX);
	(void)buf_append_str(ret_early, f->request.body);
	exchange_fixture_keep(f, response);
	stream_mem_pair(f->worker.loop, NULL, &f->client, &near);
	stream_set_owner(f->client, ignore_event, NULL);
	c->exchange->connection = NULL;
	c->exchange = NULL;
	return near;
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg)
{
	struct exchange *x = arg;
	struct exchange_fixture *f = container_of(x->worker, struct exchange_fixture, worker);
	struct dial *d = mem_alloc(sizeof(*d));

	assert_null(f->dial);
	assert_int_equal(target->timeout_ms, DIAL_TIMEOUT_MS);
	assert_int_equal(target->prefer, DIAL_PREFER_IP4);
	*d = (struct dial){ .fixture = f, .on_done = on_done, .arg = arg };
	(void)buf_printf(&f->dialed, "%.*s:%u\n", STR_FMT(target->host), target->port);
	f->dial = d;
	return d;
}

void dial_cancel(struct dial *d)
{
	d->fixture->dial = NULL;
	d->fixture->dials_cancelled++;
	mem_free(d);
}

void exchange_fixture_dial_fails(struct exchange_fixture *f, enum err_kind kind)
{
	struct dial *d = TAKE(f->dial);
	struct err e = { 0 };

	assert_non_null(d);
	(void)err_set(&e, kind, "connecting to 10.0.0.5:6379: it did not work");
	d->on_done(d->arg, NULL, NULL, &e);
	mem_free(d);
	exchange_fixture_settle(f);
}

void exchange_fixture_dial_connects(struct exchange_fixture *f)
{
	struct dial *d = TAKE(f->dial);
	struct stream *near;
	struct addr peer;

	assert_non_null(d);
	assert_null(f->upstream);
	assert_true(addr_from_ip(STR("10.0.0.5"), 6379, &peer));
	stream_mem_pair(f->worker.loop, NULL, &f->upstream, &near);
	stream_set_owner(f->upstream, ignore_event, NULL);
	d->on_done(d->arg, near, &peer, NULL);
	mem_free(d);
	exchange_fixture_settle(f);
}
