/*
 * The job owns copies of everything the helper thread touches. If the client goes away meanwhile, the job is only
 * released when the thread is done with it, and the try then counts as a failure.
 */

#include "proxy/local_login.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/url.h"
#include "identity/login_guard.h"
#include "identity/password.h"
#include "io/work.h"
#include "proxy/login_cookies.h"
#include "proxy/login_finish.h"
#include "proxy/respond.h"
#include "proxy/worker.h"

struct login_job {
	struct exchange *x; /* NULL when the client has gone away */
	struct worker *worker;
	struct work *work;
	char *email;
	char *password;
	char *next;
	char *hash;
	char ip[ADDR_TEXT_MAX];
	bool is_own;     /* the hash is that of the user who is logging in */
	bool is_right;   /* written by the helper thread, read after it is done */
	bool is_settled; /* the guard knows how it ended */
};

static void settle(struct login_job *job, bool was_successful)
{
	if (job->is_settled)
		return;
	job->is_settled = true;
	login_guard_end(job->worker->shared.guard, str_from(job->email), str_from(job->ip),
			was_successful, clock_now_unix());
}

static void run_job(void *arg)
{
	struct login_job *job = arg;

	job->is_right = password_verify(str_from(job->password), str_from(job->hash));
}

static void free_job(void *arg)
{
	struct login_job *job = arg;

	settle(job, false);
	job->worker->password_jobs--;
	mem_free_secret(TAKE(job->password));
	mem_free(TAKE(job->email));
	mem_free(TAKE(job->next));
	mem_free(TAKE(job->hash));
	mem_free(job);
}

static void cancel_job(void *arg)
{
	struct login_job *job = arg;

	job->x = NULL;
	work_cancel(job->work);
}

static struct session *make_session(struct exchange *x, const struct local_user *user)
{
	int64_t now = clock_now_unix();
	int64_t end = now + x->snapshot->config->cookies.expire_s;
	struct session_facts facts = {
		.kind = SESSION_LOGIN,
		.idp_id = str_from(x->snapshot->idps.global->id),
		.who = local_user_identity(user),
		.issued_unix = now,
		.expires_unix = end,
		.valid_until_unix = end,
	};
	struct session *session;

	local_user_credential_tag(user, facts.credential_tag);
	session = session_new(&facts);
	identity_unref(facts.who);
	return session;
}

static enum step log_in(struct exchange *x, struct login_job *job, const struct local_user *user)
{
	struct session *session = make_session(x, user);
	enum step step = login_finish(x, &(struct login_end){
						 .session = session,
						 .next = arena_copy(&x->arena, str_from(job->next)),
						 .cleared = cleared_cookie(x, LOGIN_COOKIE_CSRF),
					 });

	session_unref(session);
	return step;
}

static void on_checked(void *arg)
{
	struct login_job *job = arg;
	struct exchange *x = job->x;
	const struct local_user *user = local_users_find(x->snapshot->users, str_from(job->email));
	bool is_good = job->is_right && job->is_own && user && !user->is_disabled;

	settle(job, is_good);
	if (is_good) {
		enum step step;

		x->pending = NULL;
		step = log_in(x, job, user);
		if (step != STEP_WAIT)
			exchange_resume(x, step);
		return;
	}
	login_log(x, str_from(job->email), "wrong e-mail or password");
	exchange_resume(
		x,
		local_login_show_form(
			x, 401,
			&(struct login_form){
				.email = arena_copy(&x->arena, str_from(job->email)),
				.next = arena_copy(&x->arena, str_from(job->next)),
				.problem = STR("This e-mail and password do not belong together."),
			}));
}

static enum step start_job(struct exchange *x, const struct login_form *form, const char *ip)
{
	struct login_job *job = mem_alloc(sizeof(*job));

	job->x = x;
	job->worker = x->worker;
	job->email = str_copy(form->email);
	job->password = str_copy(form->password);
	job->next = str_copy(form->next);
	job->hash = str_copy(
		local_users_hash_to_check(x->snapshot->users, form->email, &job->is_own));
	memcpy(job->ip, ip, sizeof(job->ip));
	x->worker->password_jobs++;
	x->cancel_pending = cancel_job;
	x->pending = job;
	job->work = work_start(x->worker->loop, run_job, on_checked, free_job, job);
	return STEP_WAIT;
}

enum step local_login_begin(struct exchange *x, struct str next)
{
	struct buf location = BUF_INIT(URL_MAX);
	struct reply reply = { .status = 302 };
	int result;

	(void)buf_append_str(&location, STR("/.pomerium/local/sign_in?next="));
	result = query_escape(&location, next);
	if (result == 0)
		reply_redirect(&reply, arena_copy(&x->arena, buf_view(&location)));
	buf_done(&location);
	if (result < 0)
		return respond_error(x, 400, STR("This link is too long."));
	reply_header(&reply, STR("set-cookie"), cleared_cookie(x, LOGIN_COOKIE_AUTHENTICATE));
	return reply_send(x, &reply);
}

enum step local_login_check_password(struct exchange *x, const struct login_form *form)
{
	struct login_form again = *form;
	char ip[ADDR_TEXT_MAX];
	unsigned wait_s;

	addr_format_ip(&x->peer, ip);
	/* With a NUL byte inside, the guard would be asked about another address than it is told about. */
	if (str_is_empty(form->email) || str_is_empty(form->password) ||
	    form->password.len > PASSWORD_MAX || form->email.len > 254 ||
	    str_find(form->email, '\0') < form->email.len) {
		again.problem = STR("Please fill in your e-mail and your password.");
		return local_login_show_form(x, 400, &again);
	}
	if (x->worker->password_jobs >= WORKER_PASSWORD_JOBS_MAX)
		return respond_refusal(x, REFUSAL_OVERLOADED);
	wait_s = login_guard_begin(x->worker->shared.guard, form->email, str_from(ip),
				   clock_now_unix());
	if (wait_s > 0) {
		again.retry_after_s = wait_s;
		again.problem = arena_printf(
			&x->arena,
			"Too many tries did not succeed. Please wait %u seconds and try again.",
			wait_s);
		return local_login_show_form(x, 429, &again);
	}
	return start_job(x, form, ip);
}
