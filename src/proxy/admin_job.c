/*
 * The store answers on its own thread and the workers on theirs; both answers come back as messages to the control's mailbox.
 * When that closes first, at the end of the process, what is under way is released where it lies.
 */

#include "proxy/admin_job.h"

#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/mailbox.h"
#include "proxy/admin.h"
#include "proxy/admin_tunnels.h"
#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define ERROR_MAX 4096

void admin_reply_error(struct local_request *request, int status, const char *sentence)
{
	struct buf text = BUF_INIT(ERROR_MAX);
	struct json_writer w = { .out = &text };

	json_object_begin(&w);
	json_key(&w, STR("error"));
	json_text(&w, str_from(sentence));
	json_object_end(&w);
	(void)buf_append_char(&text, '\n');
	local_reply(request, status, "application/json",
		    arena_copy(&request->arena, buf_view(&text)));
	buf_done(&text);
}

static void job_free(struct admin_job *job)
{
	if (job->admin) {
		list_remove(&job->in_admin);
		job->admin->job_count--;
	}
	store_call_done(&job->call);
	admin_table_done(&job->table);
	arena_done(&job->ids);
	arena_done(&job->arena);
	mem_free(job);
}

static void cancel_job(void *pending)
{
	struct admin_job *job = pending;

	job->request = NULL;
}

struct admin_job *admin_job_new(struct admin *admin, struct local_request *request)
{
	struct admin_job *job;

	if (admin->job_count >= ADMIN_JOBS_MAX) {
		admin_reply_error(request, 503, "too many questions at once, try again");
		return NULL;
	}
	job = mem_alloc(sizeof(*job));
	job->control = admin->control;
	job->admin = admin;
	list_append(&admin->jobs, &job->in_admin);
	admin->job_count++;
	job->request = request;
	job->peer_uid = request->peer_uid;
	request->pending = job;
	request->cancel_pending = cancel_job;
	return job;
}

/* ---- the store ---- */

static void deliver_stored(struct mailbox_message *message)
{
	struct admin_job *job = container_of(message, struct admin_job, message);

	job->on_stored(job);
}

static void discard_job(struct mailbox_message *message)
{
	job_free(container_of(message, struct admin_job, message));
}

static void on_stored(struct store_call *call)
{
	struct admin_job *job = container_of(call, struct admin_job, call);

	job->message.deliver = deliver_stored;
	job->message.discard = discard_job;
	mailbox_post(job->control->mailbox, &job->message);
}

void admin_job_store(struct admin_job *job, admin_job_function *function)
{
	job->on_stored = function;
	job->call.on_done = on_stored;
	store_start(job->control->store, &job->call);
}

/* ---- the workers ---- */

/* What goes to one worker and comes back. */
struct gather_part {
	struct mailbox_message message;
	struct admin_job *job;
	struct worker *worker;
	struct admin_table table;
	size_t closed;
};

/* The last one that is released takes the job along; only at the end of the process. */
static void discard_part(struct mailbox_message *message)
{
	struct gather_part *part = container_of(message, struct gather_part, message);
	struct admin_job *job = part->job;

	admin_table_done(&part->table);
	mem_free(part);
	if (--job->waiting == 0)
		job_free(job);
}

static void deliver_back(struct mailbox_message *message)
{
	struct gather_part *part = container_of(message, struct gather_part, message);
	struct admin_job *job = part->job;

	admin_table_add_rows(&job->table, buf_view(&part->table.out));
	if (part->table.out.is_overflown)
		job->table.out.is_overflown = true;
	job->closed += part->closed;
	admin_table_done(&part->table);
	mem_free(part);
	if (--job->waiting == 0)
		job->on_gathered(job);
}

static void deliver_to_worker(struct mailbox_message *message)
{
	struct gather_part *part = container_of(message, struct gather_part, message);

	part->closed = admin_visit_tunnels(part->worker, &part->job->filter, &part->table);
	part->message.deliver = deliver_back;
	mailbox_post(part->job->control->mailbox, &part->message);
}

void admin_job_gather(struct admin_job *job, admin_job_function *function)
{
	struct control *c = job->control;

	job->on_gathered = function;
	if (c->worker_count == 0) {
		function(job);
		return;
	}
	job->waiting = c->worker_count;
	for (size_t i = 0; i < c->worker_count; i++) {
		struct gather_part *part = mem_alloc(sizeof(*part));

		part->job = job;
		part->worker = c->workers[i];
		admin_table_init(&part->table, job->form);
		part->message.deliver = deliver_to_worker;
		part->message.discard = discard_part;
		mailbox_post(part->worker->mailbox, &part->message);
	}
}

/* ---- the end ---- */

void admin_job_reply(struct admin_job *job, int status, struct str body)
{
	struct local_request *request = job->request;

	if (request)
		local_reply(request, status,
			    job->form == ADMIN_JSON ? "application/json"
						    : "text/tab-separated-values",
			    arena_copy(&request->arena, body));
	job_free(job);
}

void admin_job_fail(struct admin_job *job, int status, const char *sentence)
{
	if (job->request)
		admin_reply_error(job->request, status, sentence);
	job_free(job);
}

void admin_job_fail_store(struct admin_job *job)
{
	char text[ERR_TEXT_MAX + 64];
	const char *why = job->call.error.text;

	switch (job->call.result) {
	case STORE_ABSENT:
		admin_job_fail(job, 404,
			       job->kind == RECORD_SESSION
				       ? "there is no session of that id"
				       : "there is no service account of that id");
		return;
	case STORE_FULL:
		(void)snprintf(text, sizeof(text), "the session store has no room%s%s",
			       *why ? ": " : "", why);
		admin_job_fail(job, 507, text);
		return;
	case STORE_DONE:
	case STORE_CONFLICT:
		admin_job_fail(job, 409, "it was changed at the same time, try again");
		return;
	case STORE_UNAVAILABLE:
		break;
	}
	(void)snprintf(text, sizeof(text), "the session store is away%s%s", *why ? ": " : "", why);
	admin_job_fail(job, 503, text);
}

void admin_job_log(const struct admin_job *job, const char *message, const char *key,
		   struct str value)
{
	struct log_line line;

	log_begin(job->control->log, &line, LOG_INFO, "admin");
	log_uint(&line, "uid", job->peer_uid);
	log_str(&line, key, value);
	log_uint(&line, "tunnels-closed", job->closed);
	log_end(&line, message);
}
