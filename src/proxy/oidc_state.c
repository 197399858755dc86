#include "proxy/oidc_state.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/random.h"
#include "base/url.h"
#include "http/cookie.h"
#include "identity/oidc_request.h"
#include "jose/seal.h"
#include "proxy/login_cookies.h"

#define STATE_PURPOSE  STR("oidc state")
#define STATE_MAX      (URL_MAX / 2)
#define STATE_FUTURE_S 60
#define NONCE_BYTES    32

static struct str random_text(struct exchange *x, enum base64_kind kind, size_t len)
{
	uint8_t bytes[NONCE_BYTES];
	struct buf text = BUF_INIT(2 * NONCE_BYTES);
	struct str result;

	random_bytes(bytes, len);
	(void)base64_encode(&text, kind, bytes, len);
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done_secret(&text);
	return result;
}

static struct str random_hex(struct exchange *x)
{
	uint8_t bytes[OIDC_LOGIN_ID_LEN / 2];
	struct buf text = BUF_INIT(OIDC_LOGIN_ID_LEN);
	struct str result;

	random_bytes(bytes, sizeof(bytes));
	(void)hex_encode(&text, bytes, sizeof(bytes));
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return result;
}

static int seal_text(struct exchange *x, struct str plain, struct str purpose, struct str *ret)
{
	struct buf sealed = BUF_INIT(STATE_MAX + SEAL_OVERHEAD);
	struct buf text = BUF_INIT(2 * STATE_MAX);
	int result = -1;

	if (seal_close((const uint8_t *)x->snapshot->cookie_key.at, plain, purpose, &sealed,
		       NULL) == 0 &&
	    base64_encode(&text, BASE64_URL, sealed.data, sealed.len) == 0) {
		*ret = arena_copy(&x->arena, buf_view(&text));
		result = 0;
	}
	buf_done(&sealed);
	buf_done(&text);
	return result;
}

static int open_text(struct exchange *x, struct str text, struct str purpose, struct str *ret)
{
	struct buf sealed = BUF_INIT(STATE_MAX + SEAL_OVERHEAD);
	struct buf plain = BUF_INIT(STATE_MAX);
	int result = -1;

	if (base64_decode(&sealed, BASE64_URL, text) == 0 &&
	    seal_open((const uint8_t *)x->snapshot->cookie_key.at, buf_view(&sealed), purpose,
		      &plain, NULL) == 0) {
		*ret = arena_copy(&x->arena, buf_view(&plain));
		result = 0;
	}
	buf_done(&sealed);
	buf_done_secret(&plain);
	return result;
}

static struct str cookie_purpose(struct exchange *x, struct str login_id)
{
	return arena_printf(&x->arena, "oidc login %.*s", STR_FMT(login_id));
}

int oidc_state_begin(struct exchange *x, struct oidc_state *state, struct str *ret_state,
		     struct str *ret_cookie)
{
	char verifier[PKCE_VERIFIER_LEN + 1];

	pkce_verifier_new(verifier);
	state->login_id = random_hex(x);
	state->nonce = random_text(x, BASE64_URL, NONCE_BYTES);
	state->code_verifier = arena_copy(&x->arena, str_from(verifier));
	if (seal_text(x,
		      arena_printf(&x->arena, "%.*s %" PRId64 " %.*s %.*s",
				   STR_FMT(state->login_id), clock_now_unix(),
				   STR_FMT(state->idp_id), STR_FMT(state->next)),
		      STATE_PURPOSE, ret_state) < 0)
		return -1;
	return seal_text(x,
			 arena_printf(&x->arena, "%.*s %.*s", STR_FMT(state->nonce),
				      STR_FMT(state->code_verifier)),
			 cookie_purpose(x, state->login_id), ret_cookie);
}

/* It is ours, since the seal was genuine: only its age can be wrong. */
static int check_age(struct str text, struct err *e)
{
	int64_t now = clock_now_unix();
	uint64_t issued;

	if (!str_to_uint64(text, &issued) || (int64_t)issued > now + STATE_FUTURE_S)
		return err_set(e, ERR_PROTOCOL, "it is from the future");
	if (now - (int64_t)issued > OIDC_STATE_LIFE_S)
		return err_set(e, ERR_PROTOCOL, "it took longer than five minutes");
	return 0;
}

int oidc_state_continue(struct exchange *x, struct str text, struct oidc_state *ret, struct err *e)
{
	struct oidc_state state = { 0 };
	struct str plain;
	struct str issued;
	struct str cookie;

	if (open_text(x, text, STATE_PURPOSE, &plain) < 0)
		return err_set(e, ERR_PROTOCOL, "its state is not ours");
	if (!str_cut(&plain, ' ', &state.login_id) || !str_cut(&plain, ' ', &issued) ||
	    !str_cut(&plain, ' ', &state.idp_id))
		return err_set(e, ERR_PROTOCOL, "its state is not complete");
	state.next = plain;
	if (check_age(issued, e) < 0)
		return -1;
	if (!cookie_get(&x->request->headers, pkce_cookie_name(x, state.login_id), &cookie) ||
	    open_text(x, cookie, cookie_purpose(x, state.login_id), &plain) < 0)
		return err_set(e, ERR_PROTOCOL,
			       "it was begun in another browser, or has ended already");
	(void)str_cut(&plain, ' ', &state.nonce);
	state.code_verifier = plain;
	*ret = state;
	return 0;
}
