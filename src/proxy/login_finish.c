#include "proxy/login_finish.h"

#include "base/log.h"
#include "proxy/ask.h"
#include "proxy/login_cookies.h"
#include "proxy/respond.h"
#include "proxy/session_issue.h"
#include "proxy/worker.h"

void login_log(const struct exchange *x, struct str email, const char *problem)
{
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, LOG_INFO, "authenticate");
	log_cstr(&line, "request-id", x->request_id);
	log_str(&line, "email", email);
	log_cstr(&line, "ip", ip);
	if (problem)
		log_cstr(&line, "error", problem);
	log_end(&line, problem ? "login refused" : "logged in");
}

static enum step refuse(struct exchange *x, const struct store_call *call)
{
	struct err e = call->error;

	if (call->result == STORE_FULL)
		(void)err_set(&e, ERR_LIMIT, "there are too many sessions");
	log_error(x->worker->shared.log, LOG_ERROR, "authenticate", "session not stored", &e);
	return respond_refusal(x, call->result == STORE_FULL ? REFUSAL_OVERLOADED
							     : REFUSAL_STORE_AWAY);
}

static enum step on_stored(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct login_end *end = s->extra;
	struct session *session = s->call.item.session;
	struct reply reply = { .status = 303 };
	struct str token;

	if (s->call.result != STORE_DONE)
		return refuse(x, &s->call);
	if (session_issue_token(x, session, STR(""), STR(""), &token) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	login_log(x, session->who->email, NULL);
	reply_header(&reply, STR("set-cookie"), login_cookie(x, LOGIN_COOKIE_AUTHENTICATE, token));
	reply_header(&reply, STR("set-cookie"), end->cleared);
	reply_redirect(&reply, end->next);
	return reply_send(x, &reply);
}

enum step login_finish(struct exchange *x, const struct login_end *end)
{
	struct store_ask *s = store_ask_new(on_stored);
	struct login_end *kept = arena_alloc(&x->arena, sizeof(*kept));

	*kept = *end;
	s->extra = kept;
	s->call.verb = STORE_PUT;
	s->call.kind = RECORD_SESSION;
	s->call.item.session = session_ref(end->session);
	s->call.item.secrets = end->secrets;
	return store_ask_start(s, x);
}
