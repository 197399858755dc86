#pragma once

/*
 * admin_job.h - one question of an operator, which may ask the store and the workers before it is answered
 *
 * Ownership  A job frees itself when it has answered. If its client goes away it runs to its end all the same: what was
 *            begun (a revocation) is not left half done.
 * Threads    The control's. Parts of it travel to the workers and the store's thread by themselves.
 */

#include "base/arena.h"
#include "base/list.h"
#include "io/mailbox.h"
#include "proxy/admin_table.h"
#include "proxy/local_http.h"
#include "session/store.h"

struct admin_job;
struct control;

struct admin {
	struct control *control;
	struct local_http *http;
	struct list jobs;
	size_t job_count;
};

/* Which tunnels: fields that are "" do not matter. */
struct tunnel_filter {
	char id[STORE_KEY_MAX + 1];
	char user[STORE_KEY_MAX + 1];
	char session_id[STORE_KEY_MAX + 1];
	bool is_counted;        /* only counted: those that end if they are not allowed any more */
	const char *end_reason; /* NULL: they are listed; else closed. Static text */
};

struct new_account {
	struct str id;
	struct str token;
};

typedef void admin_job_function(struct admin_job *job);

struct admin_job {
	struct control *control;
	struct admin *admin; /* NULL: it has closed */
	struct list_node in_admin;
	struct local_request *request; /* NULL: its client is gone */
	uid_t peer_uid;                /* who asks, for the log */
	struct arena arena;
	enum admin_form form;
	enum record_kind kind;
	struct store_call call;
	struct mailbox_message message;
	admin_job_function *on_stored;
	admin_job_function *on_gathered;

	struct tunnel_filter filter;
	struct admin_table table; /* rows of tunnels, as the workers answer */
	size_t waiting;           /* workers that have not answered */
	size_t closed;            /* tunnels that were closed, or counted */

	struct str user;            /* only records of this one; in the arena */
	struct new_account created; /* in the arena, which is wiped */
	struct arena ids;           /* what is to be removed of this page */
	struct str *id;
	size_t id_count;
	size_t next_id;
	size_t removed;
	char after[STORE_KEY_MAX + 1]; /* where the next page begins */
	bool has_more;
};

/* NULL: there are ADMIN_JOBS_MAX already, and the request is answered. */
struct admin_job *admin_job_new(struct admin *admin, struct local_request *request);

/* Begins job->call (verb, kind, key, owner, item are set); then on_stored. */
void admin_job_store(struct admin_job *job, admin_job_function *on_stored);

/* Asks every worker about job->filter; then on_gathered, with table and closed. */
void admin_job_gather(struct admin_job *job, admin_job_function *on_gathered);

/* Each answers and ends the job. */
void admin_job_reply(struct admin_job *job, int status, struct str body);
void admin_job_fail(struct admin_job *job, int status, const char *sentence);
void admin_job_fail_store(struct admin_job *job);

/* One line of the log: what was done, with which thing, and for whom. */
void admin_job_log(const struct admin_job *job, const char *message, const char *key,
		   struct str value);

/* A simple answer without a job. */
void admin_reply_error(struct local_request *request, int status, const char *sentence);
