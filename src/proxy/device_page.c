/*
 * /.pomerium/device on the login host (RFC 8628 section 3.3): a person says yes or no to a machine that shows a code.
 *
 * Whoever comes has to be logged in, with the provider that the machine's host needs, and keeps his code on the way through
 * the login. A link with the code in it fills it in, and no more: yes is said with a form of ours. A code that is not known
 * counts as a guess, of the session and of the address.
 */

#include "base/clock.h"
#include "base/log.h"
#include "base/url.h"
#include "proxy/ask.h"
#include "proxy/authenticate.h"
#include "proxy/csrf.h"
#include "proxy/device_guard.h"
#include "proxy/endpoints.h"
#include "proxy/form.h"
#include "proxy/idp.h"
#include "proxy/login_cookies.h"
#include "proxy/pages/page.h"
#include "proxy/pages/pages.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/device_login.h"
#include "session/store.h"

/* What the request is about; in its arena. */
struct visit {
	char user_code[DEVICE_USER_CODE_LEN + 1];
	enum device_state answer; /* DEVICE_PENDING: none was given, it is to be asked for */
};

/* ---- pages ---- */

static enum step show_code_page(struct exchange *x, int status,
				const struct device_code_page *facts, unsigned wait_s)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = status };

	device_code_page_write(&page, facts);
	if (wait_s > 0)
		reply_header(&reply, STR("retry-after"), arena_printf(&x->arena, "%u", wait_s));
	reply_form_page(x, &reply, &page);
	return reply_send(x, &reply);
}

static enum step show_unknown(struct exchange *x, struct str typed)
{
	return show_code_page(
		x, 400,
		&(struct device_code_page){
			.user_code = typed,
			.problem = STR(
				"This code is not known. Look whether it is typed right; if it "
				"is, it was used already, or is older than ten minutes: let the "
				"other machine ask for a new one."),
		},
		0);
}

static enum step show_too_many(struct exchange *x, unsigned wait_s)
{
	return show_code_page(x, 429,
			      &(struct device_code_page){
				      .problem = arena_printf(
					      &x->arena,
					      "Too many codes were wrong. Please wait %u minute%s "
					      "and try again.",
					      (wait_s + 59) / 60, wait_s > 60 ? "s" : ""),
			      },
			      wait_s);
}

static enum step show_question(struct exchange *x, const struct device_login *login)
{
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };
	struct str csrf = csrf_token(x);

	device_question_page_write(&page, &(struct device_question_page){
						  .email = x->login_session->who->email,
						  .csrf = csrf,
						  .user_code = str_from(login->user_code),
						  .client_name = login->client_name,
						  .client_address = login->client_address,
						  .asked_unix = login->created_unix,
						  .now_unix = clock_now_unix(),
					  });
	reply_header(&reply, STR("set-cookie"), csrf_cookie(x, csrf));
	reply_form_page(x, &reply, &page);
	return reply_send(x, &reply);
}

/* user_code: "" or a good one. */
static enum step send_to_login(struct exchange *x, const char *user_code, const struct idp *idp)
{
	struct str here = x->facts.authority;
	struct query params = { 0 };
	struct str location;

	query_add(&params, STR("pomerium_idp_id"), str_from(idp->id));
	query_add(&params, STR("pomerium_redirect_uri"),
		  arena_printf(&x->arena, "https://%.*s/.pomerium/device%s%s", STR_FMT(here),
			       *user_code ? "?user_code=" : "", user_code));
	if (sign_url(x, here, STR("/.pomerium/sign_in"), &params, &location) < 0)
		return respond_refusal(x, REFUSAL_INTERNAL);
	return respond_redirect(x, 303, location);
}

/* ---- the answer ---- */

static void log_answer(const struct exchange *x, const struct device_login *login)
{
	struct log_line line;
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, LOG_INFO, "authenticate");
	log_cstr(&line, "request-id", x->request_id);
	log_str(&line, "email", x->login_session->who->email);
	log_cstr(&line, "ip", ip);
	log_str(&line, "client-name", login->client_name);
	log_str(&line, "client-ip", login->client_address);
	log_end(&line, login->state == DEVICE_APPROVED ? "login of a machine approved"
						       : "login of a machine refused");
}

static enum step on_answer_kept(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct device_login *login = s->call.item.device;
	struct buf page = BUF_INIT(PAGE_MAX);
	struct reply reply = { .status = 200 };

	switch (s->call.result) {
	case STORE_DONE:
		break;
	case STORE_ABSENT:
	case STORE_CONFLICT: /* answered meanwhile, in another window for instance */
		return show_unknown(x, str_from(login->user_code));
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		return respond_refusal(x, REFUSAL_STORE_AWAY);
	}
	log_answer(x, login);
	device_done_page_write(&page, login->state == DEVICE_APPROVED);
	reply_page(x, &reply, &page);
	return reply_send(x, &reply);
}

static enum step keep_answer(struct exchange *x, const struct device_login *login,
			     enum device_state answer)
{
	struct store_ask *s = store_ask_new(on_answer_kept);
	struct device_login facts = *login;

	facts.state = answer;
	if (answer == DEVICE_APPROVED)
		memcpy(facts.session_id, x->login_session->id, sizeof(facts.session_id));
	s->call.verb = STORE_PUT;
	s->call.kind = RECORD_DEVICE_LOGIN;
	s->call.expected_version = login->record_version;
	s->call.item.device = device_login_new(&facts);
	return store_ask_start(s, x);
}

/* ---- from the code to the login that it stands for ---- */

/* The one that waits for an answer; NULL if there is none, or if chance gave two machines one code. */
static const struct device_login *find_pending(const struct store_call *call)
{
	const struct device_login *found = NULL;

	for (size_t i = 0; i < call->found_count; i++) {
		const struct device_login *login = call->found[i].device;

		if (login->state != DEVICE_PENDING || clock_now_unix() >= login->expires_unix)
			continue;
		if (found)
			return NULL;
		found = login;
	}
	return found;
}

static enum step on_listed(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct visit *visit = s->extra;
	const struct device_login *login;
	const struct idp *idp;

	if (s->call.result != STORE_DONE)
		return respond_refusal(x, REFUSAL_STORE_AWAY);
	login = find_pending(&s->call);
	if (!login)
		return show_unknown(x, str_from(visit->user_code));
	device_guard_guess_is_right(x->worker->shared.device_guard, str_from(x->login_session->id),
				    &x->peer);
	idp = authority_idp(x, login->authority);
	if (!str_equal(x->login_session->idp_id, str_from(idp->id)))
		return send_to_login(x, visit->user_code, idp);
	if (visit->answer == DEVICE_PENDING)
		return show_question(x, login);
	return keep_answer(x, login, visit->answer);
}

static enum step look_up(struct exchange *x, struct visit *visit)
{
	unsigned wait_s = device_guard_begin_guess(x->worker->shared.device_guard,
						   str_from(x->login_session->id), &x->peer,
						   clock_now_ms());
	struct store_ask *s;

	if (wait_s > 0)
		return show_too_many(x, wait_s);
	s = store_ask_new(on_listed);
	s->extra = visit;
	s->call.verb = STORE_LIST;
	s->call.kind = RECORD_DEVICE_LOGIN;
	memcpy(s->call.owner, visit->user_code, sizeof(visit->user_code));
	return store_ask_start(s, x);
}

/* ---- the request ---- */

/* A machine that shows a code is for people: no service account may lend itself to it. */
static bool is_logged_in(const struct exchange *x)
{
	return x->login_session && x->login_session->kind == SESSION_LOGIN;
}

static bool read_answer(const struct query *form, enum device_state *ret)
{
	struct str answer = { 0 };

	(void)query_get(form, STR("answer"), &answer);
	if (str_equal(answer, STR("yes")))
		*ret = DEVICE_APPROVED;
	else if (str_equal(answer, STR("no")))
		*ret = DEVICE_DENIED;
	else
		return false;
	return true;
}

static enum step take_answer(struct exchange *x, struct visit *visit)
{
	struct str user_code = { 0 };
	struct str csrf = { 0 };
	struct query form;

	if (!form_read(x, &form) || !read_answer(&form, &visit->answer))
		return respond_error(x, 400, STR("This form is broken."));
	(void)query_get(&form, STR("csrf"), &csrf);
	(void)query_get(&form, STR("user_code"), &user_code);
	if (!csrf_is_right(x, csrf))
		return respond_error(
			x, 400,
			STR("This form did not come from this site, or your browser refuses cookies. "
			    "Type the code again."));
	if (!device_user_code_read(user_code, visit->user_code))
		return show_unknown(x, user_code);
	if (!is_logged_in(x)) /* not any more: to be asked again after the login */
		return send_to_login(x, visit->user_code, x->snapshot->idps.global);
	return look_up(x, visit);
}

static enum step show(struct exchange *x, struct visit *visit)
{
	struct str user_code = { 0 };
	struct query query;
	bool is_code;

	if (query_parse(x->request->query, &x->arena, &query, NULL) < 0)
		return respond_error(x, 400, STR("This link is broken. Type the code instead."));
	(void)query_get(&query, STR("user_code"), &user_code);
	is_code = device_user_code_read(user_code, visit->user_code);
	if (!is_logged_in(x))
		return send_to_login(x, visit->user_code, x->snapshot->idps.global);
	if (is_code)
		return look_up(x, visit);
	if (str_is_empty(user_code))
		return show_code_page(x, 200, &(struct device_code_page){ 0 }, 0);
	return show_unknown(x, user_code);
}

enum step endpoint_device_page(struct exchange *x)
{
	struct visit *visit = arena_alloc(&x->arena, sizeof(*visit));

	/* Who it is may only be unknown because the store is away: a login would not help. */
	if (!x->login_session && x->credential_problem &&
	    str_equal(str_from(x->credential_problem), STR(PROBLEM_UNAVAILABLE)))
		return respond_refusal(x, REFUSAL_STORE_AWAY);
	if (str_equal(x->request->method, STR("POST")))
		return take_answer(x, visit);
	return show(x, visit);
}
