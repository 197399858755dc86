/*
 * exchange_connection_fake.c - takes the place of proxy/connection.c: answers are kept by the fixture
 */

#include "tests/support/exchange_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/stream_mem.h"

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
	/* As a real one: the tunnel takes its place. */
	(void)admission_enter(&f->control.admission.connections, UINT64_MAX);
	c->exchange->connection = NULL;
	c->exchange = NULL;
	return near;
}
