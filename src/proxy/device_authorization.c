/*
 * POST /.pomerium/api/v1/device_authorization (RFC 8628 section 3.1): a machine without a browser asks for a login. It gets a
 * device code, which it keeps and polls with, and a user code, which it shows to a person.
 */

#include "base/clock.h"
#include "base/json.h"
#include "base/url.h"
#include "proxy/ask.h"
#include "proxy/device_answer.h"
#include "proxy/device_guard.h"
#include "proxy/endpoints.h"
#include "proxy/form.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/device_login.h"
#include "session/store.h"

#define ANSWER_MAX      (4 * HOST_NAME_MAX_LEN + 1024)
#define DEVICE_CODE_MAX 64

static void add_text(struct json_writer *json, const char *key, struct str value)
{
	json_key(json, str_from(key));
	json_text(json, value);
}

static void add_number(struct json_writer *json, const char *key, int64_t value)
{
	json_key(json, str_from(key));
	json_int(json, value);
}

static enum step answer(struct exchange *x, const struct device_login *login,
			struct str device_code)
{
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct json_writer json = { .out = &text };
	struct str user_code = arena_printf(&x->arena, "%.4s-%.4s", login->user_code,
					    login->user_code + 4);
	struct str page = arena_printf(&x->arena, "https://%.*s/.pomerium/device",
				       STR_FMT(authenticate_authority(x)));

	json_object_begin(&json);
	add_text(&json, "device_code", device_code);
	add_text(&json, "user_code", user_code);
	add_text(&json, "verification_uri", page);
	add_text(&json, "verification_uri_complete",
		 arena_printf(&x->arena, "%.*s?user_code=%.*s", STR_FMT(page), STR_FMT(user_code)));
	add_number(&json, "expires_in", DEVICE_LIFE_S);
	add_number(&json, "interval", DEVICE_INTERVAL_S);
	json_object_end(&json);
	return device_answer_json(x, &text);
}

static enum step on_kept(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct str *device_code = s->extra;

	switch (s->call.result) {
	case STORE_DONE:
		return answer(x, s->call.item.device, *device_code);
	case STORE_FULL:
		return respond_refusal(x, REFUSAL_OVERLOADED);
	case STORE_ABSENT:
	case STORE_CONFLICT:
	case STORE_UNAVAILABLE:
		break;
	}
	return respond_refusal(x, REFUSAL_STORE_AWAY);
}

static struct str make_device_code(struct exchange *x)
{
	struct buf text = BUF_INIT(DEVICE_CODE_MAX);
	struct str code;

	device_code_new(&text);
	code = arena_copy(&x->arena, buf_view(&text));
	buf_done_secret(&text);
	return code;
}

static enum step keep_login(struct exchange *x, struct str client_name)
{
	struct str *device_code = arena_alloc(&x->arena, sizeof(*device_code));
	struct store_ask *s = store_ask_new(on_kept);
	int64_t now = clock_now_unix();
	char ip[ADDR_TEXT_MAX];
	struct device_login facts = {
		.state = DEVICE_PENDING,
		.client_name = str_trim(client_name),
		.authority = x->facts.authority,
		.created_unix = now,
		.expires_unix = now + DEVICE_LIFE_S,
	};

	addr_format_ip(&x->peer, ip);
	facts.client_address = str_from(ip);
	*device_code = make_device_code(x);
	device_code_hash(*device_code, facts.hash);
	device_user_code_new(facts.user_code);
	s->extra = device_code;
	s->call.verb = STORE_PUT;
	s->call.kind = RECORD_DEVICE_LOGIN;
	s->call.item.device = device_login_new(&facts);
	return store_ask_start(s, x);
}

enum step endpoint_device_authorization(struct exchange *x)
{
	struct str client_name = { 0 };
	struct query form = { 0 };
	struct authority here;
	unsigned wait_s;

	/* There may be nothing to say. What is said of scopes and clients does not matter. */
	if (!str_is_empty(x->request->body) && !form_read(x, &form))
		return device_answer_error(x, DEVICE_INVALID_REQUEST);
	if (!form_get_once(&form, STR("client_name"), &client_name))
		return device_answer_error(x, DEVICE_INVALID_REQUEST);
	/* It is kept, and was written by whoever asks. */
	if (authority_parse(x->facts.authority, false, &here, NULL) < 0 ||
	    here.host.len > HOST_NAME_MAX_LEN)
		return device_answer_error(x, DEVICE_INVALID_REQUEST);
	wait_s = device_guard_ask(x->worker->shared.device_guard, &x->peer, clock_now_ms());
	if (wait_s > 0)
		return device_answer_too_many(x, wait_s);
	return keep_login(x, client_name);
}
