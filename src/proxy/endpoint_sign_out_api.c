/*
 * POST /.pomerium/api/v1/sign_out: a program ends the session of the token it shows.
 *
 * Only of a token in a header, which no page of another site can make a browser send: so nobody is asked to confirm. The
 * accounts of services are the operator's, and end where he says so.
 */

#include "proxy/endpoints.h"
#include "proxy/respond.h"
#include "proxy/sign_out.h"

static enum step answer_done(struct exchange *x, struct str location)
{
	struct reply reply = { .status = 204 };

	reply_header(&reply, STR("cache-control"), STR("no-store"));
	return reply_send(x, &reply);
}

enum step endpoint_sign_out_api(struct exchange *x)
{
	if (!x->session || x->credential != CREDENTIAL_HEADER)
		return respond_refusal(x, REFUSAL_LOGIN_REQUIRED);
	switch (x->session->kind) {
	case SESSION_LOGIN:
		break;
	case SESSION_SERVICE_ACCOUNT:
	case SESSION_WORKLOAD:
		return respond_text(x, 409, STR("This is no login that could be ended.\n"));
	}
	return sign_out_session(x, str_from(x->session->id), answer_done);
}
