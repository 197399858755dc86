#include "proxy/admin.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/admin_drain.h"
#include "proxy/admin_job.h"
#include "proxy/admin_reload.h"
#include "proxy/admin_sessions.h"
#include "proxy/admin_status.h"
#include "proxy/admin_tunnels.h"
#include "proxy/admin_upgrade.h"
#include "proxy/control.h"
#include "proxy/snapshot.h"
#include "proxy/state_dir.h"
#include "proxy/upstream_hold.h"

#define PATH_LEN_MAX 4096

/* One request, taken apart. */
struct question {
	struct admin *admin;
	struct local_request *request;
	struct query query;
	struct str id; /* what follows the collection in the path; "" if it is the collection */
	enum admin_form form;
};

static bool wants_lines(const struct http_request *http)
{
	const struct str forms[] = { STR("application/json"), STR("text/tab-separated-values") };
	struct str accept;

	return http_headers_get(&http->headers, STR("accept"), &accept) &&
	       http_accept_prefers(accept, forms, ARRAY_LEN(forms)) == 1;
}

/* Copies a parameter of the query; "" if it is not there. False, and answered, if it is too long. */
static bool take(struct question *q, const char *name, char out[STORE_KEY_MAX + 1])
{
	struct str value = { 0 };

	(void)query_get(&q->query, str_from(name), &value);
	if (value.len > STORE_KEY_MAX) {
		admin_reply_error(q->request, 400, "a parameter is too long");
		return false;
	}
	(void)snprintf(out, STORE_KEY_MAX + 1, "%.*s", STR_FMT(value));
	return true;
}

static struct admin_job *begin(struct question *q, enum record_kind kind)
{
	char user[STORE_KEY_MAX + 1];
	char after[STORE_KEY_MAX + 1];
	struct admin_job *job;

	if (!take(q, "user", user) || !take(q, "after", after))
		return NULL;
	job = admin_job_new(q->admin, q->request);
	if (!job)
		return NULL;
	job->kind = kind;
	job->form = q->form;
	job->user = arena_copy(&job->arena, str_from(user));
	memcpy(job->after, after, sizeof(after));
	memcpy(job->filter.user, user, sizeof(user));
	(void)snprintf(job->filter.id, sizeof(job->filter.id), "%.*s", STR_FMT(q->id));
	return job;
}

/* ---- what can be asked ---- */

static void get_status(struct question *q)
{
	struct admin_table t;

	admin_table_init(&t, q->form);
	admin_status_write(q->admin->control, &t);
	local_reply(q->request, 200,
		    q->form == ADMIN_JSON ? "application/json" : "text/tab-separated-values",
		    arena_copy(&q->request->arena, buf_view(&t.out)));
	admin_table_done(&t);
}

static void post_reload(struct question *q)
{
	admin_reload_start(q->admin->control, q->request);
}

static void post_drain(struct question *q)
{
	admin_drain(q->admin->control, q->request);
}

static void post_upgrade(struct question *q)
{
	admin_upgrade_start(q->admin->control, q->request);
}

static void write_route(struct admin_table *t, const struct route *route)
{
	const struct config_route *config = route->config;
	struct buf targets = BUF_INIT(ADMIN_TABLE_MAX);
	struct buf down = BUF_INIT(ADMIN_TABLE_MAX);

	for (size_t i = 0; i < config->target_count; i++) {
		char text[UPSTREAM_TEXT_MAX];

		upstream_target_format(&config->targets[i], text);
		(void)buf_printf(&targets, "%s%s", i ? "," : "", text);
		if (config->upstream.check_count > 0 &&
		    atomic_load(&route->state->targets[i].is_down))
			(void)buf_printf(&down, "%s%s", down.len ? "," : "", text);
	}
	admin_row_begin(t);
	admin_row_text(t, "id", str_from(route->id));
	admin_row_text(t, "name", config->name);
	admin_row_text(t, "from", config->from);
	admin_row_text(t, "to", buf_view(&targets));
	admin_row_uint(t, "tunnels", atomic_load(&route->state->tunnels_active));
	admin_row_text(t, "down", buf_view(&down));
	admin_row_end(t);
	buf_done(&targets);
	buf_done(&down);
}

static void get_routes(struct question *q)
{
	const struct route_table *routes = &q->admin->control->snapshot->routes;
	struct admin_table t;

	admin_table_init(&t, q->form);
	admin_table_begin(&t, "routes", "ID\tNAME\tFROM\tTO\tTUNNELS\tDOWN");
	for (size_t i = 0; i < routes->count; i++)
		write_route(&t, &routes->routes[i]);
	admin_table_end(&t, STR(""));
	if (t.out.is_overflown)
		admin_reply_error(q->request, 500, "there are more routes than can be listed");
	else
		local_reply(q->request, 200,
			    q->form == ADMIN_JSON ? "application/json"
						  : "text/tab-separated-values",
			    arena_copy(&q->request->arena, buf_view(&t.out)));
	admin_table_done(&t);
}

static void get_sessions(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SESSION);

	if (job)
		admin_sessions_list(job);
}

static void delete_session(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SESSION);

	if (!job)
		return;
	job->filter.id[0] = '\0';
	job->filter.user[0] = '\0';
	admin_sessions_revoke(job, q->id);
}

static void delete_sessions(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SESSION);

	if (!job)
		return;
	job->filter.user[0] = '\0';
	admin_sessions_revoke_user(job);
}

static void get_tunnels(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SESSION);

	if (job)
		admin_tunnels_list(job);
}

static void delete_tunnels(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SESSION);

	if (job)
		admin_tunnels_close(job);
}

static void get_accounts(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SERVICE_ACCOUNT);

	if (job)
		admin_sessions_list(job);
}

static void post_account(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SERVICE_ACCOUNT);

	if (job)
		admin_account_create(job, q->request->http->body);
}

static void delete_account(struct question *q)
{
	struct admin_job *job = begin(q, RECORD_SERVICE_ACCOUNT);

	if (!job)
		return;
	job->filter.id[0] = '\0';
	job->filter.user[0] = '\0';
	admin_sessions_revoke(job, q->id);
}

enum target { COLLECTION, BY_USER, ONE };

static const struct {
	const char *method;
	const char *collection;
	enum target target;
	void (*answer)(struct question *q);
} rows[] = {
	{ "GET", "status", COLLECTION, get_status },
	{ "POST", "reload", COLLECTION, post_reload },
	{ "POST", "drain", COLLECTION, post_drain },
	{ "POST", "upgrade", COLLECTION, post_upgrade },
	{ "GET", "routes", COLLECTION, get_routes },
	{ "GET", "sessions", COLLECTION, get_sessions },
	{ "DELETE", "sessions", ONE, delete_session },
	{ "DELETE", "sessions", BY_USER, delete_sessions },
	{ "GET", "tunnels", COLLECTION, get_tunnels },
	{ "DELETE", "tunnels", ONE, delete_tunnels },
	{ "DELETE", "tunnels", BY_USER, delete_tunnels },
	{ "GET", "service-accounts", COLLECTION, get_accounts },
	{ "POST", "service-accounts", COLLECTION, post_account },
	{ "DELETE", "service-accounts", ONE, delete_account },
};

static enum target target_of(const struct question *q, struct str method)
{
	struct str user = { 0 };

	if (!str_is_empty(q->id))
		return ONE;
	/* "Everybody's" is nothing that happens because somebody has left out a name. */
	return str_equal(method, STR("DELETE")) && query_get(&q->query, STR("user"), &user) &&
			       !str_is_empty(user)
		       ? BY_USER
		       : COLLECTION;
}

static void answer(struct question *q, struct str collection)
{
	struct str method = q->request->http->method;
	enum target target = target_of(q, method);
	bool is_known = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_equal(collection, str_from(rows[i].collection)))
			continue;
		is_known = true;
		if (str_equal(method, str_from(rows[i].method)) && target == rows[i].target) {
			rows[i].answer(q);
			return;
		}
	}
	if (is_known)
		admin_reply_error(q->request, 405, "that cannot be done with this");
	else
		admin_reply_error(q->request, 404, "there is nothing of that name");
}

static void serve(struct local_request *r)
{
	struct question q = { .admin = r->service, .request = r };
	struct str rest = str_from_pos(r->http->path, 1);
	struct str collection = { 0 };
	struct err e = { 0 };

	if (query_parse(r->http->query, &r->arena, &q.query, &e) < 0) {
		admin_reply_error(r, 400, e.text);
		return;
	}
	(void)str_cut(&rest, '/', &collection);
	if (rest.len > STORE_KEY_MAX) {
		admin_reply_error(r, 404, "there is nothing of that name");
		return;
	}
	q.id = rest;
	q.form = wants_lines(r->http) ? ADMIN_LINES : ADMIN_JSON;
	answer(&q, collection);
}

/* ---- opening ---- */

/* The state directory may not be there yet: with secrets and sessions elsewhere nobody else needs it. */
static int find_path(const struct config_operator *settings, struct buf *out, struct err *e)
{
	_cleanup_(mem_freep) char *directory = NULL;
	struct buf text = BUF_INIT(PATH_LEN_MAX);
	int result;

	if (!str_is_empty(settings->admin_socket))
		return buf_append_str(out, settings->admin_socket);
	result = state_dir_path(&text, e);
	directory = buf_take_string(&text);
	if (result < 0 || dir_create(directory, 0700, e) < 0)
		return -1;
	return buf_printf(out, "%s/admin.sock", directory);
}

static struct local_http *open_at(struct control *control, const char *path, struct admin *a,
				  struct err *e)
{
	return control->life.predecessor.pid
		       ? local_http_open_unix_beside(control->loop, path, serve, a, e)
		       : local_http_open_unix(control->loop, path, serve, a, e);
}

int admin_take_over(struct admin *a, struct err *e)
{
	return a ? local_http_take_over(a->http, e) : 0;
}

void admin_stop(struct admin *a)
{
	if (a)
		local_http_stop(a->http);
}

int admin_open(struct control *control, struct admin **ret, struct err *e)
{
	const struct config_operator *settings = &control->snapshot->config->operator;
	struct admin *a = mem_alloc(sizeof(*a));
	struct buf text = BUF_INIT(PATH_LEN_MAX);
	struct err failure = { 0 };
	int result = find_path(settings, &text, &failure);
	_cleanup_(mem_freep) char *path = buf_take_string(&text);

	a->control = control;
	list_init(&a->jobs);
	if (result == 0)
		a->http = open_at(control, path, a, &failure);
	if (a->http) {
		*ret = a;
		return 0;
	}
	mem_free(a);
	if (!str_is_empty(settings->admin_socket))
		return err_set(e, failure.kind, "admin_socket: %s", failure.text);
	log_error(control->log, LOG_WARN, "admin",
		  "no operator's socket: set admin_socket to a path that can be used", &failure);
	return 0;
}

void admin_close(struct admin *a)
{
	if (!a)
		return;
	local_http_close(a->http);
	LIST_FOREACH (&a->jobs, node) {
		container_of(node, struct admin_job, in_admin)->admin = NULL;
		list_remove(node);
	}
	mem_free(a);
}
