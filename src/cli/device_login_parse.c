/*
 * device_login_parse.c - three small objects of JSON, read strictly
 *
 * Whatever is shown to the person or asked for afterwards is checked here. Of the endpoints only the paths count: nobody is
 * asked but the gateway itself.
 */

#include "cli/device_login.h"

#include "base/mem.h"
#include "base/url.h"
#include "cli/browser_login.h"
#include "cli/credentials.h"
#include "jose/json_strict.h"

#define DEPTH_MAX          4
#define INTERVAL_S_DEFAULT 5

/* Copies a text that fits and is printable, with its NUL. */
static int get_text(const json_t *object, const char *name, char *out, size_t size)
{
	const json_t *value = json_object_get(object, name);
	struct str text = { .at = json_string_value(value), .len = json_string_length(value) };

	if (str_is_empty(text) || text.len >= size || !str_is_printable_ascii(text))
		return -1;
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
	return 0;
}

static int get_path(const json_t *object, const char *name, char *out, size_t size)
{
	char address[DEVICE_LOGIN_ADDRESS_MAX];
	struct err ignored;
	struct url url;

	if (get_text(object, name, address, sizeof(address)) < 0 ||
	    url_parse(str_from(address), &url, &ignored) < 0 || str_is_empty(url.path) ||
	    url.has_query || url.path.len >= size)
		return -1;
	memcpy(out, url.path.at, url.path.len);
	out[url.path.len] = '\0';
	return 0;
}

int device_login_read_offer(struct str json, struct device_login_offer *ret)
{
	struct err ignored;
	json_auto_t *object = json_strict_read(json, DEPTH_MAX, &ignored);
	struct device_login_offer offer;

	if (!object ||
	    get_path(object, "device_authorization_endpoint", offer.authorization_path,
		     sizeof(offer.authorization_path)) < 0 ||
	    get_path(object, "token_endpoint", offer.token_path, sizeof(offer.token_path)) < 0)
		return -1;
	*ret = offer;
	return 0;
}

static int get_address(const json_t *object, const char *name, char *out)
{
	if (get_text(object, name, out, DEVICE_LOGIN_ADDRESS_MAX) < 0 ||
	    !browser_login_is_address(str_from(out)))
		return -1;
	return 0;
}

/* At least 1; fallback if it is not there. */
static unsigned get_seconds(const json_t *object, const char *name, unsigned fallback, unsigned max)
{
	double seconds = json_number_value(json_object_get(object, name));

	if (!(seconds >= 1))
		return fallback;
	return seconds > max ? max : (unsigned)seconds;
}

int device_login_read_codes(struct str json, struct device_login_codes *ret, struct err *e)
{
	json_auto_t *object = json_strict_read(json, DEPTH_MAX, e);
	struct device_login_codes codes = { 0 };
	int rc = -1;

	if (!object)
		return -1;
	if (get_text(object, "device_code", codes.device_code, sizeof(codes.device_code)) < 0)
		err_set(e, ERR_PROTOCOL, "did not answer with a device code");
	else if (get_text(object, "user_code", codes.user_code, sizeof(codes.user_code)) < 0)
		err_set(e, ERR_PROTOCOL, "did not answer with a code to show");
	else if (get_address(object, "verification_uri", codes.address) < 0)
		err_set(e, ERR_PROTOCOL, "did not answer with an address");
	else
		rc = 0;
	if (rc == 0) {
		if (get_address(object, "verification_uri_complete", codes.complete_address) < 0)
			memcpy(codes.complete_address, codes.address, sizeof(codes.address));
		codes.expires_s = get_seconds(object, "expires_in", DEVICE_LOGIN_S_MAX,
					      DEVICE_LOGIN_S_MAX);
		codes.interval_s = get_seconds(object, "interval", INTERVAL_S_DEFAULT,
					       DEVICE_LOGIN_INTERVAL_MAX);
		*ret = codes;
	}
	mem_wipe(&codes, sizeof(codes));
	return rc;
}

/* RFC 8628 section 3.5 */
static const struct {
	const char *error;
	enum device_login_answer answer;
	const char *sentence;
} rows[] = {
	{ "authorization_pending", DEVICE_ANSWER_PENDING, NULL },
	{ "slow_down", DEVICE_ANSWER_SLOW_DOWN, NULL },
	{ "access_denied", DEVICE_ANSWER_FINAL, "the login was refused on its page" },
	{ "expired_token", DEVICE_ANSWER_FINAL,
	  "nobody has answered in time, and the code is worth nothing any more; try again" },
};

static enum device_login_answer read_error(int status, const json_t *object, struct err *e)
{
	struct str word = str_from(json_string_value(json_object_get(object, "error")));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_equal(word, str_from(rows[i].error)))
			continue;
		if (rows[i].sentence)
			err_set(e, ERR_PROTOCOL, "%s", rows[i].sentence);
		return rows[i].answer;
	}
	err_set(e, ERR_PROTOCOL, "answered with status %d", status);
	return DEVICE_ANSWER_FINAL;
}

enum device_login_answer device_login_read_answer(int status, struct str json,
						  struct buf *ret_token, struct err *e)
{
	struct err unreadable;
	json_auto_t *object = NULL;
	const json_t *value;
	struct str token;

	if (status >= 500)
		return DEVICE_ANSWER_AGAIN;
	object = json_strict_read(json, DEPTH_MAX, &unreadable);
	if (status != 200)
		return read_error(status, object, e);
	value = json_object_get(object, "access_token");
	token = (struct str){ .at = json_string_value(value), .len = json_string_length(value) };
	if (!token_is_valid(token)) {
		err_set(e, ERR_PROTOCOL, "did not answer with a token");
		return DEVICE_ANSWER_FINAL;
	}
	(void)buf_append_str(ret_token, token); /* it fits: it is a valid token */
	return DEVICE_ANSWER_TOKEN;
}
