#include "http/tunnel_path.h"

#include "base/codec.h"
#include "base/url.h"

/* "host/port", as the path has it: the last slash may be left out. */
static bool split_path(struct str path, struct str prefix, struct str *ret_host,
		       struct str *ret_port)
{
	struct str rest = str_from_pos(path, prefix.len);
	size_t slash = str_find(rest, '/');
	struct str port = str_from_pos(rest, slash + 1);

	if (!str_starts_with(path, prefix) || slash == rest.len)
		return false;
	if (str_ends_with(port, STR("/")))
		port.len--;
	*ret_host = str_first(rest, slash);
	*ret_port = port;
	return true;
}

bool tunnel_path_read(struct str path, struct str prefix, struct arena *arena,
		      struct str *ret_authority)
{
	_cleanup_(buf_done) struct buf host = BUF_INIT(HOST_NAME_MAX_LEN);
	struct authority authority;
	struct str escaped;
	struct str port;
	struct str text;
	bool has_colon;

	if (!split_path(path, prefix, &escaped, &port) || query_unescape(&host, escaped) < 0 ||
	    !str_is_printable_ascii(buf_view(&host)))
		return false;
	has_colon = str_find(buf_view(&host), ':') < host.len;
	text = arena_printf(arena, has_colon ? "[%.*s]:%.*s" : "%.*s:%.*s",
			    STR_FMT(buf_view(&host)), STR_FMT(port));
	if (authority_parse_connect(text, &authority, NULL) < 0)
		return false;
	*ret_authority = text;
	return true;
}

bool tunnel_path_write(struct buf *out, struct str prefix, struct str authority)
{
	struct authority parts;

	if (authority_parse_connect(authority, &parts, NULL) < 0)
		return false;
	(void)buf_append_str(out, prefix); /* overflow is looked at once */
	(void)buf_append_str(out, parts.host);
	(void)buf_printf(out, "/%u/", (unsigned)parts.port);
	return !out->is_overflown;
}
