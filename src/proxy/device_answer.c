#include "proxy/device_answer.h"

#include "base/json.h"
#include "proxy/respond.h"

#define ERROR_MAX 512

static const struct {
	const char *error;
	const char *description; /* for a person who reads what his program says */
	const char *reason;      /* NULL: this is no refusal */
} rows[] = {
	[DEVICE_INVALID_REQUEST] = { "invalid_request",
				     "The form is broken, or something in it is missing.",
				     "bad-request" },
	[DEVICE_UNSUPPORTED_GRANT_TYPE] = { "unsupported_grant_type",
					    "Only the grant of RFC 8628 is known here.",
					    "bad-request" },
	[DEVICE_INVALID_GRANT] = { "invalid_grant", "This is no device code.", "bad-request" },
	[DEVICE_AUTHORIZATION_PENDING] = { "authorization_pending",
					   "Nobody has answered on the page yet.", NULL },
	[DEVICE_SLOW_DOWN] = { "slow_down", "Ask less often.", NULL },
	[DEVICE_ACCESS_DENIED] = { "access_denied", "The login was refused, or has ended.",
				   "denied" },
	[DEVICE_EXPIRED_TOKEN] = { "expired_token",
				   "The device code is too old, or was used already.",
				   "session-expired" },
};

static enum step answer(struct exchange *x, struct reply *reply, struct buf *json)
{
	(void)buf_append_char(json, '\n');
	reply->body = arena_copy(&x->arena, buf_view(json));
	buf_done_secret(json);
	reply_header(reply, STR("content-type"), STR("application/json"));
	reply_header(reply, STR("cache-control"), STR("no-store"));
	reply_header(reply, STR("x-content-type-options"), STR("nosniff"));
	return reply_send(x, reply);
}

static enum step answer_error(struct exchange *x, struct reply *reply, enum device_error error)
{
	struct buf text = BUF_INIT(ERROR_MAX);
	struct json_writer json = { .out = &text };

	json_object_begin(&json);
	json_key(&json, STR("error"));
	json_text(&json, str_from(rows[error].error));
	json_key(&json, STR("error_description"));
	json_text(&json, str_from(rows[error].description));
	json_object_end(&json);
	return answer(x, reply, &text);
}

enum step device_answer_error(struct exchange *x, enum device_error error)
{
	struct reply reply = { .status = 400 };

	x->outcome.reason = rows[error].reason;
	if (rows[error].reason)
		reply_header(&reply, STR("x-pomerium-reason"), str_from(rows[error].reason));
	return answer_error(x, &reply, error);
}

enum step device_answer_too_many(struct exchange *x, unsigned wait_s)
{
	struct reply reply = { .status = 429 };

	x->outcome.reason = "overloaded";
	reply_header(&reply, STR("x-pomerium-reason"), str_from(x->outcome.reason));
	reply_header(&reply, STR("retry-after"), arena_printf(&x->arena, "%u", wait_s));
	return answer_error(x, &reply, DEVICE_SLOW_DOWN);
}

enum step device_answer_json(struct exchange *x, struct buf *json)
{
	struct reply reply = { .status = 200 };

	return answer(x, &reply, json);
}
