/*
 * Three families of answers, after who gives them in the reference (protocol.md 6): refusals by the authorizer
 * (6.2), local replies of the data plane (6.3), errors of our own pages (6.2, last paragraph). The table says which family
 * a refusal belongs to and every word it needs.
 */

#include "proxy/respond.h"

#include <assert.h>

#include "base/clock.h"
#include "base/json.h"
#include "proxy/authenticate.h"
#include "proxy/connection.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"
#include "proxy/sign_in_url.h"

enum family { FAMILY_AUTHORIZER, FAMILY_DATA_PLANE };

struct refusal_row {
	int status;
	enum family family;
	const char *reason;   /* extensions.md 5 */
	const char *details;  /* response-code-details */
	const char *error;    /* JSON form of the authorizer's refusals */
	const char *sentence; /* for a person; {who} and {what} are filled in */
	const char *advice;   /* what to do about it; on pages only */
};

#define RESET_BEFORE_RESPONSE "upstream_reset_before_response_started"

#define ADVICE_NAME "Look whether name and port are right, or ask the operator of this gateway."
#define ADVICE_KIND                                                                                \
	"Use pomerium-cli udp for what routes list calls udp, and pomerium-cli tcp for the rest."
#define ADVICE_PROGRAM "Use pomerium-cli tcp, or another program that sends no Origin."
#define ADVICE_LOG_IN  "Open the page in a browser, or start pomerium-cli, to log in."
#define ADVICE_ASK     "If you need it, ask the operator of this gateway and mention the request below."
#define ADVICE_CERTIFICATE                                                                         \
	"Give your browser, or pomerium-cli with --client-cert and --client-key, a certificate "   \
	"that this gateway knows, or ask its operator and mention the request below."
#define ADVICE_WAIT                                                                                \
	"Try again in a while. If it stays like this, tell the operator of this gateway and "      \
	"mention the request below."
#define ADVICE_TELL                                                                                \
	"If it stays like this, tell the operator of this gateway and mention the request below."

static const struct refusal_row refusal_rows[] = {
	[REFUSAL_ROUTE_NOT_FOUND] = { 404, FAMILY_DATA_PLANE, "route-not-found", "route_not_found",
				      NULL, "There is no route for {what} on this gateway.",
				      ADVICE_NAME },
	[REFUSAL_WRONG_KIND] = { 403, FAMILY_DATA_PLANE, "bad-request", "upgrade_failed", NULL,
				 "The route for {what} carries the other one of TCP and UDP.",
				 ADVICE_KIND },
	[REFUSAL_WEB_PAGE] = { 403, FAMILY_DATA_PLANE, "bad-request", "upgrade_failed", NULL,
			       "Web pages may not open tunnels.", ADVICE_PROGRAM },
	[REFUSAL_LOGIN_REQUIRED] = { 401, FAMILY_AUTHORIZER, "login-required", "ext_authz_denied",
				     "Unauthenticated", "You have to log in to use {what}.",
				     ADVICE_LOG_IN },
	[REFUSAL_SESSION_UNKNOWN] = { 401, FAMILY_AUTHORIZER, "session-unknown", "ext_authz_denied",
				      "Unauthenticated",
				      "Your login is not known here any more: log in again to use {what}.",
				      ADVICE_LOG_IN },
	[REFUSAL_SESSION_EXPIRED] = { 401, FAMILY_AUTHORIZER, "session-expired", "ext_authz_denied",
				      "Unauthenticated",
				      "Your login has expired: log in again to use {what}.",
				      ADVICE_LOG_IN },
	[REFUSAL_DENIED] = { 403, FAMILY_AUTHORIZER, "denied", "ext_authz_denied", "Forbidden",
			     "{who} is not allowed to use {what}.", ADVICE_ASK },
	[REFUSAL_TOKEN] = { 403, FAMILY_AUTHORIZER, "denied", "ext_authz_denied", "Forbidden",
			    "The token that was shown for {what} is not good here: the log of the "
			    "gateway says why.",
			    ADVICE_ASK },
	[REFUSAL_CLIENT_CERTIFICATE] = { 495, FAMILY_AUTHORIZER, "client-certificate-required",
					 "ext_authz_denied",
					 "a valid client certificate is required to access this page",
					 "A valid client certificate is needed to use {what}.",
					 ADVICE_CERTIFICATE },
	[REFUSAL_UPSTREAM_DNS] = { 503, FAMILY_DATA_PLANE, "upstream-dns", "no_healthy_upstream",
				   NULL,
				   "You are allowed to use {what}, but the name of its server was not found.",
				   ADVICE_WAIT },
	[REFUSAL_UPSTREAM_REFUSED] = { 503, FAMILY_DATA_PLANE, "upstream-refused",
				       RESET_BEFORE_RESPONSE
				       "{remote_connection_failure|delayed_connect_error:_Connection_refused}",
				       NULL,
				       "You are allowed to use {what}, but its server refused the connection.",
				       ADVICE_WAIT },
	[REFUSAL_UPSTREAM_UNREACHABLE] = { 503, FAMILY_DATA_PLANE, "upstream-unreachable",
					   RESET_BEFORE_RESPONSE "{remote_connection_failure}",
					   NULL,
					   "You are allowed to use {what}, but there is no way to its server.",
					   ADVICE_WAIT },
	[REFUSAL_UPSTREAM_TIMEOUT] = { 503, FAMILY_DATA_PLANE, "upstream-timeout",
				       RESET_BEFORE_RESPONSE "{connection_timeout}", NULL,
				       "You are allowed to use {what}, but its server did not answer in time.",
				       ADVICE_WAIT },
	[REFUSAL_UPSTREAM_TLS] = { 503, FAMILY_DATA_PLANE, "upstream-tls",
				   RESET_BEFORE_RESPONSE "{remote_connection_failure|TLS_error}",
				   NULL,
				   "You are allowed to use {what}, but the gateway could not agree on "
				   "TLS with the proxy in front of its server.",
				   ADVICE_TELL },
	[REFUSAL_UPSTREAM_LIMIT] = { 503, FAMILY_DATA_PLANE, "upstream-limit",
				     RESET_BEFORE_RESPONSE "{overflow}", NULL,
				     "You are allowed to use {what}, but its server has as many "
				     "connections as it may have.",
				     ADVICE_WAIT },
	[REFUSAL_OVERLOADED] = { 503, FAMILY_DATA_PLANE, "overloaded", "overload", NULL,
				 "The gateway has no room for this now: try again in a moment.",
				 ADVICE_TELL },
	[REFUSAL_SHUTTING_DOWN] = { 503, FAMILY_DATA_PLANE, "shutting-down", "overload", NULL,
				    "The gateway is about to end: try again in a moment.",
				    ADVICE_WAIT },
	[REFUSAL_STORE_AWAY] = { 503, FAMILY_DATA_PLANE, "internal", "ext_authz_error", NULL,
				 "The gateway cannot reach its session store to see who you are: "
				 "try again in a moment.",
				 ADVICE_TELL },
	[REFUSAL_ISSUER_AWAY] = { 503, FAMILY_DATA_PLANE, "internal", "ext_authz_error", NULL,
				  "The gateway cannot ask the issuer of your token about it: try "
				  "again in a moment.",
				  ADVICE_TELL },
	[REFUSAL_INTERNAL] = { 503, FAMILY_DATA_PLANE, "internal", "ext_authz_error", NULL,
			       "The gateway could not decide about this: its log says why.",
			       ADVICE_TELL },
};

void reply_header(struct reply *reply, struct str name, struct str value)
{
	assert(reply->header_count < REPLY_HEADERS_MAX);
	reply->headers[reply->header_count++] = (struct http_header){ name, value };
}

enum step reply_send(struct exchange *x, struct reply *reply)
{
	reply_header(reply, STR("server"), STR("pomerium"));
	reply_header(reply, STR("x-request-id"), str_from(x->request_id));
	x->outcome.status = reply->status;
	if (!str_equal(x->facts.method, STR("HEAD")) && reply->status != 304)
		x->outcome.bytes_sent = reply->body.len;
	connection_respond(x->connection, &(struct http_response){
						  .status = reply->status,
						  .headers = reply->headers,
						  .header_count = reply->header_count,
						  .body = reply->body,
					  });
	x->request = NULL;
	return STEP_DONE;
}

enum step respond_text(struct exchange *x, int status, struct str text)
{
	struct reply reply = { .status = status, .body = text };

	reply_header(&reply, STR("content-type"), STR("text/plain; charset=utf-8"));
	return reply_send(x, &reply);
}

enum step respond_redirect(struct exchange *x, int status, struct str location)
{
	struct reply reply = { .status = status };

	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

void reply_redirect(struct reply *reply, struct str location)
{
	reply_header(reply, STR("location"), location);
	reply_header(reply, STR("x-pomerium-intercepted-response"), STR("true"));
	reply_header(reply, STR("cache-control"), STR("no-cache, must-revalidate"));
}

static void add_page(struct exchange *x, struct reply *reply, struct buf *page,
		     struct str form_policy)
{
	reply_header(reply, STR("content-type"), STR("text/html; charset=UTF-8"));
	reply_header(reply, STR("x-pomerium-intercepted-response"), STR("true"));
	reply_header(reply, STR("cache-control"), STR("no-cache, must-revalidate"));
	reply_header(reply, STR("referrer-policy"), STR("same-origin"));
	reply_header(reply, STR("content-security-policy"),
		     arena_printf(&x->arena,
				  "default-src 'none'; style-src 'self'; frame-ancestors 'none'; "
				  "base-uri 'none'%.*s",
				  STR_FMT(form_policy)));
	reply_header(reply, STR("x-frame-options"), STR("SAMEORIGIN"));
	reply_header(reply, STR("x-content-type-options"), STR("nosniff"));
	reply->body = arena_copy(&x->arena, buf_view(page));
	buf_done(page);
}

void reply_page(struct exchange *x, struct reply *reply, struct buf *page)
{
	add_page(x, reply, page, STR("; form-action 'none'"));
}

/*
 * form-action would count for every redirect that follows the form as well, and those of a login lead to a program on the
 * user's own machine, to routes and to identity providers.
 */
void reply_form_page(struct exchange *x, struct reply *reply, struct buf *page)
{
	add_page(x, reply, page, STR(""));
}

static void html_page(struct exchange *x, struct str sentence, struct str advice,
		      struct reply *reply)
{
	struct buf page = BUF_INIT(PAGE_MAX);

	error_page_write(&page, &(struct error_page){
					.status = reply->status,
					.status_text = str_from(http_status_text(reply->status)),
					.sentence = sentence,
					.advice = advice,
					.request_id = str_from(x->request_id),
				});
	reply_page(x, reply, &page);
}

bool request_prefers_json(const struct http_request *request)
{
	static const struct str offered[] = { { "text/html", 9 }, { "application/json", 16 } };
	struct str accept = { 0 };

	(void)http_headers_get(&request->headers, STR("accept"), &accept);
	return http_accept_prefers(accept, offered, ARRAY_LEN(offered)) == 1;
}

/* protocol.md 6.2 */
static void authorizer_body(struct exchange *x, const struct refusal_row *row, struct str sentence,
			    struct reply *reply)
{
	struct str agent = { 0 };

	(void)http_headers_get(&x->request->headers, STR("user-agent"), &agent);
	if (str_contains(agent, STR("kubernetes/"))) {
		bool is_nobody = reply->status == 401 || reply->status == 495;
		const char *kind = is_nobody ? "Unauthorized" : "";

		reply_header(reply, STR("content-type"), STR("application/json"));
		reply->body = arena_printf(
			&x->arena,
			"{\"apiVersion\":\"v1\",\"code\":%d,\"kind\":\"Status\",\"message\":\"%s\","
			"\"reason\":\"%s\",\"status\":\"Failure\"}",
			reply->status, http_status_text(reply->status),
			reply->status == 403 ? "Forbidden" : kind);
		return;
	}
	if (request_prefers_json(x->request)) {
		reply_header(reply, STR("content-type"), STR("application/json"));
		reply->body = arena_printf(&x->arena, "{\"error\":\"%s\",\"request_id\":\"%s\"}",
					   row->error, x->request_id);
		return;
	}
	html_page(x, sentence, str_from(row->advice), reply);
}

/* protocol.md 6.3 */
static void data_plane_body(struct exchange *x, const struct refusal_row *row, struct str sentence,
			    struct reply *reply)
{
	static const struct str offered[] = { { "text/html", 9 },
					      { "application/json", 16 },
					      { "text/plain", 10 } };
	struct str accept = { 0 };
	int choice;

	(void)http_headers_get(&x->request->headers, STR("accept"), &accept);
	choice = http_accept_prefers(accept, offered, ARRAY_LEN(offered));
	if (choice <= 0) {
		html_page(x, sentence, str_from(row->advice), reply);
		return;
	}
	reply_header(reply, STR("content-type"),
		     choice == 1 ? STR("application/json; charset=UTF-8")
				 : STR("text/plain; charset=UTF-8"));
	reply->body = arena_printf(&x->arena,
				   "{\n  \"requestId\": \"%s\",\n  \"status\": \"%d\",\n"
				   "  \"statusText\": \"%s\"\n}",
				   x->request_id, reply->status, row->details);
}

/* Fills {who} and {what}; only printable ASCII remains, so that the sentence may stand in a header. */
static struct str write_sentence(struct exchange *x, const char *template)
{
	struct str who = x->session ? x->session->who->email : STR("Nobody");
	struct buf text = BUF_INIT(ERR_TEXT_MAX);
	struct str result;

	for (struct str rest = str_from(template); rest.len > 0;) {
		if (str_starts_with(rest, STR("{who}"))) {
			(void)buf_append_str(&text, who);
			rest = str_from_pos(rest, 5);
		} else if (str_starts_with(rest, STR("{what}"))) {
			(void)buf_append_str(&text, x->facts.authority);
			rest = str_from_pos(rest, 6);
		} else {
			(void)buf_append_char(&text, rest.at[0]);
			rest = str_from_pos(rest, 1);
		}
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			text.data[i] = '?';
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return result;
}

static enum step refuse(struct exchange *x, const struct refusal_row *row, int status,
			struct str location)
{
	struct reply reply = { .status = status };
	struct str sentence = write_sentence(x, row->sentence);

	x->outcome.details = row->details;
	x->outcome.reason = row->reason;
	if (!str_is_empty(location))
		reply_header(&reply, STR("location"), location);
	reply_header(&reply, STR("x-pomerium-reason"), str_from(row->reason));
	reply_header(&reply, STR("x-pomerium-message"), sentence);
	if (row->family == FAMILY_AUTHORIZER)
		authorizer_body(x, row, sentence, &reply);
	else
		data_plane_body(x, row, sentence, &reply);
	return reply_send(x, &reply);
}

enum step respond_refusal(struct exchange *x, enum refusal refusal)
{
	return refuse(x, &refusal_rows[refusal], refusal_rows[refusal].status, STR(""));
}

/* Whether a redirect would be followed: by what asks for HTML, and showed no token in a header (protocol.md 2.8). */
static bool can_redirect(struct exchange *x)
{
	static const struct str offered[] = {
		{ "text/html", 9 },
		{ "application/json", 16 },
		{ "text/plain", 10 },
		{ "application/grpc-web-text", 25 },
		{ "application/grpc-web+proto", 26 },
		{ "application/grpc+proto", 22 },
	};
	struct str content_type = { 0 };
	struct str accept = { 0 };

	if (request_shows_token(x))
		return false;
	(void)http_headers_get(&x->request->headers, STR("content-type"), &content_type);
	if (str_starts_with_nocase(content_type, STR("application/grpc")))
		return false;
	(void)http_headers_get(&x->request->headers, STR("accept"), &accept);
	return http_accept_prefers(accept, offered, ARRAY_LEN(offered)) <= 0;
}

static enum refusal refusal_of(const char *problem)
{
	if (!problem)
		return REFUSAL_LOGIN_REQUIRED;
	if (str_equal(str_from(problem), STR(PROBLEM_EXPIRED)))
		return REFUSAL_SESSION_EXPIRED;
	if (str_equal(str_from(problem), STR(PROBLEM_UNAVAILABLE)))
		return REFUSAL_STORE_AWAY;
	return REFUSAL_SESSION_UNKNOWN;
}

enum step respond_login(struct exchange *x)
{
	enum refusal refusal = refusal_of(x->credential_problem);
	const struct refusal_row *row = &refusal_rows[refusal];
	struct str location;

	/* A login would not help, and the client would forget a token that may be good. */
	if (refusal == REFUSAL_STORE_AWAY)
		return respond_refusal(x, refusal);
	if (!can_redirect(x))
		return refuse(x, row, 401, STR(""));
	if (sign_in_url_for_request(x, &location) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	return refuse(x, row, 302, location);
}

enum step respond_error(struct exchange *x, int status, struct str sentence)
{
	struct reply reply = { .status = status };
	struct str accept = { 0 };

	x->outcome.reason = status == 401  ? "login-required"
			    : status < 500 ? "bad-request"
					   : "internal";
	reply_header(&reply, STR("x-pomerium-reason"), str_from(x->outcome.reason));
	(void)http_headers_get(&x->request->headers, STR("accept"), &accept);
	if (!str_equal(accept, STR("application/json"))) {
		html_page(x, sentence, status < 500 ? STR("") : STR(ADVICE_TELL), &reply);
		return reply_send(x, &reply);
	}
	reply_header(&reply, STR("content-type"), STR("application/json"));
	reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
	reply_header(&reply, STR("x-pomerium-intercepted-response"), STR("true"));
	reply.body = arena_printf(&x->arena, "{\"Status\":%d,\"RequestID\":\"%s\"}\n", status,
				  x->request_id);
	return reply_send(x, &reply);
}
