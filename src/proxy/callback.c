/*
 * GET /.pomerium/callback/ (protocol.md 3.4 step 6): the login has been done elsewhere; take over the session token and go
 * on to where the user wanted to be.
 */

#include "base/clock.h"
#include "base/codec.h"
#include "base/url.h"
#include "jose/jws.h"
#include "jose/seal.h"
#include "proxy/endpoints.h"
#include "proxy/login_cookies.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"

/* The token inside pomerium_session_encrypted; it must be one of ours. */
static int open_token(struct exchange *x, const struct query *query, struct str *ret_token)
{
	struct buf sealed = BUF_INIT(JWS_MAX + SEAL_OVERHEAD);
	struct buf token = BUF_INIT(JWS_MAX);
	struct str text;
	int result = -1;

	if (query_get(query, STR("pomerium_session_encrypted"), &text) &&
	    base64_decode(&sealed, BASE64_URL_PADDED, text) == 0 &&
	    seal_open((const uint8_t *)x->snapshot->shared_key.at, buf_view(&sealed), STR(""),
		      &token, NULL) == 0) {
		*ret_token = arena_copy(&x->arena, buf_view(&token));
		result = 0;
	}
	buf_done(&sealed);
	buf_done_secret(&token);
	return result;
}

/* Nothing but a web address, whoever signed it: it will stand in a header. */
static bool is_web_address(struct str text, struct url *ret_url)
{
	return url_parse(text, ret_url, NULL) == 0 && (str_equal(ret_url->scheme, STR("https")) ||
						       str_equal(ret_url->scheme, STR("http")));
}

/* Adds pomerium_jwt to the query of the program's URL; other parameters stay. */
static int add_token(struct exchange *x, const struct url *url, struct str token,
		     struct str *ret_location)
{
	struct buf location = BUF_INIT(URL_MAX);
	struct query params;
	int result = -1;

	if (query_parse(url->query, &x->arena, &params, NULL) < 0 ||
	    params.count >= QUERY_PARAMS_MAX)
		return -1;
	query_remove(&params, STR("pomerium_jwt"));
	query_add(&params, STR("pomerium_jwt"), token);
	if (buf_printf(&location, "%.*s://%.*s%.*s?", STR_FMT(url->scheme),
		       STR_FMT(url->authority.text), STR_FMT(url->path)) == 0 &&
	    query_format_canonical(&params, &location) == 0) {
		*ret_location = arena_copy(&x->arena, buf_view(&location));
		result = 0;
	}
	buf_done_secret(&location);
	return result;
}

static bool is_programmatic(const struct query *query)
{
	struct str value;

	return query_get(query, STR("pomerium_programmatic"), &value) &&
	       str_equal(value, STR("true"));
}

enum step endpoint_callback(struct exchange *x)
{
	struct reply reply = { .status = 302 };
	struct err e = { 0 };
	struct query query;
	struct url url;
	struct str location;
	struct str token;

	if (verify_request_url(x, &query, &e) < 0)
		return respond_error(
			x, 400,
			arena_printf(&x->arena,
				     "This link is not valid: %s. Start the login again.", e.text));
	if (!query_get(&query, STR("pomerium_redirect_uri"), &location) ||
	    open_token(x, &query, &token) < 0)
		return respond_error(x, 400,
				     STR("This link is not complete. Start the login again."));
	if (!is_web_address(location, &url) ||
	    (is_programmatic(&query) && add_token(x, &url, token, &location) < 0))
		return respond_error(x, 400,
				     STR("This link leads to an address that is not valid."));

	reply_header(&reply, STR("set-cookie"), login_cookie(x, LOGIN_COOKIE_SESSION, token));
	reply_header(&reply, STR("referrer-policy"), STR("no-referrer"));
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}
