#include "http/h1_write.h"

#include <assert.h>

#include "base/clock.h"
#include "http/http_chars.h"

/*
 * Responses are the program's own words, so an unclean header is a bug and asserted. Requests
 * carry what users typed and what caches hold, so there it is an error.
 */

static void append_header(struct buf *out, struct str name, struct str value)
{
	(void)buf_append_str(out, name); /* overflow is looked at once, by the caller */
	(void)buf_append_str(out, STR(": "));
	(void)buf_append_str(out, value);
	(void)buf_append_str(out, STR("\r\n"));
}

static void append_headers(struct buf *out, const struct http_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		append_header(out, headers[i].name, headers[i].value);
}

/* ---- requests ---- */

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!http_is_visible_char((unsigned char)s.at[i]))
			return false;
	}
	return s.len > 0;
}

static bool are_clean(const struct http_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!http_is_token(headers[i].name) || !http_is_text(headers[i].value))
			return false;
	}
	return true;
}

static int check_request(const struct h1_request_head *r, struct err *e)
{
	if (!http_is_token(r->method) || !is_visible(r->target) || !is_visible(r->host))
		return err_set(e, ERR_CONFIG,
			       "the request target contains a byte that is not allowed in it");
	if (!are_clean(r->headers, r->header_count))
		return err_set(e, ERR_CONFIG,
			       "a request header contains a byte that is not allowed in it");
	return 0;
}

int h1_write_request(struct buf *out, const struct h1_request_head *r, struct err *e)
{
	size_t before = out->len;

	if (check_request(r, e))
		return -1;
	(void)buf_printf(out, "%.*s ",
			 STR_FMT(r->method)); /* overflow is looked at once, at the end */
	(void)buf_append_str(out, r->target);
	(void)buf_append_str(out, STR(" HTTP/1.1\r\n"));
	append_header(out, STR("Host"), r->host);
	append_headers(out, r->headers, r->header_count);
	if (!str_is_empty(r->body))
		(void)buf_printf(out, "Content-Length: %zu\r\n", r->body.len);
	if (r->close)
		append_header(out, STR("Connection"), STR("close"));
	(void)buf_append_str(out, STR("\r\n"));
	(void)buf_append_str(out, r->body);
	if (!out->is_overflown)
		return 0;
	buf_truncate(out, before);
	return err_set(e, ERR_LIMIT, "the request is larger than %zu bytes", out->max);
}

/* ---- responses ---- */

static bool may_have_length(int status)
{
	return status >= 200 && status != 204;
}

static void append_connection(struct buf *out, const struct h1_response_form *form)
{
	if (form->close)
		append_header(out, STR("connection"), STR("close"));
	else if (form->says_keep_alive)
		append_header(out, STR("connection"), STR("keep-alive"));
}

void h1_write_response(struct buf *out, const struct http_response *response,
		       const struct h1_response_form *form)
{
	bool has_length = form->kind != H1_RESPONSE_TUNNEL && may_have_length(response->status);
	char date[CLOCK_HTTP_DATE_MAX];

	assert(response->status >= 100 && response->status <= 999);
	assert(are_clean(response->headers, response->header_count));
	clock_format_http_date(clock_now_unix(), date);
	/* overflow is looked at once, at the end */
	(void)buf_printf(out, "HTTP/1.1 %d %s\r\n", response->status,
			 http_status_text(response->status));
	append_headers(out, response->headers, response->header_count);
	append_header(out, STR("date"), str_from(date));
	if (has_length)
		(void)buf_printf(out, "content-length: %zu\r\n", response->body.len);
	if (form->kind != H1_RESPONSE_TUNNEL)
		append_connection(out, form);
	(void)buf_append_str(out, STR("\r\n"));
	if (has_length && form->kind == H1_RESPONSE_FULL && response->status != 304)
		(void)buf_append_str(out, response->body);
	assert(!out->is_overflown);
}
