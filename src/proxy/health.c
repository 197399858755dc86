#include "proxy/health.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/control.h"
#include "proxy/local_http.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "session/store.h"

#define REPORT_MAX (16u * 1024)

struct health {
	struct control *control;
	struct local_http *http;
};

/* What protocol.md 4.6 calls the services this program has. */
static const char *const services[] = { "authenticate.service", "authorize.service",
					"proxy.service" };

struct check {
	const char *name;
	const char *error; /* NULL: it is well */
};

/* All of them, two-space indented as in the reference. */
static void write_checks(const struct check *checks, size_t count, const char *status,
			 struct buf *out)
{
	(void)buf_append_str(out, STR("{\n"));
	for (size_t i = 0; i < count; i++) {
		struct json_writer w = { .out = out };

		(void)buf_printf(out, "  \"%s\": {\n    \"status\": \"%s\"", checks[i].name,
				 status);
		if (checks[i].error) {
			(void)buf_append_str(out, STR(",\n    \"error\": "));
			json_text(&w, str_from(checks[i].error));
		}
		(void)buf_printf(out, "\n  }%s\n", i + 1 < count ? "," : "");
	}
	(void)buf_append_str(out, STR("}\n"));
}

static void report(struct local_request *r, bool is_for_clients)
{
	struct health *h = r->service;
	struct check checks[ARRAY_LEN(services) + 1];
	struct buf body = BUF_INIT(REPORT_MAX);
	struct err away = { 0 };
	bool is_well = store_is_available(h->control->store, &away);
	bool is_running = shutdown_state(h->control->life.shutdown) == SHUTDOWN_RUNNING;

	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		checks[i] = (struct check){ .name = services[i] };
	checks[ARRAY_LEN(services)] = (struct check){ .name = "storage.backend",
						      .error = is_well ? NULL : away.text };
	write_checks(checks, ARRAY_LEN(checks), is_running ? "RUNNING" : "TERMINATING", &body);
	local_reply(r, (is_well && is_running) || !is_for_clients ? 200 : 503, "application/json",
		    arena_copy(&r->arena, buf_view(&body)));
	buf_done(&body);
}

static const struct {
	const char *path;
	bool is_for_clients;
} paths[] = {
	{ "/startupz", false },
	{ "/readyz", true },
	{ "/healthz", false },
	{ "/status", false },
};

static void serve(struct local_request *r)
{
	if (!str_equal(r->http->method, STR("GET")) && !str_equal(r->http->method, STR("HEAD"))) {
		local_reply(r, 405, "text/plain", STR("Method Not Allowed\n"));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (str_equal(r->http->path, str_from(paths[i].path))) {
			report(r, paths[i].is_for_clients);
			return;
		}
	}
	local_reply(r, 404, "text/plain", STR("Not Found\n"));
}

int health_open(struct control *control, struct health **ret, struct err *e)
{
	const struct config_operator *settings = &control->snapshot->config->operator;
	struct health *h = mem_alloc(sizeof(*h));
	struct err failure = { 0 };
	int fd;

	h->control = control;
	fd = lifecycle_take_socket(control, SOCKET_HEALTH, &settings->health_address);
	h->http = fd >= 0 ? local_http_adopt(control->loop, fd, serve, h, &failure)
			  : local_http_open(control->loop, &settings->health_address, serve, h,
					    &failure);
	if (h->http) {
		*ret = h;
		return 0;
	}
	mem_free(h);
	if (settings->has_health_address)
		return err_set(e, failure.kind, "health_check_addr: %s", failure.text);
	log_error(control->log, LOG_WARN, "health",
		  "no health checks: set health_check_addr to an address that is free", &failure);
	return 0;
}

int health_fd(const struct health *h)
{
	return h ? local_http_fd(h->http) : -1;
}

void health_stop(struct health *h)
{
	if (h)
		local_http_stop(h->http);
}

void health_close(struct health *h)
{
	if (!h)
		return;
	local_http_close(h->http);
	mem_free(h);
}
