#include "proxy/admin_tunnels.h"

#include <stdio.h>

#include "base/clock.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define ANSWER_MAX 256

static bool is_user(const struct session *session, struct str user)
{
	const struct identity *who = session ? session->who : NULL;

	return who && (str_equal_nocase(who->email, user) || str_equal(who->user_id, user));
}

static bool fits(const struct exchange *x, const struct tunnel_filter *f)
{
	if (!x->relay)
		return false;
	if (f->id[0] && !str_equal(str_from(x->request_id), str_from(f->id)))
		return false;
	if (f->session_id[0] &&
	    (!x->session || !str_equal(str_from(x->session->id), str_from(f->session_id))))
		return false;
	return !f->user[0] || is_user(x->session, str_from(f->user));
}

static void write_tunnel(const struct exchange *x, struct admin_table *t)
{
	const struct identity *who = x->session ? x->session->who : NULL;
	uint64_t age_s = (clock_now_us() - x->started_us) / 1000000;
	char peer[ADDR_TEXT_MAX];
	char upstream[UPSTREAM_TEXT_MAX];

	addr_format(&x->peer, peer);
	upstream_address_format(x, upstream);
	admin_row_begin(t);
	admin_row_text(t, "id", str_from(x->request_id));
	admin_row_text(t, "user", who ? who->user_id : STR(""));
	admin_row_text(t, "email", who ? who->email : STR(""));
	admin_row_text(t, "session_id", x->session ? str_from(x->session->id) : STR(""));
	admin_row_text(t, "destination", x->facts.authority);
	admin_row_text(t, "route_id", x->route ? str_from(x->route->id) : STR(""));
	admin_row_text(t, "upstream", str_from(upstream));
	admin_row_text(t, "client", str_from(peer));
	admin_row_uint(t, "age_s", age_s);
	admin_row_end(t);
}

size_t admin_visit_tunnels(struct worker *worker, const struct tunnel_filter *filter,
			   struct admin_table *table)
{
	size_t closed = 0;

	LIST_FOREACH (&worker->exchanges, node) {
		struct exchange *x = container_of(node, struct exchange, in_worker);

		if (!fits(x, filter))
			continue;
		if (filter->is_counted) {
			closed += x->route->config->lifetime.reauthorize;
			continue;
		}
		if (!filter->end_reason) {
			write_tunnel(x, table);
			continue;
		}
		exchange_abort(x, filter->end_reason);
		closed++;
	}
	return closed;
}

/* ---- the questions ---- */

static void on_listed(struct admin_job *job)
{
	struct admin_table whole;

	admin_table_init(&whole, job->form);
	admin_table_begin(
		&whole, "tunnels",
		"ID\tUSER\tEMAIL\tSESSION\tDESTINATION\tROUTE\tUPSTREAM\tCLIENT\tSECONDS");
	admin_table_add_rows(&whole, buf_view(&job->table.out));
	admin_table_end(&whole, STR(""));
	if (whole.out.is_overflown || job->table.out.is_overflown)
		admin_job_fail(job, 500, "there are more tunnels than can be listed at once");
	else
		admin_job_reply(job, 200, buf_view(&whole.out));
	admin_table_done(&whole);
}

void admin_tunnels_list(struct admin_job *job)
{
	admin_table_init(&job->table, job->form);
	admin_job_gather(job, on_listed);
}

static void on_closed(struct admin_job *job)
{
	char text[ANSWER_MAX];
	bool is_one = job->filter.id[0];

	if (is_one && job->closed == 0) {
		admin_job_fail(job, 404, "there is no open tunnel of that id");
		return;
	}
	admin_job_log(job, is_one ? "operator closed a tunnel" : "operator closed a user's tunnels",
		      is_one ? "tunnel-id" : "user",
		      str_from(is_one ? job->filter.id : job->filter.user));
	job->form = ADMIN_JSON;
	(void)snprintf(text, sizeof(text), "{\"closed\":%zu}\n", job->closed);
	admin_job_reply(job, 200, str_from(text));
}

void admin_tunnels_close(struct admin_job *job)
{
	job->filter.end_reason = "closed-by-operator";
	admin_table_init(&job->table, job->form);
	admin_job_gather(job, on_closed);
}
