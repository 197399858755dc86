#include "proxy/admin_reload.h"

#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "config/report.h"
#include "proxy/admin_job.h"
#include "proxy/control.h"
#include "proxy/reload.h"
#include "proxy/reload_changes.h"

#define ANSWER_MAX   (256u * 1024)
#define PROBLEMS_MAX 100 /* told of; more are counted */

struct asked {
	struct reload_wait wait;
	struct local_request *request;
};

static void write_problems(struct json_writer *w, const char *key, const struct report *report,
			   enum report_severity severity)
{
	size_t told = 0;

	json_key(w, str_from(key));
	json_array_begin(w);
	for (size_t i = 0; i < report->count && told < PROBLEMS_MAX; i++) {
		if (report->problems[i].severity != severity)
			continue;
		json_text(w, str_from(report->problems[i].text));
		told++;
	}
	json_array_end(w);
}

static void write_flag(struct json_writer *w, const char *name, bool is_set)
{
	if (is_set)
		json_text(w, str_from(name));
}

static void write_changes(struct json_writer *w, const struct reload_changes *changes)
{
	json_key(w, STR("routes"));
	json_uint(w, changes->routes);
	json_key(w, STR("routes_added"));
	json_uint(w, changes->routes_added);
	json_key(w, STR("routes_removed"));
	json_uint(w, changes->routes_removed);
	json_key(w, STR("routes_changed"));
	json_uint(w, changes->routes_changed);
	json_key(w, STR("changed"));
	json_array_begin(w);
	write_flag(w, "address", changes->has_new_address);
	write_flag(w, "certificates", changes->has_new_certificates);
	write_flag(w, "users", changes->has_new_users);
	write_flag(w, "keys", changes->has_new_keys);
	write_flag(w, "log level", changes->has_new_log_level);
	json_array_end(w);
}

static void write_restart(struct json_writer *w, unsigned settings)
{
	json_key(w, STR("restart_needed"));
	json_array_begin(w);
	for (unsigned i = 0; i < RESTART_SETTING_COUNT; i++)
		if (settings & 1u << i)
			json_text(w, str_from(restart_setting_name(1u << i)));
	json_array_end(w);
}

static void write_success(struct json_writer *w, const struct reload_outcome *outcome)
{
	json_key(w, STR("result"));
	json_text(w, STR("reloaded"));
	write_changes(w, outcome->changes);
	write_restart(w, outcome->restart);
	write_problems(w, "warnings", outcome->report, REPORT_WARNING);
}

/* The sentence, and the problems one by one where they are several. */
static void write_failure(struct json_writer *w, const struct reload_outcome *outcome)
{
	size_t count = outcome->report->error_count;
	char sentence[128];

	(void)snprintf(sentence, sizeof(sentence),
		       "configuration rejected, the one before stays in force: %zu error%s", count,
		       count == 1 ? "" : "s");
	json_key(w, STR("error"));
	json_text(w, outcome->error ? str_from(outcome->error->text) : str_from(sentence));
	write_problems(w, "problems", outcome->report, REPORT_ERROR);
}

static int status_of(const struct reload_outcome *outcome)
{
	if (outcome->is_good)
		return 200;
	return outcome->error ? 409 : 422;
}

static void on_done(struct reload_wait *wait, const struct reload_outcome *outcome)
{
	struct asked *asked = container_of(wait, struct asked, wait);
	struct local_request *request = asked->request;
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct json_writer w = { .out = &text };

	mem_free(asked);
	json_object_begin(&w);
	if (outcome->is_good)
		write_success(&w, outcome);
	else
		write_failure(&w, outcome);
	json_object_end(&w);
	(void)buf_append_char(&text, '\n');
	local_reply(request, status_of(outcome), "application/json",
		    arena_copy(&request->arena, buf_view(&text)));
	buf_done(&text);
}

/* Its client is gone; the reload goes on. */
static void cancel(void *pending)
{
	struct asked *asked = pending;

	reload_cancel(&asked->wait);
	mem_free(asked);
}

void admin_reload_start(struct control *control, struct local_request *request)
{
	struct asked *asked;

	if (!control->reload) {
		admin_reply_error(request, 503, "the gateway is only just starting, try again");
		return;
	}
	asked = mem_alloc(sizeof(*asked));
	asked->request = request;
	asked->wait.on_done = on_done;
	request->pending = asked;
	request->cancel_pending = cancel;
	reload_ask(control->reload, "an operator has asked", &asked->wait);
}
