/*
 * token_check.c - one claim after the other, none of them repeated in an error: a token may hold anything
 */

#include "identity/token_check.h"

#include "identity/json_input.h"

static int check_issuer(const json_t *payload, struct str issuer, struct err *e)
{
	const json_t *value = json_object_get(payload, "iss");

	if (!json_is_string(value))
		return err_set(e, ERR_PROTOCOL, "the token names no issuer");
	if (!str_equal(json_input_view(value), issuer))
		return err_set(e, ERR_PROTOCOL, "the token is from another issuer");
	return 0;
}

static bool is_audience(const json_t *value, const struct token_rules *rules)
{
	for (size_t i = 0; i < rules->audience_count; i++) {
		if (str_equal(json_input_view(value), rules->audiences[i]))
			return true;
	}
	return false;
}

static int check_audience_list(const json_t *list, const struct token_rules *rules, struct err *e)
{
	bool is_found = false;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		if (!json_is_string(value))
			return err_set(e, ERR_PROTOCOL, "the audience of the token is not text");
		is_found |= is_audience(value, rules);
	}
	if (!is_found)
		return err_set(e, ERR_PROTOCOL, "the token is for another audience");
	return 0;
}

static int check_audience(const json_t *payload, const struct token_rules *rules, struct err *e)
{
	const json_t *value = json_object_get(payload, "aud");

	if (json_is_array(value))
		return check_audience_list(value, rules, e);
	if (!json_is_string(value))
		return err_set(e, ERR_PROTOCOL, "the token names no audience");
	if (!is_audience(value, rules))
		return err_set(e, ERR_PROTOCOL, "the token is for another audience");
	return 0;
}

/* 0 if it may be missing and is. */
static int read_time(const json_t *payload, const char *name, bool is_required, int64_t *ret,
		     struct err *e)
{
	const json_t *value = json_object_get(payload, name);

	*ret = 0;
	if (!value && !is_required)
		return 0;
	if (!value)
		return err_set(e, ERR_PROTOCOL, "the token has no \"%s\"", name);
	if (!json_input_seconds(value, ret))
		return err_set(e, ERR_PROTOCOL, "the \"%s\" of the token is not a time", name);
	return 0;
}

static int check_times(const json_t *payload, const struct token_rules *rules, int64_t *ret_expires,
		       struct err *e)
{
	int64_t expires;
	int64_t not_before;
	int64_t issued;

	if (read_time(payload, "exp", true, &expires, e) ||
	    read_time(payload, "nbf", false, &not_before, e) ||
	    read_time(payload, "iat", rules->needs_iat, &issued, e))
		return -1;
	if (expires <= rules->now_unix - rules->leeway_s)
		return err_set(e, ERR_PROTOCOL, "the token has expired");
	if (not_before > rules->now_unix + rules->leeway_s)
		return err_set(e, ERR_PROTOCOL, "the token is not valid yet");
	if (issued > rules->now_unix + rules->leeway_s)
		return err_set(e, ERR_PROTOCOL, "the token was issued in the future");
	*ret_expires = expires;
	return 0;
}

int token_check(const json_t *payload, const struct token_rules *rules, int64_t *ret_expires_unix,
		struct err *e)
{
	int64_t expires;

	if (check_issuer(payload, rules->issuer, e) || check_audience(payload, rules, e) ||
	    check_times(payload, rules, &expires, e))
		return -1;
	if (!json_input_text(payload, "sub").len)
		return err_set(e, ERR_PROTOCOL, "the token names no subject");
	*ret_expires_unix = expires;
	return 0;
}
