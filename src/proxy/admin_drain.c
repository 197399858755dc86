#include "proxy/admin_drain.h"

#include "base/clock.h"
#include "base/json.h"
#include "proxy/admin_job.h"
#include "proxy/control.h"
#include "proxy/shutdown.h"

#define ANSWER_MAX 1024

void admin_drain(struct control *control, struct local_request *request)
{
	struct shutdown *shutdown = control->life.shutdown;
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct json_writer w = { .out = &text };
	char until[CLOCK_RFC3339_MAX];

	shutdown_drain(shutdown, "an operator has asked");
	clock_format_rfc3339(shutdown_until_unix(shutdown), until);
	json_object_begin(&w);
	json_key(&w, STR("state"));
	json_text(&w, str_from(shutdown_state_name(shutdown)));
	json_key(&w, STR("tunnels"));
	json_uint(&w, shutdown_tunnels(shutdown));
	json_key(&w, STR("until"));
	json_text(&w, str_from(until));
	json_object_end(&w);
	(void)buf_append_char(&text, '\n'); /* fits */
	local_reply(request, 200, "application/json", arena_copy(&request->arena, buf_view(&text)));
	buf_done(&text);
}
