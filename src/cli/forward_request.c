#include "cli/forward_request.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/url.h"

#define HTTP_PORT 80

/* What is added to a head for a proxy, but for what is given. */
#define PROXY_GROWTH_MAX 64

/* What is added to a head is shorter than what falls away, or this much longer. */
#define HEAD_GROWTH_MAX 1024

#define TARGET_MAX (HTTP_HEAD_MAX + 8)

/* ---- the first line ---- */

/* As far as it is there; whatever else this is, the h1_server says. */
static enum forward_found look_at_target(struct str received)
{
	const struct str scheme = STR("http://");
	size_t blank = str_find(received, ' ');
	struct str begin = str_first(str_from_pos(received, blank + 1), scheme.len);

	if (str_find(str_first(received, blank), '\n') < blank)
		return FORWARD_NONE;
	if (!str_starts_with_nocase(scheme, begin))
		return FORWARD_NONE;
	return begin.len == scheme.len ? FORWARD_REQUEST : FORWARD_MORE;
}

/* ---- the new head ---- */

static bool is_framing(struct str name)
{
	return str_equal_nocase(name, STR("content-length")) ||
	       str_equal_nocase(name, STR("transfer-encoding"));
}

/* Framing stays even where Connection names it: the body goes on as it is. */
static bool is_for_server(const struct http_request *r, struct str name)
{
	static const struct str dropped[] = { STR("host"), STR("connection"), STR("keep-alive"),
					      STR("te"), STR("upgrade") };

	if (is_framing(name))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		if (str_equal_nocase(name, dropped[i]))
			return false;
	return !str_starts_with_nocase(name, STR("proxy-")) &&
	       !http_headers_has_token(&r->headers, STR("connection"), name);
}

static void write_target(const struct http_request *r, struct buf *out)
{
	size_t begin = (size_t)(r->authority.at + r->authority.len - r->target.at);
	struct str rest = str_from_pos(r->target, begin);

	if (str_is_empty(rest))
		rest = r->path;
	else if (rest.at[0] == '?')
		(void)buf_append_char(out, '/'); /* overflow is looked at once, at the end */
	(void)buf_append_str(out, rest);
}

static void write_header(struct buf *out, struct str name, struct str value)
{
	(void)buf_append_str(out, name); /* as above */
	(void)buf_append_str(out, STR(": "));
	(void)buf_append_str(out, value);
	(void)buf_append_str(out, STR("\r\n"));
}

/* The version stays the program's: the answer, which is passed on as it is, has to be one for it. */
static void write_head(const struct http_request *r, struct buf *out)
{
	(void)buf_append_str(out, r->method); /* as above */
	(void)buf_append_char(out, ' ');
	write_target(r, out);
	(void)buf_append_str(out, r->minor_version ? STR(" HTTP/1.1\r\n") : STR(" HTTP/1.0\r\n"));
	write_header(out, STR("Host"), r->authority);
	for (size_t i = 0; i < r->headers.count; i++)
		if (is_for_server(r, r->headers.items[i].name))
			write_header(out, r->headers.items[i].name, r->headers.items[i].value);
	write_header(out, STR("Via"),
		     r->minor_version ? STR("1.1 pomerium-cli") : STR("1.0 pomerium-cli"));
	write_header(out, STR("Connection"), STR("close"));
	(void)buf_append_str(out, STR("\r\n"));
}

static char *format_target(struct str text)
{
	struct buf target = BUF_INIT(TARGET_MAX);
	struct authority authority;

	(void)buf_append_str(&target, text); /* shorter than the head it is from */
	if (authority_parse(text, false, &authority, NULL) == 0 && authority.port == 0)
		(void)buf_printf(&target, ":%d", HTTP_PORT);
	return buf_take_string(&target);
}

static enum forward_found read_head(struct str head, struct arena *arena,
				    struct forward_request *ret)
{
	struct forward_request f = { .head = BUF_INIT(HTTP_HEAD_MAX + HEAD_GROWTH_MAX),
				     .head_len = head.len };
	struct http_request r;
	struct str origin;

	if (h1_parse_request(head, arena, &r, NULL) < 0 || r.is_connect ||
	    http_headers_get(&r.headers, STR("origin"), &origin) ||
	    h1_body_of_request(&f.body, &r, NULL) < 0)
		return FORWARD_NONE;
	write_head(&r, &f.head);
	if (f.head.is_overflown) {
		buf_done_secret(&f.head);
		return FORWARD_NONE;
	}
	f.target = format_target(r.authority);
	f.authority = str_copy(r.authority);
	*ret = f;
	return FORWARD_REQUEST;
}

enum forward_found forward_request_read(struct h1_scanner *scanner, struct str received,
					struct forward_request *ret)
{
	enum h1_scan scan;
	enum forward_found found;
	struct arena arena = { 0 };
	size_t head_len;

	scan = h1_scan(scanner, received, &head_len, NULL);
	if (scan == H1_SCAN_BAD || scan == H1_SCAN_TOO_LARGE)
		return FORWARD_NONE;
	found = look_at_target(received);
	if (found != FORWARD_REQUEST)
		return found;
	if (scan == H1_SCAN_MORE)
		return FORWARD_MORE;
	found = read_head(str_first(received, head_len), &arena, ret);
	arena_done(&arena);
	return found;
}

void forward_request_address_proxy(struct forward_request *f, struct str authorization)
{
	struct str head = buf_view(&f->head);
	struct str authority = str_from(f->authority);
	struct str method = str_first(head, str_find(head, ' ') + 1);
	size_t line_len = str_find(head, '\n') + 1;
	struct str target = str_from_pos(str_first(head, line_len), method.len);
	struct buf out = BUF_INIT(head.len + authority.len + authorization.len + PROXY_GROWTH_MAX);

	if (str_starts_with(target, STR("*")))
		target = str_from_pos(target, 1); /* RFC 9112 3.2.4: the last proxy writes it */
	(void)buf_append_str(&out, method);       /* made to fit */
	(void)buf_append_str(&out, STR("http://"));
	(void)buf_append_str(&out, authority);
	(void)buf_append_str(&out, target);
	if (!str_is_empty(authorization))
		write_header(&out, STR("Proxy-Authorization"), authorization);
	(void)buf_append_str(&out, str_from_pos(head, line_len));
	buf_done_secret(&f->head);
	f->head = out;
}

void forward_request_done(struct forward_request *f)
{
	mem_free(TAKE(f->authority));
	mem_free(TAKE(f->target));
	buf_done_secret(&f->head);
}
