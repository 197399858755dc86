#include "proxy/admin_upgrade.h"

#include "base/json.h"
#include "base/mem.h"
#include "proxy/admin_job.h"
#include "proxy/control.h"
#include "proxy/shutdown.h"
#include "proxy/upgrade.h"

#define ANSWER_MAX 1024

struct asked {
	struct upgrade_wait wait;
	struct control *control;
	struct local_request *request;
};

static void reply(struct local_request *request, pid_t successor, uint64_t tunnels)
{
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct json_writer w = { .out = &text };

	json_object_begin(&w);
	json_key(&w, STR("result"));
	json_text(&w, STR("upgraded"));
	json_key(&w, STR("pid"));
	json_uint(&w, (uint64_t)successor);
	json_key(&w, STR("tunnels_left"));
	json_uint(&w, tunnels);
	json_object_end(&w);
	(void)buf_append_char(&text, '\n'); /* fits */
	local_reply(request, 200, "application/json", arena_copy(&request->arena, buf_view(&text)));
	buf_done(&text);
}

static void on_done(struct upgrade_wait *wait, pid_t successor, const struct err *problem)
{
	struct asked *asked = container_of(wait, struct asked, wait);
	struct local_request *request = asked->request;
	uint64_t tunnels = shutdown_tunnels(asked->control->life.shutdown);

	mem_free(asked);
	if (problem)
		admin_reply_error(request, 409, problem->text);
	else
		reply(request, successor, tunnels);
}

/* Its client is gone; the upgrade goes on. */
static void cancel(void *pending)
{
	struct asked *asked = pending;

	upgrade_cancel_wait(&asked->wait);
	mem_free(asked);
}

void admin_upgrade_start(struct control *control, struct local_request *request)
{
	struct asked *asked = mem_alloc(sizeof(*asked));

	asked->control = control;
	asked->request = request;
	asked->wait.on_done = on_done;
	request->pending = asked;
	request->cancel_pending = cancel;
	upgrade_ask(control->life.upgrade, "an operator has asked", &asked->wait);
}
