/*
 * A revocation is done when the record is gone: every gateway on the same store hears of it then and closes the tunnels opened in
 * its name (recheck.h), here as elsewhere. Those that are open here are counted before.
 */

#include "proxy/admin_sessions.h"

#include <stdio.h>

#include "base/mem.h"
#include "proxy/admin.h"

#define ANSWER_MAX 256

static const char session_heading[] = "ID\tUSER\tEMAIL\tPROVIDER\tISSUED\tEXPIRES";
static const char account_heading[] = "ID\tUSER\tEMAIL\tGROUPS\tDESCRIPTION\tISSUED\tEXPIRES";

static bool is_wanted(const struct admin_job *job, const struct session *session)
{
	return str_is_empty(job->user) || str_equal_nocase(session->who->email, job->user) ||
	       str_equal(session->who->user_id, job->user);
}

static void write_record(struct admin_table *t, const struct session *s)
{
	const struct identity *who = s->who;

	admin_row_begin(t);
	admin_row_text(t, "id", str_from(s->id));
	admin_row_text(t, "user", who->user_id);
	admin_row_text(t, "email", who->email);
	if (s->kind == SESSION_SERVICE_ACCOUNT) {
		admin_row_list(t, "groups", who->groups, who->group_count);
		admin_row_text(t, "description", s->description);
	} else {
		admin_row_text(t, "idp_id", s->idp_id);
	}
	admin_row_time(t, "issued", s->issued_unix);
	admin_row_time(t, "expires", s->expires_unix);
	admin_row_end(t);
}

/* ---- looking ---- */

static void start_page(struct admin_job *job, admin_job_function *on_page)
{
	enum record_kind kind = job->kind;

	store_call_done(&job->call);
	job->call = (struct store_call){ .verb = STORE_LIST, .kind = kind };
	memcpy(job->call.key, job->after, sizeof(job->after));
	admin_job_store(job, on_page);
}

static void on_listed(struct admin_job *job)
{
	bool is_account = job->kind == RECORD_SERVICE_ACCOUNT;
	struct admin_table *t = &job->table;

	if (job->call.result != STORE_DONE) {
		admin_job_fail_store(job);
		return;
	}
	admin_table_init(t, job->form);
	admin_table_begin(t, is_account ? "service_accounts" : "sessions",
			  is_account ? account_heading : session_heading);
	for (size_t i = 0; i < job->call.found_count; i++)
		if (is_wanted(job, job->call.found[i].session))
			write_record(t, job->call.found[i].session);
	admin_table_end(t, job->call.has_more ? str_from(job->call.key) : STR(""));
	if (t->out.is_overflown)
		admin_job_fail(job, 500, "these records are too long to be listed");
	else
		admin_job_reply(job, 200, buf_view(&t->out));
}

void admin_sessions_list(struct admin_job *job)
{
	start_page(job, on_listed);
}

/* ---- revoking ---- */

static void answer_revoked(struct admin_job *job)
{
	char text[ANSWER_MAX];

	job->form = ADMIN_JSON;
	(void)snprintf(text, sizeof(text), "{\"revoked\":%zu,\"tunnels_closed\":%zu}\n",
		       job->removed, job->closed);
	admin_job_reply(job, 200, str_from(text));
}

static void start_count(struct admin_job *job, struct str id, admin_job_function *on_counted)
{
	(void)snprintf(job->filter.session_id, sizeof(job->filter.session_id), "%.*s", STR_FMT(id));
	job->filter.is_counted = true;
	admin_job_gather(job, on_counted);
}

static void start_removal(struct admin_job *job, admin_job_function *on_removed)
{
	enum record_kind kind = job->kind;

	store_call_done(&job->call);
	job->call = (struct store_call){ .verb = STORE_REMOVE, .kind = kind };
	memcpy(job->call.key, job->filter.session_id, sizeof(job->call.key));
	admin_job_store(job, on_removed);
}

static void log_revoked(struct admin_job *job)
{
	bool is_account = job->kind == RECORD_SERVICE_ACCOUNT;

	admin_job_log(
		job,
		is_account ? "operator revoked a service account" : "operator revoked a session",
		is_account ? "service-account-id" : "session-id", str_from(job->filter.session_id));
}

static void on_one_removed(struct admin_job *job)
{
	if (job->call.result != STORE_DONE) {
		admin_job_fail_store(job);
		return;
	}
	job->removed = 1;
	log_revoked(job);
	answer_revoked(job);
}

static void on_one_counted(struct admin_job *job)
{
	start_removal(job, on_one_removed);
}

void admin_sessions_revoke(struct admin_job *job, struct str id)
{
	start_count(job, id, on_one_counted);
}

/* ---- revoking all of a user ---- */

static void remove_next(struct admin_job *job);

static void on_next_removed(struct admin_job *job)
{
	switch (job->call.result) {
	case STORE_DONE:
		job->removed++;
		log_revoked(job);
		remove_next(job);
		return;
	case STORE_ABSENT: /* somebody was faster */
		remove_next(job);
		return;
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	admin_job_fail_store(job);
}

static void on_next_counted(struct admin_job *job)
{
	start_removal(job, on_next_removed);
}

static void on_user_page(struct admin_job *job)
{
	struct store_call *call = &job->call;

	if (call->result != STORE_DONE) {
		admin_job_fail_store(job);
		return;
	}
	/* What the page before has left is of no use any more. */
	arena_done(&job->ids);
	job->id_count = 0;
	job->next_id = 0;
	job->id = arena_alloc_array(&job->ids, call->found_count + 1, sizeof(*job->id));
	for (size_t i = 0; i < call->found_count; i++)
		if (is_wanted(job, call->found[i].session))
			job->id[job->id_count++] = arena_copy(&job->ids,
							      str_from(call->found[i].session->id));
	memcpy(job->after, call->key, sizeof(job->after));
	job->has_more = call->has_more;
	remove_next(job);
}

static void remove_next(struct admin_job *job)
{
	if (job->next_id < job->id_count)
		start_count(job, job->id[job->next_id++], on_next_counted);
	else if (job->has_more)
		start_page(job, on_user_page);
	else
		answer_revoked(job);
}

void admin_sessions_revoke_user(struct admin_job *job)
{
	start_page(job, on_user_page);
}
