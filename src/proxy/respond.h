#pragma once

/*
 * respond.h - answers: replies of our own pages, and every refusal in the form its reader expects (protocol.md 6)
 *
 * All functions answer the exchange and return STEP_DONE, so that a stage can end with "return respond_...".
 */

#include "base/str.h"
#include "proxy/exchange.h"

/* Why a request is refused; one row each in respond.c: status, words, sentence. */
enum refusal {
	REFUSAL_ROUTE_NOT_FOUND,
	REFUSAL_WRONG_KIND, /* TCP where the route is UDP, or the other way round */
	REFUSAL_WEB_PAGE,   /* it asks for a tunnel, with its reader's login */
	REFUSAL_LOGIN_REQUIRED,
	REFUSAL_SESSION_UNKNOWN,
	REFUSAL_SESSION_EXPIRED,
	REFUSAL_DENIED,
	REFUSAL_TOKEN,
	REFUSAL_CLIENT_CERTIFICATE,
	REFUSAL_UPSTREAM_DNS,
	REFUSAL_UPSTREAM_REFUSED,
	REFUSAL_UPSTREAM_UNREACHABLE,
	REFUSAL_UPSTREAM_TIMEOUT,
	REFUSAL_UPSTREAM_TLS,
	REFUSAL_UPSTREAM_LIMIT,
	REFUSAL_OVERLOADED,
	REFUSAL_SHUTTING_DOWN,
	REFUSAL_STORE_AWAY,
	REFUSAL_ISSUER_AWAY,
	REFUSAL_INTERNAL,
};

enum step respond_refusal(struct exchange *x, enum refusal refusal);

/* Nobody is logged in: 302 to the sign-in page, or 401 for what cannot follow it (protocol.md 2.8). */
enum step respond_login(struct exchange *x);

/* An answer in the making. Values are borrowed until reply_send(): keep them in the exchange's arena. */
#define REPLY_HEADERS_MAX 16

struct reply {
	int status;
	struct http_header headers[REPLY_HEADERS_MAX];
	size_t header_count;
	struct str body;
};

void reply_header(struct reply *reply, struct str name, struct str value);

/* Location and the header that marks replies of the control plane (protocol.md 3.4). */
void reply_redirect(struct reply *reply, struct str location);

/* Makes the page the body, with the headers of every page; empties the buffer. The second is for pages with a form. */
void reply_page(struct exchange *x, struct reply *reply, struct buf *page);
void reply_form_page(struct exchange *x, struct reply *reply, struct buf *page);

/* Adds server and x-request-id. */
enum step reply_send(struct exchange *x, struct reply *reply);

/* text/plain */
enum step respond_text(struct exchange *x, int status, struct str text);

enum step respond_redirect(struct exchange *x, int status, struct str location);

/* An error of one of our own pages: 400 and the like, as HTML or JSON (protocol.md 6.2, last paragraph). The sentence is for
 * a person; programs that ask for JSON do not get it. */
enum step respond_error(struct exchange *x, int status, struct str sentence);

/* Whether the Accept header prefers application/json to text/html. */
bool request_prefers_json(const struct http_request *request);
