/*
 * metrics.c - who may ask, and the round through the workers before the answer
 */

#include "proxy/metrics.h"

#include <string.h>

#include "base/codec.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/mailbox.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/local_http.h"
#include "proxy/metrics_page.h"
#include "proxy/metrics_tls.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

#define CREDENTIALS_MAX 4096

struct metrics {
	struct control *control;
	struct local_http *http;   /* NULL: there is no address */
	struct snapshot *snapshot; /* referenced; NULL until the first commit */
};

/* ---- who may ---- */

static bool is_admitted(const struct metrics *m, const struct http_request *http)
{
	struct str wanted = m->snapshot->config->operator.metrics.basic_auth;
	struct buf shown = BUF_INIT(CREDENTIALS_MAX);
	struct str header;
	bool is_good;

	if (str_is_empty(wanted))
		return true;
	if (!http_headers_get(&http->headers, STR("authorization"), &header) ||
	    !str_starts_with_nocase(header, STR("Basic ")))
		return false;
	is_good = base64_decode(&shown, BASE64_STANDARD,
				str_trim(str_from_pos(header, strlen("Basic ")))) == 0 &&
		  shown.len == wanted.len && mem_equal_secret(shown.data, wanted.at, wanted.len);
	buf_done_secret(&shown);
	return is_good;
}

/* ---- the round ---- */

struct scrape {
	struct control *control;
	struct local_request *request; /* NULL: its client is gone */
	size_t waiting;                /* workers that have not been through their tunnels */
};

struct scrape_part {
	struct mailbox_message message;
	struct scrape *scrape;
	struct worker *worker;
};

static void cancel_scrape(void *pending)
{
	struct scrape *s = pending;

	s->request = NULL;
}

static void answer(struct scrape *s)
{
	struct local_request *request = s->request;
	struct buf page = BUF_INIT(METRICS_PAGE_MAX);

	if (request) {
		metrics_page_write(s->control, &page);
		if (page.is_overflown)
			local_reply(request, 500, "text/plain", STR("too many routes\n"));
		else
			local_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8",
				    buf_view(&page));
	}
	buf_done(&page);
	mem_free(s);
}

/* Only at the end of the process. */
static void discard_part(struct mailbox_message *message)
{
	struct scrape_part *part = container_of(message, struct scrape_part, message);
	struct scrape *s = part->scrape;

	mem_free(part);
	if (--s->waiting == 0)
		mem_free(s);
}

static void deliver_back(struct mailbox_message *message)
{
	struct scrape_part *part = container_of(message, struct scrape_part, message);
	struct scrape *s = part->scrape;

	mem_free(part);
	if (--s->waiting == 0)
		answer(s);
}

static void deliver_to_worker(struct mailbox_message *message)
{
	struct scrape_part *part = container_of(message, struct scrape_part, message);

	LIST_FOREACH (&part->worker->exchanges, node)
		upstream_count_bytes(container_of(node, struct exchange, in_worker));
	message->deliver = deliver_back;
	mailbox_post(part->scrape->control->mailbox, message);
}

static void begin_scrape(struct metrics *m, struct local_request *request)
{
	struct control *control = m->control;
	struct scrape *s = mem_alloc(sizeof(*s));

	s->control = control;
	s->request = request;
	s->waiting = control->worker_count;
	request->pending = s;
	request->cancel_pending = cancel_scrape;
	if (s->waiting == 0) {
		answer(s);
		return;
	}
	for (size_t i = 0; i < control->worker_count; i++) {
		struct scrape_part *part = mem_alloc(sizeof(*part));

		part->scrape = s;
		part->worker = control->workers[i];
		part->message.deliver = deliver_to_worker;
		part->message.discard = discard_part;
		mailbox_post(part->worker->mailbox, &part->message);
	}
}

static void serve(struct local_request *r)
{
	struct metrics *m = r->service;

	if (!is_admitted(m, r->http))
		local_reply_unauthorized(r);
	else if (!str_equal(r->http->path, STR("/metrics")))
		local_reply(r, 404, "text/plain", STR("Not Found: see /metrics\n"));
	else if (!str_equal(r->http->method, STR("GET")) &&
		 !str_equal(r->http->method, STR("HEAD")))
		local_reply(r, 405, "text/plain", STR("Method Not Allowed\n"));
	else
		begin_scrape(m, r);
}

/* ---- where ---- */

static bool is_same_address(const struct config_metrics *a, const struct config_metrics *b)
{
	char text_a[ADDR_TEXT_MAX];
	char text_b[ADDR_TEXT_MAX];

	addr_format(&a->address, text_a);
	addr_format(&b->address, text_b);
	return strcmp(text_a, text_b) == 0;
}

static struct local_http *open_http(struct metrics *m, const struct addr *address, struct err *e)
{
	int fd = lifecycle_take_socket(m->control, SOCKET_METRICS, address);

	return fd >= 0 ? local_http_adopt(m->control->loop, fd, serve, m, e)
		       : local_http_open(m->control->loop, address, serve, m, e);
}

int metrics_fd(const struct metrics *m)
{
	return m->http ? local_http_fd(m->http) : -1;
}

void metrics_stop(struct metrics *m)
{
	if (m->http)
		local_http_stop(m->http);
}

int metrics_prepare(struct metrics *m, const struct snapshot *next, struct metrics_change *ret,
		    struct err *e)
{
	const struct config_metrics *wanted = &next->config->operator.metrics;
	struct metrics_change change = { 0 };

	if (metrics_tls_new(wanted, &change.tls, e) < 0)
		return err_wrap(e, "metrics_certificate");
	change.keeps = m->http && wanted->has_address &&
		       is_same_address(&m->snapshot->config->operator.metrics, wanted);
	if (wanted->has_address && !change.keeps) {
		change.http = open_http(m, &wanted->address, e);
		if (!change.http) {
			metrics_change_discard(&change);
			return err_wrap(e, "metrics_address");
		}
	}
	*ret = change;
	return 0;
}

void metrics_commit(struct metrics *m, struct snapshot *next, struct metrics_change *change)
{
	if (!change->keeps) {
		local_http_close(m->http);
		m->http = TAKE(change->http);
	}
	if (m->http)
		local_http_use_tls(m->http, change->tls);
	snapshot_unref(m->snapshot);
	m->snapshot = snapshot_ref(next);
	metrics_change_discard(change);
}

void metrics_change_discard(struct metrics_change *change)
{
	local_http_close(TAKE(change->http));
	tls_config_unref(TAKE(change->tls));
}

struct metrics *metrics_new(struct control *control)
{
	struct metrics *m = mem_alloc(sizeof(*m));

	m->control = control;
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	local_http_close(m->http);
	snapshot_unref(m->snapshot);
	mem_free(m);
}
