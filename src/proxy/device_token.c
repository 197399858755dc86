/*
 * POST /.pomerium/api/v1/token (RFC 8628 section 3.4): the machine asks whether somebody has said yes.
 *
 * A device code is good for one answer. Whatever that is, the record is removed first, and only who removed it is told: of
 * two polls at once one gets the token.
 */

#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "base/url.h"
#include "jose/jws.h"
#include "proxy/ask.h"
#include "proxy/device_answer.h"
#include "proxy/device_guard.h"
#include "proxy/endpoints.h"
#include "proxy/form.h"
#include "proxy/respond.h"
#include "proxy/session_issue.h"
#include "proxy/worker.h"
#include "session/device_login.h"
#include "session/store.h"

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"

/* Base64url without padding. */
#define DEVICE_CODE_LEN ((DEVICE_CODE_BYTES * 4 + 2) / 3)

static enum step ask_store(struct exchange *x, enum store_verb verb, enum record_kind kind,
			   const char *key, void *extra,
			   enum step (*on_answer)(struct ask *ask, struct exchange *x))
{
	struct store_ask *s = store_ask_new(on_answer);

	s->extra = extra;
	s->call.verb = verb;
	s->call.kind = kind;
	(void)snprintf(s->call.key, sizeof(s->call.key), "%s", key); /* fits */
	return store_ask_start(s, x);
}

/* ---- the end: the code is used up ---- */

static void log_token(const struct exchange *x, const struct session *session)
{
	struct log_line line;
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, LOG_INFO, "authenticate");
	log_cstr(&line, "request-id", x->request_id);
	log_str(&line, "email", session->who->email);
	log_cstr(&line, "ip", ip);
	log_end(&line, "machine logged in");
}

static enum step answer_token(struct exchange *x, const struct session *session,
			      struct str authority)
{
	struct buf text = BUF_INIT(JWS_MAX + 256);
	struct json_writer json = { .out = &text };
	struct str token;

	if (session_is_expired(session, clock_now_unix()))
		return device_answer_error(x, DEVICE_ACCESS_DENIED);
	if (session_issue_token(x, session, authority, STR(""), &token) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	json_object_begin(&json);
	json_key(&json, STR("access_token"));
	json_text(&json, token);
	json_key(&json, STR("token_type"));
	json_text(&json, STR("Pomerium"));
	json_object_end(&json);
	log_token(x, session);
	return device_answer_json(x, &text);
}

static enum step on_session(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct str *authority = s->extra;

	switch (s->call.result) {
	case STORE_DONE:
		return answer_token(x, s->call.item.session, *authority);
	case STORE_ABSENT:
		return device_answer_error(x, DEVICE_ACCESS_DENIED);
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return respond_refusal(x, REFUSAL_STORE_AWAY);
}

/* The session of whoever said yes. */
static enum step find_session(struct exchange *x, const struct device_login *login)
{
	struct session *session = store_find(x->worker->shared.store, str_from(login->session_id));
	struct str *authority;

	if (session) {
		enum step step = answer_token(x, session, login->authority);

		session_unref(session);
		return step;
	}
	authority = arena_alloc(&x->arena, sizeof(*authority));
	*authority = arena_copy(&x->arena, login->authority);
	return ask_store(x, STORE_GET, RECORD_SESSION, login->session_id, authority, on_session);
}

static enum step finish(struct exchange *x, const struct device_login *login)
{
	/* One that cannot be read any more is gone as well. */
	if (!login || clock_now_unix() >= login->expires_unix)
		return device_answer_error(x, DEVICE_EXPIRED_TOKEN);
	switch (login->state) {
	case DEVICE_APPROVED:
		return find_session(x, login);
	case DEVICE_DENIED:
	case DEVICE_PENDING: /* never goes back to that */
		break;
	}
	return device_answer_error(x, DEVICE_ACCESS_DENIED);
}

static enum step on_removed(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);

	switch (s->call.result) {
	case STORE_DONE:
		return finish(x, s->call.item.device);
	case STORE_ABSENT: /* another poll was faster */
		return device_answer_error(x, DEVICE_EXPIRED_TOKEN);
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return respond_refusal(x, REFUSAL_STORE_AWAY);
}

/* ---- the poll ---- */

static enum step look_at(struct exchange *x, const struct device_login *login)
{
	if (login->state == DEVICE_PENDING && clock_now_unix() < login->expires_unix)
		return device_answer_error(x, DEVICE_AUTHORIZATION_PENDING);
	return ask_store(x, STORE_REMOVE, RECORD_DEVICE_LOGIN, login->hash, NULL, on_removed);
}

static enum step on_found(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);

	if (s->call.result == STORE_ABSENT)
		return device_answer_error(x, DEVICE_EXPIRED_TOKEN);
	device_guard_poll_is_known(x->worker->shared.device_guard, &x->peer);
	if (s->call.result != STORE_DONE)
		return respond_refusal(x, REFUSAL_STORE_AWAY);
	return look_at(x, s->call.item.device);
}

static bool can_be_device_code(struct str code)
{
	_cleanup_(buf_done_secret) struct buf bytes = BUF_INIT(DEVICE_CODE_BYTES);

	return code.len == DEVICE_CODE_LEN && base64_decode(&bytes, BASE64_URL, code) == 0;
}

enum step endpoint_device_token(struct exchange *x)
{
	char hash[DEVICE_HASH_LEN + 1];
	struct query form = { 0 };
	struct str grant_type;
	struct str code;

	if (!form_read(x, &form) || !form_get_once(&form, STR("grant_type"), &grant_type) ||
	    !form_get_once(&form, STR("device_code"), &code) || str_is_empty(grant_type))
		return device_answer_error(x, DEVICE_INVALID_REQUEST);
	if (!str_equal(grant_type, STR(GRANT_TYPE)))
		return device_answer_error(x, DEVICE_UNSUPPORTED_GRANT_TYPE);
	if (str_is_empty(code))
		return device_answer_error(x, DEVICE_INVALID_REQUEST);
	if (!can_be_device_code(code))
		return device_answer_error(x, DEVICE_INVALID_GRANT);
	device_code_hash(code, hash);
	if (device_guard_begin_poll(x->worker->shared.device_guard, str_from(hash), &x->peer,
				    clock_now_ms()) > 0)
		return device_answer_error(x, DEVICE_SLOW_DOWN);
	return ask_store(x, STORE_GET, RECORD_DEVICE_LOGIN, hash, NULL, on_found);
}
