#include "config/names.h"

size_t name_find(const char *const *names, size_t count, struct str text)
{
	for (size_t i = 0; i < count; i++) {
		struct str name = str_from(names[i]);

		if (str_equal_nocase(name, text))
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
