/*
 * A job is one session on its way: claimed, at its provider, back to the store. Claiming is what keeps a refresh token from
 * being used twice; a job that is lost (we crash) is claimed again when the claim has run out.
 *
 * The store answers on its own thread, so everything that asks it is a message to this loop, too.
 */

#include "proxy/upkeep.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "proxy/idp_service.h"
#include "proxy/snapshot.h"
#include "session/store.h"

#define WARN_INTERVAL_MS 60000

struct upkeep {
	struct upkeep_options options;
	struct mailbox *mailbox;
	struct timer tick;
	uint64_t purge_due_ms;
	uint64_t warn_due_ms;
	size_t job_count;
	bool is_claiming;
	bool has_backlog; /* the last claim gave as many as one can */
	bool is_purging;
	bool is_stopped;
};

/* A question to the store, and the way back. */
struct upkeep_ask {
	struct store_call call;
	struct mailbox_message message;
	struct upkeep *upkeep;
	void (*on_answer)(struct upkeep *u, struct store_call *call);
};

struct job {
	struct upkeep *upkeep;
	struct session *session; /* as it was claimed */
	struct idp_call call;
};

/* ---- the store ---- */

static void discard_ask(struct mailbox_message *message)
{
	struct upkeep_ask *ask = container_of(message, struct upkeep_ask, message);

	store_call_done(&ask->call);
	mem_free(ask);
}

static void deliver_ask(struct mailbox_message *message)
{
	struct upkeep_ask *ask = container_of(message, struct upkeep_ask, message);

	ask->on_answer(ask->upkeep, &ask->call);
	discard_ask(message);
}

static void on_stored(struct store_call *call)
{
	struct upkeep_ask *ask = container_of(call, struct upkeep_ask, call);

	mailbox_post(ask->upkeep->mailbox, &ask->message);
}

static struct upkeep_ask *ask_new(struct upkeep *u, enum store_verb verb,
				  void (*on_answer)(struct upkeep *u, struct store_call *call))
{
	struct upkeep_ask *ask = mem_alloc(sizeof(*ask));

	ask->upkeep = u;
	ask->on_answer = on_answer;
	ask->message.deliver = deliver_ask;
	ask->message.discard = discard_ask;
	ask->call.verb = verb;
	ask->call.kind = RECORD_SESSION;
	ask->call.now_unix = clock_now_unix();
	ask->call.on_done = on_stored;
	return ask;
}

static void ask_start(struct upkeep_ask *ask)
{
	store_start(ask->upkeep->options.store, &ask->call);
}

/* ---- the end of a job ---- */

static void log_end_of_session(struct upkeep *u, const struct session *session, const char *why)
{
	struct log_line line;

	log_begin(u->options.log, &line, LOG_INFO, "upkeep");
	log_cstr(&line, "session-id", session->id);
	log_str(&line, "email", session->who->email);
	log_cstr(&line, "reason", why);
	log_end(&line, "session ended: its identity provider does not confirm it any more");
}

static void on_ended(struct upkeep *u, struct store_call *call)
{
	if (call->result == STORE_UNAVAILABLE) /* the next claim tries again */
		log_error(u->options.log, LOG_WARN, "upkeep", "session could not be ended",
			  &call->error);
}

static void end_session(struct upkeep *u, const struct session *session, const char *why)
{
	struct upkeep_ask *ask = ask_new(u, STORE_REMOVE, on_ended);

	log_end_of_session(u, session, why);
	(void)snprintf(ask->call.key, sizeof(ask->call.key), "%s", session->id); /* fits */
	ask_start(ask);
}

/*
 * STORE_CONFLICT and STORE_ABSENT: somebody has signed out, and that counts. STORE_UNAVAILABLE: with tokens that were renewed the
 * provider has made the old ones worthless, so the session will end when they are used again; that is told now.
 */
static void on_written(struct upkeep *u, struct store_call *call)
{
	if (call->result == STORE_UNAVAILABLE || call->result == STORE_FULL)
		log_error(u->options.log, LOG_WARN, "upkeep", "renewed session could not be kept",
			  &call->error);
}

static struct session *renewed_session(const struct session *old, struct identity *who,
				       const struct session_secrets *secrets)
{
	struct session_facts facts = {
		.kind = old->kind,
		.id = str_from(old->id),
		.idp_id = old->idp_id,
		.description = old->description,
		.who = who,
		.issued_unix = old->issued_unix,
		.expires_unix = old->expires_unix,
		.valid_until_unix = session_valid_until(secrets, old->expires_unix),
	};

	memcpy(facts.credential_tag, old->credential_tag, sizeof(facts.credential_tag));
	return session_new(&facts);
}

static void write_back(struct job *job, struct identity *who)
{
	struct upkeep_ask *ask = ask_new(job->upkeep, STORE_PUT, on_written);

	ask->call.expected_version = job->session->record_version;
	ask->call.item.session = renewed_session(job->session, who, job->call.secrets);
	ask->call.item.secrets = TAKE(job->call.secrets);
	ask_start(ask);
}

static void claim(struct upkeep *u);

static void job_free(struct job *job)
{
	struct upkeep *u = job->upkeep;

	u->job_count--;
	session_unref(TAKE(job->session));
	idp_call_done(&job->call);
	mem_free(job);
	/* Otherwise many sessions would need more seconds than their tokens have. */
	if (u->has_backlog)
		claim(u);
}

/* Of a provider that is away one line a minute is enough, however many sessions it has. */
static void log_failure(const struct job *job)
{
	struct upkeep *u = job->upkeep;
	uint64_t now = clock_now_ms();
	bool is_news = now >= u->warn_due_ms;
	struct log_line line;

	if (is_news)
		u->warn_due_ms = now + WARN_INTERVAL_MS;
	log_begin(u->options.log, &line, is_news ? LOG_WARN : LOG_DEBUG, "upkeep");
	log_cstr(&line, "session-id", job->session->id);
	log_cstr(&line, "error", job->call.error.text);
	log_end(&line, "session not renewed: it goes on, and is tried again");
}

static void on_asked(struct idp_call *call)
{
	struct job *job = container_of(call, struct job, call);
	struct upkeep *u = job->upkeep;

	switch (call->result) {
	case IDP_DONE:
		if (call->secrets->failures)
			log_failure(job);
		write_back(job, call->who);
		break;
	case IDP_REFUSED:
		end_session(u, job->session, call->error.text);
		break;
	case IDP_UNAVAILABLE:
		if (u->is_stopped)
			break; /* it says nothing about the provider */
		log_failure(job);
		idp_count_failure(call->secrets, clock_now_unix());
		write_back(job, job->session->who);
		break;
	}
	job_free(job);
}

/* ---- the beginning of one ---- */

/* item's parts are taken. */
static void job_start(struct upkeep *u, struct snapshot *snapshot, const struct idp *idp,
		      struct store_item *item)
{
	struct job *job = mem_alloc(sizeof(*job));

	u->job_count++;
	job->upkeep = u;
	job->session = TAKE(item->session);
	job->call = (struct idp_call){
		.verb = IDP_RENEW,
		.snapshot = snapshot_ref(snapshot),
		.idp = idp,
		.old_who = identity_ref(job->session->who),
		.secrets = TAKE(item->secrets),
		.now_unix = clock_now_unix(),
		.on_done = on_asked,
	};
	idp_service_start(u->options.idps, &job->call);
}

static void look_after(struct upkeep *u, struct snapshot *snapshot, struct store_item *item)
{
	const struct idp *idp;

	if (!item->session || !item->secrets)
		return;
	idp = idp_table_find(&snapshot->idps, item->session->idp_id);
	if (idp)
		job_start(u, snapshot, idp, item);
	else
		end_session(u, item->session, "its identity provider is not configured any more");
}

static void on_claimed(struct upkeep *u, struct store_call *call)
{
	struct snapshot *snapshot;

	u->is_claiming = false;
	u->has_backlog = call->result == STORE_DONE && call->found_count == STORE_CLAIM_MAX;
	if (u->is_stopped || call->result != STORE_DONE)
		return;
	snapshot = u->options.current(u->options.arg);
	for (size_t i = 0; i < call->found_count; i++)
		look_after(u, snapshot, &call->found[i]);
	snapshot_unref(snapshot);
}

static void claim(struct upkeep *u)
{
	if (u->is_stopped || u->is_claiming || u->job_count >= UPKEEP_CALLS_MAX)
		return;
	u->is_claiming = true;
	ask_start(ask_new(u, STORE_CLAIM, on_claimed));
}

/* ---- what has expired ---- */

static void purge(struct upkeep *u);

static void on_purged(struct upkeep *u, struct store_call *call)
{
	u->is_purging = false;
	if (!u->is_stopped && call->result == STORE_DONE && call->has_more)
		purge(u);
}

static void purge(struct upkeep *u)
{
	u->is_purging = true;
	ask_start(ask_new(u, STORE_PURGE, on_purged));
}

/* ---- every second ---- */

static void on_tick(struct timer *timer)
{
	struct upkeep *u = container_of(timer, struct upkeep, tick);
	uint64_t now = clock_now_ms();

	timer_start(&u->tick, u->options.loop, now + UPKEEP_INTERVAL_MS, on_tick);
	claim(u);
	if (now < u->purge_due_ms || u->is_purging)
		return;
	u->purge_due_ms = now + UPKEEP_PURGE_MS;
	purge(u);
}

struct upkeep *upkeep_new(const struct upkeep_options *options)
{
	struct upkeep *u = mem_alloc(sizeof(*u));

	u->options = *options;
	u->mailbox = mailbox_open(options->loop);
	timer_start(&u->tick, options->loop, clock_now_ms() + UPKEEP_INTERVAL_MS, on_tick);
	return u;
}

void upkeep_stop(struct upkeep *u)
{
	u->is_stopped = true;
	timer_cancel(&u->tick);
}

void upkeep_free(struct upkeep *u)
{
	if (!u)
		return;
	timer_cancel(&u->tick);
	mailbox_close(TAKE(u->mailbox));
	mem_free(u);
}
