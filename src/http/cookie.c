#include "http/cookie.h"

#include "base/clock.h"
#include "http/http_chars.h"

/*
 * Reading is lenient about what browsers really send (other software's cookies may be anything),
 * writing is strict: a name, value or attribute that could break out of its place is refused and
 * the output stays as it was.
 */

#define CLEAR_EXPIRES_AGO_S 3600

static struct str without_quotes(struct str value)
{
	if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
		return str_first(str_from_pos(value, 1), value.len - 2);
	return value;
}

static bool find_cookie(struct str header, struct str name, struct str *ret_value)
{
	struct str pair;

	while (str_cut(&header, ';', &pair)) {
		size_t equals;

		pair = http_trim_blanks(pair);
		equals = str_find(pair, '=');
		if (equals == pair.len || !str_equal(str_first(pair, equals), name))
			continue;
		*ret_value = without_quotes(str_from_pos(pair, equals + 1));
		return true;
	}
	return false;
}

bool cookie_get(const struct http_headers *headers, struct str name, struct str *ret_value)
{
	for (size_t i = 0; i < headers->count; i++) {
		if (str_equal_nocase(headers->items[i].name, STR("cookie")) &&
		    find_cookie(headers->items[i].value, name, ret_value))
			return true;
	}
	return false;
}

/* cookie-octet of RFC 6265 section 4.1.1 */
static bool is_cookie_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (!http_is_visible_char(c) || c == '"' || c == ',' || c == ';' || c == '\\')
			return false;
	}
	return true;
}

static bool is_attribute_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (!http_is_visible_char(c) || c == ';')
			return false;
	}
	return true;
}

static bool is_writable(const struct set_cookie *cookie)
{
	return http_is_token(cookie->name) && is_cookie_value(cookie->value) &&
	       is_attribute_value(cookie->path) && is_attribute_value(cookie->domain) &&
	       is_attribute_value(cookie->same_site);
}

static void append_attribute(struct buf *out, struct str name, struct str value)
{
	if (str_is_empty(value))
		return;
	(void)buf_append_str(out, name); /* overflow is looked at once, by the caller */
	(void)buf_append_str(out, value);
}

static void append_expires(struct buf *out, int64_t expires_unix)
{
	char date[CLOCK_HTTP_DATE_MAX];

	clock_format_http_date(expires_unix, date);
	append_attribute(out, STR("; Expires="), str_from(date));
}

static int format_cookie(const struct set_cookie *cookie, bool is_clearing, struct buf *out)
{
	size_t before = out->len;

	if (!is_writable(cookie))
		return -1;
	(void)buf_append_str(out, cookie->name); /* overflow is looked at once, at the end */
	(void)buf_append_char(out, '=');
	(void)buf_append_str(out, cookie->value);
	append_attribute(out, STR("; Path="), cookie->path);
	append_attribute(out, STR("; Domain="), cookie->domain);
	if (cookie->expires_unix != 0)
		append_expires(out, cookie->expires_unix);
	if (is_clearing)
		(void)buf_append_str(out, STR("; Max-Age=0"));
	if (cookie->http_only)
		(void)buf_append_str(out, STR("; HttpOnly"));
	(void)buf_append_str(out, STR("; Secure"));
	append_attribute(out, STR("; SameSite="), cookie->same_site);
	if (!out->is_overflown)
		return 0;
	buf_truncate(out, before);
	return -1;
}

int set_cookie_format(const struct set_cookie *cookie, struct buf *out)
{
	return format_cookie(cookie, false, out);
}

int set_cookie_format_clear(const struct set_cookie *cookie, int64_t now_unix, struct buf *out)
{
	struct set_cookie cleared = *cookie;

	cleared.value = STR("");
	cleared.expires_unix = now_unix - CLEAR_EXPIRES_AGO_S;
	return format_cookie(&cleared, true, out);
}
