/*
 * json_input.c - jansson's strict reading; nothing of the text is repeated in an error, it may hold tokens
 *
 * jansson itself bounds the nesting (2048) and refuses NUL characters. What it has read is freed, but not wiped: it has
 * no way to, the caller's arena does that for the copies that are kept.
 */

#include "identity/json_input.h"

#include <math.h>

#define SECONDS_MAX 253402300799.0 /* the end of the year 9999 */

static json_t *read_value(struct str text, size_t max, struct err *e)
{
	json_error_t why;
	json_t *value;

	if (text.len > max) {
		(void)err_set(e, ERR_LIMIT, "the answer is longer than %zu bytes", max);
		return NULL;
	}
	value = json_loadb(text.len ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &why);
	if (value)
		return value;
	if (json_error_code(&why) == json_error_duplicate_key)
		(void)err_set(e, ERR_PROTOCOL, "a name appears twice in one JSON object");
	else if (json_error_code(&why) == json_error_numeric_overflow)
		(void)err_set(e, ERR_PROTOCOL, "a number in the JSON text is too large");
	else
		(void)err_set(e, ERR_PROTOCOL, "not valid JSON (line %d, column %d)", why.line,
			      why.column);
	return NULL;
}

json_t *json_input_object(struct str text, size_t max, struct err *e)
{
	json_t *value = read_value(text, max, e);

	if (!value || json_is_object(value))
		return value;
	json_decref(value);
	(void)err_set(e, ERR_PROTOCOL, "not a JSON object");
	return NULL;
}

json_t *json_input_list(struct str text, size_t max, struct err *e)
{
	json_t *value = read_value(text, max, e);

	if (!value || json_is_array(value))
		return value;
	json_decref(value);
	(void)err_set(e, ERR_PROTOCOL, "not a JSON list");
	return NULL;
}

struct str json_input_view(const json_t *string)
{
	return str_of(json_string_value(string), json_string_length(string));
}

struct str json_input_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) ? json_input_view(value) : STR("");
}

bool json_input_seconds(const json_t *value, int64_t *ret)
{
	double seconds;

	if (!json_is_number(value))
		return false;
	seconds = json_number_value(value);
	if (!isfinite(seconds) || seconds < 0 || seconds > SECONDS_MAX)
		return false;
	*ret = (int64_t)seconds;
	return true;
}
