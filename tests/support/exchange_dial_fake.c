/*
 * exchange_dial_fake.c - takes the place of io/dial.c: the test says how a dial ends
 */

#include "tests/support/exchange_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void ignore_event(void *arg, unsigned events)
{
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg)
{
	struct exchange_fixture *f = (struct exchange_fixture *)resolver;
	struct dial *d = mem_alloc(sizeof(*d));

	assert_null(f->dial);
	f->dial_timeout_ms = target->timeout_ms;
	assert_int_equal(target->family, DIAL_IP4_ELSE);
	*d = (struct dial){ .fixture = f, .on_done = on_done, .arg = arg };
	(void)buf_printf(&f->dialed, "%.*s:%u\n", STR_FMT(target->host), target->port);
	f->dial = d;
	return d;
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
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
