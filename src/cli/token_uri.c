/*
 * token_uri.c - what finds the object is left as it is, for the engine; what only says how to get at it is taken out
 */

#include "cli/token_uri.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/compiler.h"
#include "base/mem.h"

#define SCHEME STR("pkcs11:")

static const char *const path_names[] = { "token",  "manufacturer", "serial", "model",
					  "object", "type",         "id",     "slot-id" };

static const char *const query_names[] = { "pin-source", "pin-value", "module-path" };

enum query_name {
	PIN_SOURCE,
	PIN_VALUE,
	MODULE_PATH,
	QUERY_NAME_COUNT,
};

bool token_uri_is(const char *text)
{
	return str_starts_with_nocase(str_from(text), SCHEME);
}

static size_t find(const char *const *names, size_t count, struct str name)
{
	size_t i = 0;

	while (i < count && !str_equal(str_from(names[i]), name))
		i++;
	return i;
}

/* Finds the values of those names, each given once at most. */
static int split(struct str text, char separator, const char *const *names, size_t count,
		 struct str *ret_values, struct err *e)
{
	struct str attribute;

	while (str_cut(&text, separator, &attribute)) {
		size_t end = str_find(attribute, '=');
		size_t i = find(names, count, str_first(attribute, end));

		if (end >= attribute.len || i == count)
			return err_set(e, ERR_CONFIG,
				       "the pkcs11: URI has an attribute that is not known");
		if (ret_values[i].at)
			return err_set(e, ERR_CONFIG, "the pkcs11: URI has %s twice", names[i]);
		ret_values[i] = str_from_pos(attribute, end + 1);
		if (str_is_empty(ret_values[i]))
			return err_set(e, ERR_CONFIG, "the pkcs11: URI has an empty %s", names[i]);
	}
	return 0;
}

/* A "+" stands for itself, which it does not in a query of the web. */
static int decode(struct str value, char **ret, struct err *e)
{
	struct buf escaped = BUF_INIT(3 * TOKEN_URI_MAX);
	struct buf plain = BUF_INIT(TOKEN_URI_MAX);
	int result;

	for (size_t i = 0; i < value.len; i++)
		(void)buf_append_str(&escaped, value.at[i] == '+'
						       ? STR("%2B")
						       : str_of(value.at + i, 1)); /* it fits */
	result = query_unescape(&plain, buf_view(&escaped));
	if (result == 0)
		*ret = str_copy(buf_view(&plain));
	buf_done_secret(&escaped);
	buf_done_secret(&plain);
	if (result == 0)
		return 0;
	return err_set(e, ERR_CONFIG, "the pkcs11: URI has a broken %%-sequence");
}

/* "file:/path", "file:///path" or the path itself. RFC 7512 leaves open what else there may be. */
static int take_pin_path(char *source, char **ret, struct err *e)
{
	struct str path = str_from(source);

	if (str_starts_with(path, STR("file:")))
		path = str_from_pos(path, strlen("file:"));
	if (str_starts_with(path, STR("///")))
		path = str_from_pos(path, strlen("//"));
	if (!str_starts_with(path, STR("/")) || str_starts_with(path, STR("//")))
		return err_set(e, ERR_CONFIG,
			       "pin-source of the pkcs11: URI must be the absolute path of a file");
	*ret = str_copy(path);
	return 0;
}

static int take_values(const struct str *values, struct token_uri *uri, struct err *e)
{
	_cleanup_(mem_freep) char *source = NULL;

	if (values[PIN_SOURCE].at && values[PIN_VALUE].at)
		return err_set(e, ERR_CONFIG,
			       "the pkcs11: URI has both pin-source and pin-value; one is enough");
	if (values[MODULE_PATH].at && decode(values[MODULE_PATH], &uri->module_path, e) < 0)
		return -1;
	if (values[PIN_VALUE].at && decode(values[PIN_VALUE], &uri->pin, e) < 0)
		return -1;
	if (!values[PIN_SOURCE].at)
		return 0;
	return decode(values[PIN_SOURCE], &source, e) < 0
		       ? -1
		       : take_pin_path(source, &uri->pin_path, e);
}

int token_uri_parse(struct str text, struct token_uri *ret, struct err *e)
{
	struct str path_values[ARRAY_LEN(path_names)] = { 0 };
	struct str query_values[QUERY_NAME_COUNT] = { 0 };
	struct token_uri uri = { 0 };
	size_t question = str_find(text, '?');
	struct str object = str_first(text, question);
	struct str path = str_from_pos(object, SCHEME.len);
	struct str query = str_from_pos(text, question + 1);

	if (text.len > TOKEN_URI_MAX)
		return err_set(e, ERR_LIMIT, "the pkcs11: URI is longer than %d bytes",
			       TOKEN_URI_MAX);
	if (str_is_empty(path))
		return err_set(e, ERR_CONFIG,
			       "the pkcs11: URI names nothing: it needs at least "
			       "token=... or object=...");
	if (split(path, ';', path_names, ARRAY_LEN(path_names), path_values, e) < 0 ||
	    (question < text.len &&
	     split(query, '&', query_names, QUERY_NAME_COUNT, query_values, e) < 0))
		return -1;
	if (take_values(query_values, &uri, e) < 0) {
		token_uri_done(&uri);
		return -1;
	}
	uri.object = str_copy(object);
	*ret = uri;
	return 0;
}

void token_uri_done(struct token_uri *uri)
{
	mem_free(TAKE(uri->object));
	mem_free(TAKE(uri->module_path));
	mem_free_secret(TAKE(uri->pin));
	mem_free(TAKE(uri->pin_path));
}
