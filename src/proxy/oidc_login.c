#include "proxy/oidc_login.h"

#include "identity/oidc_request.h"
#include "proxy/ask.h"
#include "proxy/control.h"
#include "proxy/login_cookies.h"
#include "proxy/login_finish.h"
#include "proxy/oidc_state.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"

struct str oidc_redirect_uri(struct exchange *x)
{
	return arena_printf(&x->arena, "https://%.*s/oauth2/callback",
			    STR_FMT(authenticate_authority(x)));
}

enum step oidc_login_fail(struct exchange *x, bool is_temporary, const struct err *e)
{
	login_log(x, STR(""), e->text);
	if (is_temporary)
		return respond_error(
			x, 503,
			STR("The identity provider cannot complete a login at the moment. Please try again in a "
			    "few minutes."));
	return respond_error(
		x, 401,
		STR("The identity provider did not confirm who you are. Start the login again; if this "
		    "happens every time, tell the operator the request number below."));
}

static enum step send_away(struct exchange *x, const struct idp *idp,
			   const struct oidc_metadata *metadata, struct str next)
{
	struct oidc_state state = { .idp_id = str_from(idp->id), .next = next };
	struct oidc_login login = { .redirect_uri = oidc_redirect_uri(x) };
	struct reply reply = { .status = 302 };
	struct err e = { 0 };
	struct str cookie;
	struct str location;

	if (oidc_state_begin(x, &state, &login.state, &cookie) < 0)
		return respond_error(x, 400, STR("This link is too long."));
	login.nonce = state.nonce;
	login.code_verifier = state.code_verifier;
	if (oidc_authorization_url(&idp->client, metadata, &login, &x->arena, &location, &e) < 0)
		return oidc_login_fail(x, false, &e);
	reply_header(&reply, STR("set-cookie"), cleared_cookie(x, LOGIN_COOKIE_AUTHENTICATE));
	reply_header(&reply, STR("set-cookie"), pkce_cookie(x, state.login_id, cookie));
	reply_redirect(&reply, location);
	return reply_send(x, &reply);
}

static enum step on_learned(struct ask *ask, struct exchange *x)
{
	struct idp_ask *i = container_of(ask, struct idp_ask, ask);
	const struct idp *idp = i->call.idp;
	struct oidc_metadata *metadata;
	enum step step;

	if (i->call.result != IDP_DONE)
		return oidc_login_fail(x, true, &i->call.error);
	metadata = idp_service_metadata(x->worker->shared.control->idps, idp);
	if (!metadata)
		return oidc_login_fail(x, true, &i->call.error);
	/* The exchange has the same snapshot, so its provider lives on. */
	step = send_away(x, idp, metadata, *(const struct str *)i->extra);
	oidc_metadata_unref(metadata);
	return step;
}

enum step oidc_login_begin(struct exchange *x, const struct idp *idp, struct str next)
{
	struct oidc_metadata *metadata = idp_service_metadata(x->worker->shared.control->idps, idp);
	struct idp_ask *i;
	struct str *kept;
	enum step step;

	if (metadata) {
		step = send_away(x, idp, metadata, next);
		oidc_metadata_unref(metadata);
		return step;
	}
	kept = arena_alloc(&x->arena, sizeof(*kept));
	*kept = next;
	i = idp_ask_new(x, idp, IDP_LEARN, on_learned);
	i->extra = kept;
	return idp_ask_start(i, x);
}
