#include "http/h2_head.h"

#include "http/h1_parse.h"
#include "http/http_chars.h"
#include "http/tunnel_path.h"
#include "http/websocket.h"

void h2_head_init(struct h2_head *h)
{
	*h = (struct h2_head){
		.method = BUF_INIT(H2_PSEUDO_MAX),
		.authority = BUF_INIT(H2_PSEUDO_MAX),
		.path = BUF_INIT(HTTP_HEAD_MAX),
		.protocol = BUF_INIT(H2_PSEUDO_MAX),
		.status = BUF_INIT(H2_PSEUDO_MAX),
		.target = BUF_INIT(HTTP_HEAD_MAX),
		.fields = BUF_INIT(HTTP_HEAD_MAX),
		.cookie = BUF_INIT(HTTP_HEAD_MAX),
		.text = BUF_INIT(2 * HTTP_HEAD_MAX),
	};
}

void h2_head_done(struct h2_head *h)
{
	buf_done(&h->method);
	buf_done(&h->authority);
	buf_done_secret(&h->path);
	buf_done(&h->protocol);
	buf_done(&h->status);
	buf_done_secret(&h->target);
	buf_done_secret(&h->fields);
	buf_done_secret(&h->cookie);
	buf_done_secret(&h->text);
	arena_done(&h->arena);
}

static struct buf *pseudo_of(struct h2_head *h, struct str name)
{
	const struct {
		struct str name;
		struct buf *to;
	} rows[] = {
		{ STR(":method"), &h->method },     { STR(":authority"), &h->authority },
		{ STR(":path"), &h->path },         { STR(":status"), &h->status },
		{ STR(":protocol"), &h->protocol },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_equal(name, rows[i].name))
			return rows[i].to;
	return NULL;
}

/* The one thing a head of text must not swallow; the rest is for the parser. */
static bool is_clean(struct str s)
{
	return http_is_text(s);
}

static void add_cookie(struct h2_head *h, struct str value)
{
	if (h->cookie.len > 0)
		(void)buf_append_str(&h->cookie, STR("; "));
	if (buf_append_str(&h->cookie, value) < 0)
		h->is_too_large = true;
}

/* It may repeat :authority (RFC 9113 section 8.3.1), and no more. */
static void add_host(struct h2_head *h, struct str value)
{
	if (h->authority.len == 0)
		(void)buf_append_str(&h->authority, value); /* seen as a bad target if cut */
	else if (!str_equal_nocase(buf_view(&h->authority), value))
		h->is_bad = true;
}

static void add_field(struct h2_head *h, struct str name, struct str value)
{
	if (str_equal(name, STR("cookie"))) {
		add_cookie(h, value);
		return;
	}
	if (str_equal(name, STR("host"))) {
		add_host(h, value);
		return;
	}
	(void)buf_append_str(&h->fields, name); /* looked at once, at the end */
	(void)buf_append_str(&h->fields, STR(": "));
	(void)buf_append_str(&h->fields, value);
	if (buf_append_str(&h->fields, STR("\r\n")) < 0 || h->fields.is_overflown)
		h->is_too_large = true;
}

void h2_head_add(struct h2_head *h, struct str name, struct str value)
{
	struct buf *pseudo;

	h->seen += name.len + value.len;
	h->count++;
	if (h->seen > HTTP_HEAD_MAX || h->count > HTTP_HEADERS_MAX)
		h->is_too_large = true;
	if (h->is_too_large)
		return;
	if (!is_clean(value)) {
		h->is_bad = true;
		return;
	}
	if (!str_starts_with(name, STR(":"))) {
		add_field(h, name, value);
		return;
	}
	pseudo = pseudo_of(h, name);
	if (pseudo && buf_append_str(pseudo, value) < 0)
		h->is_too_large = true;
}

static void append_fields(struct h2_head *h)
{
	(void)buf_append_str(&h->text, buf_view(&h->fields));
	if (h->cookie.len > 0) {
		(void)buf_append_str(&h->text, STR("cookie: "));
		(void)buf_append_str(&h->text, buf_view(&h->cookie));
		(void)buf_append_str(&h->text, STR("\r\n"));
	}
	(void)buf_append_str(&h->text, STR("\r\n"));
}

/*
 * Extended CONNECT (RFC 8441) for TCP: the destination is in the path, as RFC 9298 does it for UDP, or, where there is
 * no such path and no WebSocket either, the authority, as without an extension. 0, or the status of the refusal.
 */
static int append_extended_target(struct h2_head *h, struct err *e)
{
	struct str path = buf_view(&h->path);
	struct str target = buf_view(&h->authority);
	bool has_path = str_starts_with(path, STR(TUNNEL_PATH_TCP));

	h->is_websocket = str_equal(buf_view(&h->protocol), STR("websocket"));
	if (h->is_websocket ? !has_path : !str_equal(buf_view(&h->protocol), STR("connect-tcp"))) {
		(void)err_set(e, ERR_PROTOCOL, "an extended CONNECT that is none for TCP");
		return 501;
	}
	if (has_path && !tunnel_path_read(path, STR(TUNNEL_PATH_TCP), &h->arena, &target)) {
		(void)err_set(e, ERR_PROTOCOL, "a path that names no destination");
		return 400;
	}
	(void)buf_append_str(&h->target, target); /* fits: it is shorter than where it is from */
	return 0;
}

static int append_target(struct h2_head *h, struct err *e)
{
	bool is_connect = str_equal(buf_view(&h->method), STR("CONNECT"));

	if (is_connect && h->protocol.len > 0)
		return append_extended_target(h, e);
	/* fits: no longer than where it is from */
	(void)buf_append_str(&h->target, buf_view(is_connect ? &h->authority : &h->path));
	return 0;
}

static struct str host_of(const struct h2_head *h)
{
	return h->protocol.len > 0 ? buf_view(&h->target) : buf_view(&h->authority);
}

int h2_head_request(struct h2_head *h, struct http_request *ret, struct err *e)
{
	int status;

	if (h->is_too_large) {
		(void)err_set(e, ERR_LIMIT, "the head is larger than %u bytes or %d headers",
			      HTTP_HEAD_MAX, HTTP_HEADERS_MAX);
		return 431;
	}
	if (h->is_bad) {
		(void)err_set(e, ERR_PROTOCOL, "a header field that cannot be");
		return 400;
	}
	status = append_target(h, e);
	if (status != 0)
		return status;
	(void)buf_append_str(&h->text, buf_view(&h->method)); /* looked at once, at the end */
	(void)buf_append_str(&h->text, STR(" "));
	(void)buf_append_str(&h->text, buf_view(&h->target));
	(void)buf_append_str(&h->text, STR(" HTTP/1.1\r\nhost: "));
	(void)buf_append_str(&h->text, host_of(h));
	(void)buf_append_str(&h->text, STR("\r\n"));
	append_fields(h);
	if (h->text.is_overflown)
		return err_set(e, ERR_LIMIT, "the head is too large"), 431;
	if (h1_parse_request(buf_view(&h->text), &h->arena, ret, e) < 0)
		return 400;
	ret->is_websocket = h->is_websocket;
	return ret->is_websocket ? websocket_check(ret, e) : 0;
}

int h2_head_response(struct h2_head *h, int *ret_status, struct http_headers *ret, struct err *e)
{
	struct h1_response_head head;

	if (h->is_too_large || h->is_bad || h->status.len != 3)
		return err_set(e, ERR_PROTOCOL, "the head of the answer cannot be used");
	(void)buf_append_str(&h->text, STR("HTTP/1.1 ")); /* looked at once, at the end */
	(void)buf_append_str(&h->text, buf_view(&h->status));
	(void)buf_append_str(&h->text, STR(" \r\n"));
	append_fields(h);
	if (h->text.is_overflown)
		return err_set(e, ERR_LIMIT, "the head of the answer is too large");
	if (h1_parse_response(buf_view(&h->text), &h->arena, &head, e) < 0)
		return -1;
	*ret_status = head.status;
	*ret = head.headers;
	return 0;
}
