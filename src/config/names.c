#include "config/names.h"

#include "base/buf.h"

#define NS_PER_MS 1000000

size_t name_find(const char *const *names, size_t count, struct str text)
{
	uint64_t number;

	if (str_to_uint64(text, &number))
		return number < count && names[number] ? (size_t)number : count;
	for (size_t i = 0; i < count; i++) {
		struct str name = str_from(names[i]);

		if (names[i] && str_equal_nocase(name, text))
			return i;
		if (text.len == 0 || text.len >= name.len)
			continue;
		size_t before = name.len - text.len - 1;
		if (name.at[before] == '_' &&
		    str_equal_nocase(str_from_pos(name, before + 1), text))
			return i;
	}
	return count;
}

bool is_token(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool is_digit = c >= '0' && c <= '9';
		struct str others = STR("!#$%&'*+-.^_`|~");

		if (!is_letter && !is_digit && str_find(others, c) == others.len)
			return false;
	}
	return text.len > 0;
}

bool has_blanks(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f)
			return true;
	return false;
}

static bool is_scheme_good(const struct url *url, enum url_need need)
{
	if (str_equal_nocase(url->scheme, STR("https")))
		return true;
	if (!str_equal_nocase(url->scheme, STR("http")))
		return false;
	return need == URL_WEB || host_is_loopback(url->authority.host);
}

int url_check(struct loader *l, const struct value_path *path, const struct text_value *value,
	      enum url_need need, struct url *ret)
{
	struct err e = { 0 };
	struct url url;

	if (url_parse(value->text, &url, &e) < 0) {
		loader_value_error(l, path, value->at, "%s", e.text);
		return -1;
	}
	if (!is_scheme_good(&url, need)) {
		loader_value_error(l, path, value->at,
				   need == URL_WEB
					   ? "\"%.*s\" must begin with https:// or http://"
					   : "\"%.*s\" must begin with https:// (http:// is for "
					     "addresses of this machine)",
				   STR_FMT(value->text));
		return -1;
	}
	if (need == URL_ISSUER && (url.has_query || url.fragment.len)) {
		loader_value_error(l, path, value->at, "\"%.*s\" must have no query or fragment",
				   STR_FMT(value->text));
		return -1;
	}
	*ret = url;
	return 0;
}

enum config_bearer bearer_read(struct loader *l, const struct value_path *path,
			       const struct text_value *value)
{
	static const char *const names[] = {
		"bearer_token_format_unknown",
		"bearer_token_format_default",
		"bearer_token_format_idp_access_token",
		"bearer_token_format_idp_identity_token",
		"bearer_token_format_jwt",
	};
	static const enum config_bearer formats[] = {
		CONFIG_BEARER_DEFAULT,        CONFIG_BEARER_DEFAULT, CONFIG_BEARER_ACCESS_TOKEN,
		CONFIG_BEARER_IDENTITY_TOKEN, CONFIG_BEARER_JWT,
	};
	size_t index = name_find(names, ARRAY_LEN(names), value->text);

	if (str_is_empty(value->text))
		return CONFIG_BEARER_DEFAULT;
	if (index < ARRAY_LEN(names))
		return formats[index];
	loader_value_error(l, path, value->at,
			   "\"%.*s\" is not one of default, idp_access_token, idp_identity_token, "
			   "jwt",
			   STR_FMT(value->text));
	return CONFIG_BEARER_DEFAULT;
}

bool word_read(struct loader *l, const struct value_path *path, const struct text_value *value,
	       const struct words *words, size_t *ret)
{
	struct buf all = BUF_INIT(1000);
	size_t index = name_find(words->names, words->count, value->text);

	if (str_is_empty(value->text))
		return false;
	if (index < words->count) {
		*ret = index;
		return true;
	}
	for (size_t i = 0; i < words->count; i++)
		if (words->names[i]) /* a list that is too long is cut */
			(void)buf_printf(&all, "%s%s", all.len ? ", " : "", words->names[i]);
	loader_value_error(l, path, value->at, "\"%.*s\" is not one of %.*s", STR_FMT(value->text),
			   STR_FMT(buf_view(&all)));
	buf_done(&all);
	return false;
}

bool address_read(struct loader *l, const struct value_path *path, const struct text_value *value,
		  struct addr *ret)
{
	struct addr address;
	struct err e = { 0 };

	if (str_is_empty(value->text))
		return false;
	if (addr_parse_listen(value->text, &address, &e) < 0) {
		loader_value_error(l, path, value->at, "%s", e.text);
		return false;
	}
	if (addr_port(&address) == 0) {
		loader_value_error(l, path, value->at, "the port must not be 0");
		return false;
	}
	*ret = address;
	return true;
}

uint64_t milliseconds_read(struct loader *l, const struct value_path *path,
			   const struct duration_value *value, uint64_t otherwise)
{
	if (!value_is_set(value->at))
		return otherwise;
	if (value->ns == 0 || value->ns >= NS_PER_MS)
		return (uint64_t)(value->ns / NS_PER_MS);
	loader_value_error(l, path, value->at,
			   value->ns < 0
				   ? "must not be negative"
				   : "must be at least 1ms (a bare number counts nanoseconds)");
	return otherwise;
}

uint64_t limit_read(struct loader *l, const struct value_path *path,
		    const struct number_value *value)
{
	if (!value_is_set(value->at))
		return UINT64_MAX;
	if (value->number > 0)
		return value->number;
	loader_value_error(l, path, value->at, "must be at least 1; left out, there is no limit");
	return UINT64_MAX;
}

uint32_t number_read(struct loader *l, const struct value_path *path,
		     const struct number_value *value, uint32_t max, uint32_t otherwise)
{
	if (!value_is_set(value->at))
		return otherwise;
	if (value->number <= max)
		return (uint32_t)value->number;
	loader_value_error(l, path, value->at, "must not be more than %u", max);
	return otherwise;
}

bool reauthorization_read(struct loader *l, const struct value_path *path,
			  const struct text_value *value, bool otherwise)
{
	static const char *const names[] = { "close", "off" };
	size_t index;

	if (!word_read(l, path, value, &(struct words){ names, ARRAY_LEN(names) }, &index))
		return otherwise;
	return index == 0;
}
