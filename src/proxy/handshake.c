#include "proxy/handshake.h"

#include <string.h>

#include "base/log.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/worker.h"
#include "tls/peer_certificate.h"
#include "tls/tls_stream.h"

static struct admission_count *count_of(struct worker *worker)
{
	return &worker->shared.control->admission.handshakes;
}

static bool is_turn(struct worker *worker)
{
	return admission_try(count_of(worker), worker->snapshot->config->limits.max_handshakes);
}

static void on_retry(struct timer *timer);

/* Never at once: whoever calls is in the middle of closing a connection. */
static void look_later(struct worker *worker, uint64_t delay_ms)
{
	if (!list_is_empty(&worker->handshakes.waiting))
		timer_start(&worker->handshakes.retry, worker->loop,
			    loop_now_ms(worker->loop) + delay_ms, on_retry);
	else
		timer_cancel(&worker->handshakes.retry);
}

void handshake_cancel(struct connection *c)
{
	bool was_running = c->handshake.state == HANDSHAKE_RUNNING;
	bool was_waiting = c->handshake.state == HANDSHAKE_WAITING;

	c->handshake.state = HANDSHAKE_NONE;
	timer_cancel(&c->handshake.due);
	list_remove(&c->handshake.in_queue);
	if (was_running)
		admission_leave(count_of(c->worker));
	if (was_running || (was_waiting && list_is_empty(&c->worker->handshakes.waiting)))
		look_later(c->worker, 0);
}

/* protocol.md 7.2: whom reject_connection keeps out, and why. */
static void log_rejected(const struct connection *c, const struct err *e)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *shown =
		tls_stream_refused_certificate(c->stream);
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&c->peer, ip);
	log_begin(c->worker->shared.log, &line, LOG_INFO, "proxy");
	log_cstr(&line, "ip", ip);
	log_cstr(&line, "tls-sni-hostname", tls_stream_server_name(c->stream));
	if (shown) {
		log_str(&line, "client-certificate", peer_certificate_facts(shown)->fingerprint);
		log_str(&line, "client-certificate-subject",
			peer_certificate_facts(shown)->subject);
	}
	log_cstr(&line, "downstream-transport-failure-reason", e->text);
	log_end(&line, "listener connection failure");
}

static void fail(struct connection *c, const struct err *e, enum stream_close how)
{
	const struct config_tls *tls = &c->worker->snapshot->config->tls;
	const struct err said = { .kind = ERR_CLOSED };

	if (e->kind != ERR_CLOSED) /* that was a probe */
		counter_add(&c->worker->counters.handshake_failures, 1);
	if (e->kind == ERR_TLS &&
	    tls->client_certificates.enforcement == CONFIG_ENFORCEMENT_REJECT) {
		log_rejected(c, e);
		e = &said; /* no second line */
	}
	connection_fail(c, e, how);
}

static void note_success(struct connection *c)
{
	struct tls_facts facts;

	if (!tls_stream_facts(c->stream, &facts))
		return;
	counters_handshake(&c->worker->counters, &facts);
	c->speaks_h2 = strcmp(facts.alpn, "h2") == 0;
}

static void drive(struct connection *c)
{
	switch (tls_stream_handshake(c->stream)) {
	case STREAM_AGAIN:
		return;
	case STREAM_FAILED:
		/* with a reset, the alert that says why might never be read */
		fail(c, stream_error(c->stream), STREAM_CLOSE_NORMAL);
		return;
	default:
		handshake_cancel(c);
		note_success(c);
		c->certificate = tls_stream_peer_certificate(c->stream);
		connection_serve(c);
	}
}

static void on_event(void *arg, unsigned events)
{
	drive(arg);
}

static void run(struct connection *c)
{
	struct worker *worker = c->worker;

	c->handshake.state = HANDSHAKE_RUNNING;
	c->stream = tls_stream_accept(worker->loop, c->stream, worker->snapshot->tls);
	stream_set_owner(c->stream, on_event, c);
	drive(c);
}

static void on_retry(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, handshakes.retry);
	struct list_node *node;

	while ((node = list_first(&worker->handshakes.waiting)) && is_turn(worker)) {
		list_remove(node);
		run(container_of(node, struct connection, handshake.in_queue));
	}
	look_later(worker, HANDSHAKE_RETRY_MS);
}

static void on_due(struct timer *timer)
{
	struct connection *c = container_of(timer, struct connection, handshake.due);
	struct err e;

	if (c->handshake.state == HANDSHAKE_WAITING) {
		(void)err_set(&e, ERR_LIMIT, "no turn for its TLS handshake came in time");
		counters_refusal(&c->worker->counters, "overloaded");
		connection_fail(c, &e, STREAM_CLOSE_RESET);
		return;
	}
	(void)err_set(&e, ERR_TIMEOUT, "the client took too long");
	fail(c, &e, STREAM_CLOSE_NORMAL);
}

static void log_waiting(struct worker *worker)
{
	struct admission_count *count = count_of(worker);
	uint64_t waiting;
	struct log_line line;

	admission_note_refused(count);
	waiting = admission_take_refused(count, loop_now_ms(worker->loop));
	if (waiting == 0)
		return;
	log_begin(worker->shared.log, &line, LOG_WARN, "proxy");
	log_cstr(&line, "setting", "max_handshakes");
	log_uint(&line, "connections-waiting", waiting);
	log_end(&line, "too many TLS handshakes at once: connections wait for their turn");
}

void handshake_begin(struct connection *c)
{
	struct worker *worker = c->worker;
	uint64_t read_ms = worker->snapshot->config->timeouts.read_ms;

	if (read_ms > 0)
		timer_start(&c->handshake.due, worker->loop, c->began_ms + read_ms, on_due);
	/* Nobody overtakes those who wait. */
	if (list_is_empty(&worker->handshakes.waiting) && is_turn(worker)) {
		run(c);
		return;
	}
	c->handshake.state = HANDSHAKE_WAITING;
	list_append(&worker->handshakes.waiting, &c->handshake.in_queue);
	log_waiting(worker);
	if (!timer_is_started(&worker->handshakes.retry))
		look_later(worker, HANDSHAKE_RETRY_MS);
}
