/*
 * check.c - each step starts one operation; its callback reports and begins the next step
 *
 *	directly:         name -> address -> TLS -> gateway -> tunnel (-> who)
 *	through a proxy:  proxy, which does name and address, -> TLS -> ...
 *
 * The connection that was tried is closed after TLS: those that follow are made as for any tunnel.
 */

#include "cli/check.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/check_answers.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/gateway_request.h"
#include "cli/proxy_dial.h"
#include "cli/proxy_options.h"
#include "cli/tls_options.h"
#include "cli/tunnel.h"
#include "cli/who.h"
#include "io/dial.h"
#include "io/loop.h"
#include "tls/peer_certificate.h"
#include "tls/tls_stream.h"

struct check {
	const struct gateway *gateway;
	struct str token;
	struct check_report report;
	struct proxy_dial *proxy_dial;
	struct resolver_query *query;
	struct dial *dial;
	struct stream *stream; /* in its handshake */
	struct timer timer;
	struct gateway_request *request;
	struct tunnel *tunnel;
	struct tunnel_result result; /* without its stream and its bytes */
	void (*on_done)(void *arg, const struct check_report *report);
	void *arg;
};

void check_cancel(struct check *c)
{
	if (!c)
		return;
	proxy_dial_cancel(TAKE(c->proxy_dial));
	resolver_query_cancel(TAKE(c->query));
	dial_cancel(TAKE(c->dial));
	timer_cancel(&c->timer);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	gateway_request_cancel(TAKE(c->request));
	tunnel_cancel(TAKE(c->tunnel));
	loop_free_later(c->gateway->loop, c);
}

static void finish(struct check *c)
{
	c->on_done(c->arg, &c->report);
	check_cancel(c);
}

static void fail(struct check *c, enum check_step step, enum exit_status status,
		 const struct err *e)
{
	check_report_bad(&c->report, step, status, e);
	finish(c);
}

/* ---- route, login, policy, upstream ---- */

static void on_who(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct check *c = arg;
	struct who who = { 0 };
	struct err ignored; /* the tunnel's answer is what counts */

	c->request = NULL;
	if (response && response->status == 200)
		(void)who_read(response->body, &who, &ignored);
	check_report_tunnel(&c->report, c->gateway, &c->result,
			    str_is_empty(who.email) ? who.id : who.email);
	who_done(&who);
	finish(c);
}

/* Who somebody is can be asked only with a token that was accepted. */
static bool is_worth_asking_who(const struct check *c)
{
	return !str_is_empty(c->token) && c->result.outcome != TUNNEL_UNAUTHENTICATED &&
	       c->result.outcome != TUNNEL_NO_ROUTE && c->result.outcome != TUNNEL_UNREACHABLE;
}

static void on_tunnel(void *arg, struct tunnel_result *result)
{
	struct check *c = arg;
	const struct gateway_request_options options = { .method = STR("GET"),
							 .target = STR(WHO_PATH),
							 .token = c->token };

	c->tunnel = NULL;
	stream_close(TAKE(result->stream), STREAM_CLOSE_NORMAL);
	buf_done_secret(&result->early);
	c->result = *result;
	if (is_worth_asking_who(c)) {
		c->request = gateway_request_start(c->gateway, &options, on_who, c);
		return;
	}
	check_report_tunnel(&c->report, c->gateway, &c->result, STR(""));
	finish(c);
}

/* ---- is it a gateway? ---- */

static void on_well_known(void *arg, const struct http_client_response *response,
			  const struct err *e)
{
	struct check *c = arg;
	struct err problem;

	c->request = NULL;
	if (!response) {
		problem = *e;
		err_wrap(&problem, "no answer of a gateway");
		fail(c, CHECK_GATEWAY, EXIT_STATUS_UNREACHABLE, &problem);
		return;
	}
	if (check_read_gateway(response, c->gateway->destination->gateway_name, &problem) < 0) {
		fail(c, CHECK_GATEWAY, EXIT_STATUS_UNREACHABLE, &problem);
		return;
	}
	check_report_good(&c->report, CHECK_GATEWAY, "%s is a gateway",
			  c->gateway->destination->gateway_name);
	c->tunnel = tunnel_start(c->gateway, c->token, on_tunnel, c);
}

static void ask_gateway(struct check *c)
{
	const struct gateway_request_options options = { .method = STR("GET"),
							 .target = STR("/.well-known/pomerium") };

	c->request = gateway_request_start(c->gateway, &options, on_well_known, c);
}

/* ---- TLS ---- */

static void report_tls(struct check *c)
{
	struct peer_certificate *certificate = tls_stream_peer_certificate(c->stream);
	const struct peer_certificate_facts *facts = certificate
							     ? peer_certificate_facts(certificate)
							     : NULL;
	struct tls_facts tls = { .version = "" };

	(void)tls_stream_facts(c->stream, &tls); /* the handshake is done */
	if (facts)
		check_report_good(
			&c->report, CHECK_TLS,
			"%s; certificate for %.*s, issued by %.*s, valid for %lld days more",
			tls.version, STR_FMT(str_first(facts->subject, 120)),
			STR_FMT(str_first(facts->issuer, 120)),
			(long long)(facts->not_after_unix - clock_now_unix()) / 86400);
	else
		check_report_good(&c->report, CHECK_TLS, "%s", tls.version);
	peer_certificate_unref(certificate);
}

static void end_handshake(struct check *c, const struct err *e)
{
	struct err copy = e ? *e : (struct err){ 0 };

	tls_options_advise(&copy);
	timer_cancel(&c->timer);
	if (!e)
		report_tls(c);
	stream_close(TAKE(c->stream), STREAM_CLOSE_NORMAL);
	if (e)
		fail(c, CHECK_TLS, EXIT_STATUS_UNREACHABLE, &copy);
	else
		ask_gateway(c);
}

static void drive_handshake(void *arg, unsigned events)
{
	struct check *c = arg;
	int result = c->stream ? tls_stream_handshake(c->stream) : STREAM_AGAIN;

	if (result != STREAM_AGAIN)
		end_handshake(c, result == STREAM_FAILED ? stream_error(c->stream) : NULL);
}

static void on_handshake_due(struct timer *timer)
{
	struct err e;

	(void)err_set(&e, ERR_TIMEOUT,
		      "no end of the TLS handshake in time: it accepts connections, "
		      "but does not speak TLS, or a firewall keeps the answer");
	end_handshake(container_of(timer, struct check, timer), &e);
}

static void begin_tls(struct check *c, struct stream *stream)
{
	const struct gateway *gateway = c->gateway;

	if (!gateway->destination->uses_tls) {
		stream_close(stream, STREAM_CLOSE_NORMAL);
		check_report_good(&c->report, CHECK_TLS,
				  "not used: the gateway's URL begins with "
				  "http://");
		ask_gateway(c);
		return;
	}
	c->stream = tls_stream_connect(gateway->loop, stream, gateway->tls,
				       str_from(gateway->destination->gateway_host));
	stream_set_owner(c->stream, drive_handshake, c);
	timer_start(&c->timer, gateway->loop, loop_now_ms(gateway->loop) + CHECK_HANDSHAKE_MS,
		    on_handshake_due);
	drive_handshake(c, 0);
}

/* ---- getting there ---- */

static void on_proxy_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct check *c = arg;
	const struct destination *destination = c->gateway->destination;
	const struct proxy_url *proxy = proxy_options_choose(c->gateway->proxies, destination);

	c->proxy_dial = NULL;
	if (!stream) {
		fail(c, CHECK_PROXY, EXIT_STATUS_UNREACHABLE, e);
		return;
	}
	check_report_good(&c->report, CHECK_PROXY, "%s connects to %s", proxy->name,
			  destination->gateway_name);
	begin_tls(c, stream);
}

static void on_dialed(void *arg, struct stream *stream, const struct addr *peer,
		      const struct err *e)
{
	struct check *c = arg;
	char address[ADDR_TEXT_MAX];

	c->dial = NULL;
	if (!stream) {
		fail(c, CHECK_ADDRESS, EXIT_STATUS_UNREACHABLE, e);
		return;
	}
	addr_format(peer, address);
	check_report_good(&c->report, CHECK_ADDRESS, "connected to %s", address);
	begin_tls(c, stream);
}

static void on_resolved(void *arg, const struct resolver_answer *answer, const struct err *e)
{
	struct check *c = arg;
	const struct destination *destination = c->gateway->destination;
	const struct dial_target target = { .host = str_from(destination->gateway_host),
					    .port = destination->gateway_port,
					    .timeout_ms = DIAL_TIMEOUT_MS };
	char address[ADDR_TEXT_MAX];

	c->query = NULL;
	if (!answer) {
		fail(c, CHECK_NAME, EXIT_STATUS_UNREACHABLE, e);
		return;
	}
	addr_format_ip(&answer->addresses[0], address);
	check_report_good(&c->report, CHECK_NAME, "%s is %s%s", destination->gateway_host, address,
			  answer->count > 1 ? " and others" : "");
	c->dial = dial_start(c->gateway->loop, c->gateway->resolver, &target, on_dialed, c);
}

static void begin(struct check *c, const struct proxy_url *proxy)
{
	const struct gateway *gateway = c->gateway;
	struct str host = str_from(gateway->destination->gateway_host);
	const struct proxy_dial_request request = { .proxy = proxy,
						    .tls = gateway->proxies ? gateway->proxies->tls
									    : NULL,
						    .host = host,
						    .port = gateway->destination->gateway_port };

	if (proxy) {
		c->proxy_dial = proxy_dial_start(gateway->loop, gateway->resolver, &request,
						 on_proxy_dialed, c);
		return;
	}
	check_report_good(&c->report, CHECK_PROXY, "none");
	c->query = resolver_query_start(gateway->resolver, host, AF_UNSPEC, on_resolved, c);
}

struct check *check_start(const struct check_options *options,
			  void (*on_done)(void *arg, const struct check_report *report), void *arg)
{
	struct check *c = mem_alloc(sizeof(*c));

	*c = (struct check){
		.gateway = options->gateway, .token = options->token, .on_done = on_done, .arg = arg
	};
	begin(c, proxy_options_choose(c->gateway->proxies, c->gateway->destination));
	return c;
}
