/*
 * /.pomerium/local/sign_in (extensions.md 2): the login page of the built-in identity provider.
 *
 * GET shows the form. POST checks, in this order: the Origin, the CSRF token of the form against the one in the cookie,
 * the signature of where to go next, the guard against guessing; then the password, on a helper thread. For a user who
 * does not exist that is done as well, against a hash that does not count, and takes as long.
 */

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/url.h"
#include "http/cookie.h"
#include "jose/mac.h"
#include "proxy/endpoints.h"
#include "proxy/local_login.h"
#include "proxy/login_cookies.h"
#include "proxy/pages/page.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/signed_url.h"

/* A random part and its MAC under the cookie key: nobody else can make one, for instance in a sibling domain's cookie. */
#define CSRF_RANDOM_BYTES 16
#define CSRF_BYTES        (CSRF_RANDOM_BYTES + HMAC_SHA256_SIZE)
#define CSRF_TEXT_LEN     (CSRF_BYTES * 4 / 3)

static void add_hidden_field(struct buf *page, const char *name, struct str value)
{
	(void)buf_printf(page, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	(void)html_escape(page, value);
	(void)buf_append_str(page, STR("\">\n"));
}

static void csrf_mac(const struct exchange *x, const uint8_t *random, uint8_t mac[HMAC_SHA256_SIZE])
{
	hmac_sha256(x->snapshot->cookie_key, str_of(random, CSRF_RANDOM_BYTES), mac);
}

static bool csrf_is_genuine(const struct exchange *x, struct str token)
{
	struct buf bytes = BUF_INIT(CSRF_BYTES);
	uint8_t mac[HMAC_SHA256_SIZE];
	bool is_genuine = false;

	if (token.len == CSRF_TEXT_LEN && base64_decode(&bytes, BASE64_URL, token) == 0) {
		csrf_mac(x, bytes.data, mac);
		is_genuine = mem_equal_secret(mac, bytes.data + CSRF_RANDOM_BYTES, sizeof(mac));
	}
	buf_done(&bytes);
	return is_genuine;
}

/* The token the browser already has, or a new one. */
static struct str csrf_token(struct exchange *x)
{
	struct buf text = BUF_INIT(CSRF_TEXT_LEN);
	uint8_t bytes[CSRF_BYTES];
	struct str token;

	if (cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_CSRF), &token) &&
	    csrf_is_genuine(x, token))
		return token;
	random_bytes(bytes, CSRF_RANDOM_BYTES);
	csrf_mac(x, bytes, bytes + CSRF_RANDOM_BYTES);
	(void)base64_encode(&text, BASE64_URL, bytes, sizeof(bytes));
	token = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return token;
}

enum step local_login_show_form(struct exchange *x, int status, const struct login_form *form)
{
	struct buf page = BUF_INIT(PAGE_MAX + 2 * URL_MAX);
	struct reply reply = { .status = status };
	struct str csrf = csrf_token(x);

	page_begin(&page, STR("Log in"));
	if (!str_is_empty(form->problem)) {
		(void)buf_append_str(&page, STR("<p class=\"problem\" role=\"alert\">"));
		(void)html_escape(&page, form->problem);
		(void)buf_append_str(&page, STR("</p>\n"));
	}
	(void)buf_append_str(&page,
			     STR("<form method=\"post\" action=\"/.pomerium/local/sign_in\">\n"));
	add_hidden_field(&page, "csrf", csrf);
	add_hidden_field(&page, "next", form->next);
	(void)buf_append_str(&page, STR("<label for=\"email\">E-mail</label>\n"
					"<input id=\"email\" name=\"email\" type=\"email\" "
					"autocomplete=\"username\" required autofocus value=\""));
	(void)html_escape(&page, form->email);
	(void)buf_append_str(&page,
			     STR("\">\n<label for=\"password\">Password</label>\n"
				 "<input id=\"password\" name=\"password\" type=\"password\" "
				 "autocomplete=\"current-password\" required>\n"
				 "<button type=\"submit\">Log in</button>\n</form>\n"));
	page_end(&page, STR(""));
	reply_header(&reply, STR("set-cookie"), csrf_cookie(x, csrf));
	if (form->retry_after_s > 0)
		reply_header(&reply, STR("retry-after"),
			     arena_printf(&x->arena, "%u", form->retry_after_s));
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}

/* Only a sign-in URL with our signature, as path and query on this host. */
static bool next_is_genuine(struct exchange *x, struct str next, struct err *e)
{
	size_t path_len = str_find(next, '?');
	struct query params;

	if (!str_equal(str_first(next, path_len), STR("/.pomerium/sign_in"))) {
		(void)err_set(e, ERR_PROTOCOL, "it does not lead to the sign-in page");
		return false;
	}
	return signed_url_verify(x->snapshot->shared_key,
				 &(struct signed_url_parts){ x->facts.authority,
							     str_first(next, path_len),
							     str_from_pos(next, path_len + 1) },
				 clock_now_unix(), &x->arena, &params, e) == 0;
}

static enum step refuse_next(struct exchange *x, const struct err *e)
{
	return respond_error(x, 400,
			     arena_printf(&x->arena,
					  "This link is not valid: %s. Start the login again.",
					  e->text));
}

/*
 * A sibling domain can plant our cookie together with a token that we gave to itself, but browsers say where a form was.
 * Those that do not are left with the token.
 */
static bool comes_from_elsewhere(struct exchange *x)
{
	struct str origin;

	return http_headers_get(&x->request->headers, STR("origin"), &origin) &&
	       !str_equal_nocase(origin, arena_printf(&x->arena, "https://%.*s",
						      STR_FMT(x->facts.authority)));
}

static bool csrf_is_right(struct exchange *x, struct str csrf)
{
	struct str cookie;

	return csrf_is_genuine(x, csrf) &&
	       cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_CSRF), &cookie) &&
	       cookie.len == csrf.len && mem_equal_secret(cookie.at, csrf.at, csrf.len);
}

static enum step check_form(struct exchange *x)
{
	struct str type = { 0 };
	struct login_form form = { 0 };
	struct str csrf = { 0 };
	struct err e = { 0 };
	struct query fields;

	(void)http_headers_get(&x->request->headers, STR("content-type"), &type);
	type = str_trim(str_first(type, str_find(type, ';')));
	if (!str_equal_nocase(type, STR("application/x-www-form-urlencoded")) ||
	    query_parse(x->request->body, &x->arena, &fields, NULL) < 0)
		return respond_error(x, 400, STR("This form is broken."));
	(void)query_get(&fields, STR("csrf"), &csrf);
	(void)query_get(&fields, STR("next"), &form.next);
	(void)query_get(&fields, STR("email"), &form.email);
	(void)query_get(&fields, STR("password"), &form.password);
	form.email = str_trim(form.email);
	if (comes_from_elsewhere(x) || !csrf_is_right(x, csrf))
		return respond_error(
			x, 400,
			STR("This form did not come from this site, or your browser refuses cookies. "
			    "Start the login again."));
	if (!next_is_genuine(x, form.next, &e))
		return refuse_next(x, &e);
	return local_login_check_password(x, &form);
}

enum step endpoint_local_sign_in(struct exchange *x)
{
	struct login_form form = { 0 };
	struct err e = { 0 };
	struct query query;

	if (x->snapshot->config->idp_provider != CONFIG_IDP_LOCAL)
		return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
	if (str_equal(x->request->method, STR("POST")))
		return check_form(x);
	if (query_parse(x->request->query, &x->arena, &query, NULL) < 0 ||
	    !query_get(&query, STR("next"), &form.next))
		return respond_error(x, 400,
				     STR("This link is not complete. Start the login again."));
	if (!next_is_genuine(x, form.next, &e))
		return refuse_next(x, &e);
	return local_login_show_form(x, 200, &form);
}
