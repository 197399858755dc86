/*
 * tunnel.c - CONNECT; then the answer is put into words
 *
 * The gateway's own words (reason, request id) reach the terminal only if they are short and printable.
 */

#include "cli/tunnel.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/transport.h"
#include "cli/tls_options.h"
#include "cli/version.h"

#define AUTHORIZATION_SCHEME "Pomerium "
#define WORDS_MAX            128
#define SENTENCE_MAX         256

struct tunnel {
	const struct gateway *gateway;
	struct buf authorization; /* empty: no token */
	struct http_header headers[2];
	struct transport_call *call;
	void (*on_done)(void *arg, struct tunnel_result *result);
	void *arg;
};

enum tunnel_outcome tunnel_classify(int status)
{
	switch (status) {
	case 200:
		return TUNNEL_OPEN;
	case 301:
	case 302:
	case 307:
	case 308:
	case 401:
		return TUNNEL_UNAUTHENTICATED;
	case 403:
	case 495: /* not with this client certificate, or without one */
		return TUNNEL_UNAUTHORIZED;
	case 404:
		return TUNNEL_NO_ROUTE;
	case 502:
	case 503:
	case 504:
		return TUNNEL_UNAVAILABLE;
	default:
		return TUNNEL_REFUSED;
	}
}

enum exit_status tunnel_exit_status(enum tunnel_outcome outcome)
{
	switch (outcome) {
	case TUNNEL_OPEN:
		return EXIT_STATUS_OK;
	case TUNNEL_UNAUTHENTICATED:
		return EXIT_STATUS_NOT_LOGGED_IN;
	case TUNNEL_UNAUTHORIZED:
		return EXIT_STATUS_DENIED;
	case TUNNEL_NO_ROUTE:
		return EXIT_STATUS_NO_ROUTE;
	case TUNNEL_UNAVAILABLE:
	case TUNNEL_UNREACHABLE:
		return EXIT_STATUS_UNREACHABLE;
	case TUNNEL_REFUSED:
		return EXIT_STATUS_OTHER;
	}
	return EXIT_STATUS_OTHER;
}

static struct str words_of(const struct http_headers *headers, struct str name, size_t max)
{
	struct str value;

	if (!http_headers_get(headers, name, &value) || !str_is_printable_ascii(value))
		return STR("");
	return str_first(value, max);
}

/* What the gateway says about it in a sentence, who and what included; without its full stop. */
static struct str sentence_of(const struct http_headers *headers, struct str otherwise)
{
	struct str sentence = words_of(headers, STR("x-pomerium-message"), SENTENCE_MAX);

	if (str_ends_with(sentence, STR(".")))
		sentence.len--;
	return str_is_empty(sentence) ? otherwise : sentence;
}

/* "denied, request 3f1c", in brackets; nothing if the gateway said neither. */
static void append_particulars(struct buf *out, int status, const struct http_headers *headers)
{
	struct str reason = words_of(headers, STR("x-pomerium-reason"), WORDS_MAX);
	struct str request_id = words_of(headers, STR("x-request-id"), WORDS_MAX);

	buf_printf(out, " (");
	if (tunnel_classify(status) != TUNNEL_UNAUTHORIZED || str_is_empty(reason))
		buf_printf(out, "status %d%s", status, str_is_empty(reason) ? "" : ", ");
	buf_append_str(out, reason);
	if (!str_is_empty(request_id))
		buf_printf(out, ", request %.*s", STR_FMT(request_id));
	buf_printf(out, ")");
}

void tunnel_explain(const struct gateway *gateway, int status, const struct http_headers *headers,
		    struct err *ret)
{
	struct buf particulars = BUF_INIT(3 * WORDS_MAX);
	const char *target = gateway->destination->target;
	const char *name = gateway->destination->gateway_name;
	_cleanup_(mem_freep) char *text = NULL;
	char not_allowed[SENTENCE_MAX];
	char not_reachable[SENTENCE_MAX];
	struct str sentence;

	append_particulars(&particulars, status, headers);
	text = buf_take_string(&particulars);
	(void)snprintf(not_allowed, sizeof(not_allowed), "not allowed to use %s", target);
	(void)snprintf(not_reachable, sizeof(not_reachable), "%s cannot be reached through %s",
		       target, name);
	switch (tunnel_classify(status)) {
	case TUNNEL_UNAUTHENTICATED:
		err_set(ret, ERR_PROTOCOL, "not logged in: %s %s %s%s", name,
			status == 401 ? "does not accept the login for" : "asks for a login to",
			target, text);
		break;
	case TUNNEL_UNAUTHORIZED:
		sentence = sentence_of(headers, str_from(not_allowed));
		err_set(ret, ERR_PROTOCOL, "%.*s%s", STR_FMT(sentence), text);
		break;
	case TUNNEL_NO_ROUTE:
		err_set(ret, ERR_PROTOCOL,
			"%s has no route for %s%s; check the name and the port of the destination",
			name, target, text);
		break;
	case TUNNEL_UNAVAILABLE:
		sentence = sentence_of(headers, str_from(not_reachable));
		err_set(ret, ERR_UNREACHABLE, "%.*s%s; try again later", STR_FMT(sentence), text);
		break;
	case TUNNEL_OPEN:
	case TUNNEL_UNREACHABLE:
	case TUNNEL_REFUSED:
		err_set(ret, ERR_PROTOCOL, "%s refused the tunnel to %s%s", name, target, text);
		break;
	}
}

static void free_tunnel(struct tunnel *t)
{
	buf_done_secret(&t->authorization);
	mem_free(t);
}

static void finish(struct tunnel *t, struct tunnel_result *result)
{
	void (*on_done)(void *arg, struct tunnel_result *result) = t->on_done;
	void *arg = t->arg;

	free_tunnel(t);
	on_done(arg, result);
}

static void finish_unreachable(struct tunnel *t, const struct err *e)
{
	struct tunnel_result result = { .outcome = TUNNEL_UNREACHABLE, .error = *e };

	tls_options_advise(&result.error);
	err_wrap(&result.error, "cannot use the gateway %s", t->gateway->destination->gateway_name);
	finish(t, &result);
}

static bool says_half_close(const struct http_headers *headers)
{
	struct str value;

	return http_headers_get(headers, STR("x-pomerium-half-close"), &value) &&
	       str_equal(value, STR("?1"));
}

/* Only what looks like a UUID: it becomes part of a path. */
static void keep_request_id(const struct http_headers *headers, char *out)
{
	struct str id;

	if (!http_headers_get(headers, STR("x-request-id"), &id) || id.len > TUNNEL_ID_MAX)
		return;
	for (size_t i = 0; i < id.len; i++)
		if (!strchr("0123456789abcdef-", id.at[i]))
			return;
	memcpy(out, id.at, id.len);
}

static void on_answer(void *arg, struct connect_result *answer, const struct err *e)
{
	struct tunnel *t = arg;
	struct tunnel_result result = { 0 };

	t->call = NULL;
	if (!answer) {
		finish_unreachable(t, e);
		return;
	}
	result.outcome = tunnel_classify(answer->status);
	if (result.outcome == TUNNEL_OPEN) {
		result.stream = answer->stream;
		buf_move(&result.early, &answer->early);
		result.can_half_close = says_half_close(&answer->headers);
		keep_request_id(&answer->headers, result.request_id);
	} else {
		tunnel_explain(t->gateway, answer->status, &answer->headers, &result.error);
	}
	finish(t, &result);
}

/* What it points to lives as long as the tunnel. */
static struct connect_request make_request(struct tunnel *t)
{
	t->headers[0] = (struct http_header){ STR("User-Agent"), STR(CLI_USER_AGENT) };
	t->headers[1] = (struct http_header){ STR("Authorization"), buf_view(&t->authorization) };
	return (struct connect_request){
		.target = str_from(t->gateway->destination->target),
		.headers = t->headers,
		.header_count = t->authorization.len > 0 ? 2 : 1,
		.timeout_ms = TUNNEL_ANSWER_TIMEOUT_MS,
		.is_udp = t->gateway->carries_udp,
	};
}

struct tunnel *tunnel_start(const struct gateway *gateway, struct str token,
			    void (*on_done)(void *arg, struct tunnel_result *result), void *arg)
{
	struct tunnel *t = mem_alloc(sizeof(*t));
	struct connect_request request;

	*t = (struct tunnel){ .gateway = gateway, .on_done = on_done, .arg = arg };
	buf_init(&t->authorization, sizeof(AUTHORIZATION_SCHEME) + token.len);
	if (!str_is_empty(token)) {
		(void)buf_append_str(&t->authorization, STR(AUTHORIZATION_SCHEME)); /* fit */
		(void)buf_append_str(&t->authorization, token);
	}
	request = make_request(t);
	t->call = transport_connect(gateway, &request, on_answer, t);
	return t;
}

void tunnel_cancel(struct tunnel *t)
{
	if (!t)
		return;
	transport_cancel(t->call);
	free_tunnel(t);
}
