/*
 * The body is read with what reads claims: a flat object of texts, numbers and lists of texts is all there is to it.
 */

#include "proxy/admin_sessions.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "jose/jws.h"
#include "proxy/control.h"
#include "proxy/snapshot.h"
#include "session/session_token.h"

#define EXPIRES_MAX_S  (100ll * 366 * 24 * 3600)
#define USER_LEN_MAX   STORE_KEY_MAX
#define TEXT_LEN_MAX   1024
#define ANSWER_MAX     (JWS_MAX + 1024)
#define FACTS_TEXT_MAX (64u * 1024)

struct account {
	struct str user;
	struct str email;
	struct str description;
	const struct str *groups;
	size_t group_count;
	int64_t expires_s; /* 0: never */
};

static bool key_is_known(struct str name)
{
	static const char *const names[] = { "user", "email", "groups", "expires_s",
					     "description" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(name, str_from(names[i])))
			return true;
	return false;
}

static int read_lifetime(const struct claims *claims, struct account *ret, struct err *e)
{
	uint64_t seconds = 0;

	if (claims_find(claims, STR("expires_s")) &&
	    (!str_to_uint64(claims_text(claims, STR("expires_s")), &seconds) ||
	     seconds > EXPIRES_MAX_S))
		return err_set(e, ERR_CONFIG, "expires_s must be a number of seconds");
	ret->expires_s = (int64_t)seconds;
	return 0;
}

static int read_account(struct str body, struct arena *arena, struct account *ret, struct err *e)
{
	const struct claim *groups;
	struct claims claims;

	if (claims_parse(body, arena, &claims, e) < 0)
		return err_wrap(e, "the body must be a JSON object");
	for (size_t i = 0; i < claims.count; i++)
		if (!key_is_known(claims.items[i].name))
			return err_set(
				e, ERR_CONFIG,
				"a service account has user, email, groups, expires_s and description, nothing else");
	groups = claims_find(&claims, STR("groups"));
	*ret = (struct account){
		.user = claims_text(&claims, STR("user")),
		.email = claims_text(&claims, STR("email")),
		.description = claims_text(&claims, STR("description")),
		.groups = groups ? groups->values : NULL,
		.group_count = groups ? groups->value_count : 0,
	};
	if (str_is_empty(ret->user) || ret->user.len > USER_LEN_MAX)
		return err_set(e, ERR_CONFIG, "user is missing, or longer than %d bytes",
			       USER_LEN_MAX);
	if (ret->email.len > TEXT_LEN_MAX || ret->description.len > TEXT_LEN_MAX)
		return err_set(e, ERR_CONFIG, "email or description is longer than %d bytes",
			       TEXT_LEN_MAX);
	if (ret->group_count > IDENTITY_GROUPS_MAX)
		return err_set(e, ERR_CONFIG, "there are more than %d groups", IDENTITY_GROUPS_MAX);
	return read_lifetime(&claims, ret, e);
}

/* What rules about claims see. */
static int make_claims(const struct account *a, struct arena *arena, struct claims *ret,
		       struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(FACTS_TEXT_MAX);
	struct json_writer w = { .out = &text };

	json_object_begin(&w);
	if (!str_is_empty(a->email)) {
		json_key(&w, STR("email"));
		json_text(&w, a->email);
	}
	json_key(&w, STR("groups"));
	json_array_begin(&w);
	for (size_t i = 0; i < a->group_count; i++)
		json_text(&w, a->groups[i]);
	json_array_end(&w);
	json_key(&w, STR("name"));
	json_text(&w, a->user);
	json_key(&w, STR("sub"));
	json_text(&w, a->user);
	json_object_end(&w);
	if (text.is_overflown)
		return err_set(e, ERR_CONFIG, "the groups are too long");
	return claims_parse(buf_view(&text), arena, ret, e);
}

static int make_session(struct admin_job *job, const struct account *a, struct err *e)
{
	struct identity facts = {
		.user_id = a->user,
		.email = a->email,
		.name = a->user,
		.groups = a->groups,
		.group_count = a->group_count,
	};
	int64_t now = clock_now_unix();
	int64_t end = a->expires_s ? now + a->expires_s : 0;
	struct identity *who;

	if (make_claims(a, &job->arena, &facts.claims, e) < 0)
		return -1;
	who = identity_new(&facts);
	job->call.item.session = session_new(&(struct session_facts){
		.kind = SESSION_SERVICE_ACCOUNT,
		.description = a->description,
		.who = who,
		.issued_unix = now,
		.expires_unix = end,
		.valid_until_unix = end,
	});
	identity_unref(who);
	return 0;
}

/* Before anything is stored: an account without a token would be of no use to anybody. */
static int make_token(struct admin_job *job, struct err *e)
{
	const struct session *s = job->call.item.session;
	const struct service_account_token facts = {
		.account_id = str_from(s->id),
		.user_id = s->who->user_id,
		.issued_unix = s->issued_unix,
		.expires_unix = s->expires_unix,
	};
	struct buf token = BUF_INIT(JWS_MAX);
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct json_writer w = { .out = &text };
	int result = service_account_token_issue(job->control->snapshot->shared_key, &facts, &token,
						 e);

	json_object_begin(&w);
	json_key(&w, STR("id"));
	json_text(&w, facts.account_id);
	json_key(&w, STR("token"));
	json_text(&w, buf_view(&token));
	json_object_end(&w);
	(void)buf_append_char(&text, '\n');
	job->created.id = arena_copy(&job->arena, facts.account_id);
	job->created.token = arena_copy(&job->arena, buf_view(&text));
	buf_done_secret(&token);
	buf_done_secret(&text);
	return result;
}

/* The token is shown this once: it is kept nowhere. */
static void on_created(struct admin_job *job)
{
	if (job->call.result != STORE_DONE) {
		admin_job_fail_store(job);
		return;
	}
	admin_job_log(job, "operator made a service account", "service-account-id",
		      job->created.id);
	admin_job_reply(job, 201, job->created.token);
}

void admin_account_create(struct admin_job *job, struct str body)
{
	struct account account = { 0 };
	struct err e = { 0 };

	job->kind = RECORD_SERVICE_ACCOUNT;
	job->form = ADMIN_JSON;
	if (read_account(body, &job->arena, &account, &e) < 0 ||
	    make_session(job, &account, &e) < 0 || make_token(job, &e) < 0) {
		admin_job_fail(job, 400, e.text);
		return;
	}
	job->call.verb = STORE_PUT;
	job->call.kind = RECORD_SERVICE_ACCOUNT;
	admin_job_store(job, on_created);
}
