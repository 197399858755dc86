/*
 * metrics_page.c - a table of metrics, each with the function that writes its samples
 *
 * The counters of the workers are added up here: none of them is shared while it is counted.
 */

#include "proxy/metrics_page.h"

#include <stdio.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/map.h"
#include "proxy/audit_file.h"
#include "proxy/control.h"
#include "proxy/counters.h"
#include "proxy/metrics_text.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "session/store.h"

struct page {
	const struct control *control;
	struct buf *out;
	const char *name; /* of the metric that is being written */
};

static void sample(const struct page *p, const struct metrics_label *labels, uint64_t value)
{
	metrics_sample(p->out, p->name, "", labels, value);
}

/* ---- counters of the workers ---- */

/* The sum over all workers of a counter at an offset in struct counters. */
static uint64_t add_up(const struct page *p, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->control->worker_count; i++) {
		const char *counters = (const char *)&p->control->workers[i]->counters;

		sum += counter_read(
			(const atomic_uint_fast64_t *)(const void *)(counters + offset));
	}
	return sum;
}

#define SUM(page, member) add_up(page, offsetof(struct counters, member))

/* One sample per word of a table. */
static void write_words(const struct page *p, const char *const *words, size_t offset)
{
	for (size_t i = 0; words[i]; i++) {
		const struct metrics_label labels[] = { { "reason", str_from(words[i]) }, { 0 } };

		sample(p, labels, add_up(p, offset + i * sizeof(atomic_uint_fast64_t)));
	}
}

static void write_refusals(const struct page *p)
{
	write_words(p, counters_refusal_words, offsetof(struct counters, refusals));
}

static void write_ends(const struct page *p)
{
	write_words(p, counters_end_words, offsetof(struct counters, ends));
}

static void write_handshakes(const struct page *p)
{
	for (size_t resumed = 0; resumed < 2; resumed++) {
		for (size_t i = 0; counters_tls_versions[i + 1]; i++) {
			const struct metrics_label labels[] = {
				{ "version", str_from(counters_tls_versions[i]) },
				{ "resumed", resumed ? STR("true") : STR("false") },
				{ 0 },
			};

			sample(p, labels, SUM(p, handshakes[resumed][i]));
		}
	}
}

static void write_handshake_failures(const struct page *p)
{
	sample(p, NULL, SUM(p, handshake_failures));
}

static void write_connects(const struct page *p)
{
	uint64_t count = 0;
	char bound[32];

	for (size_t i = 0; i <= COUNTERS_CONNECT_BUCKETS; i++) {
		struct metrics_label labels[] = { { "le", { 0 } }, { 0 } };

		if (i < COUNTERS_CONNECT_BUCKETS)
			(void)snprintf(bound, sizeof(bound), "%g",
				       (double)counters_connect_bounds_us[i] / 1e6);
		else
			(void)snprintf(bound, sizeof(bound), "+Inf");
		labels[0].value = str_from(bound);
		count += SUM(p, connects[i]);
		metrics_sample(p->out, p->name, "_bucket", labels, count);
	}
	metrics_sample_seconds(p->out, p->name, "_sum", SUM(p, connect_us));
	metrics_sample(p->out, p->name, "_count", NULL, count);
}

/* ---- routes ---- */

/* A name that people know, and that no other route has. */
static struct str label_of(const struct route *route, struct buf *out)
{
	const struct config_route *config = route->config;
	struct str name = config->name;

	if (str_is_empty(name))
		name = str_from_pos(config->from, str_find(config->from, ':') + strlen("://"));
	buf_truncate(out, 0);
	(void)buf_append_str(out, name);
	return buf_view(out);
}

struct route_writer {
	const struct page *page;
	const char *direction; /* NULL: no such label */
	size_t offset;         /* of the counter in struct route_state */
};

static uint64_t read_route(const struct route *route, size_t offset)
{
	const char *state = (const char *)route->state;

	return counter_read((const atomic_uint_fast64_t *)(const void *)(state + offset));
}

/* Names may be alike: then the id tells the routes apart. */
static void write_routes(const struct route_writer *w)
{
	const struct route_table *routes = &w->page->control->snapshot->routes;
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < routes->count; i++) {
		const struct route *route = &routes->routes[i];
		struct metrics_label labels[3] = { { "route", label_of(route, &text) } };

		if (map_get(&seen, labels[0].value)) {
			(void)buf_printf(&text, " (%s)", route->id);
			labels[0].value = buf_view(&text);
		}
		(void)map_put(&seen, labels[0].value, &routes->routes[i]);
		if (w->direction)
			labels[1] = (struct metrics_label){ "direction", str_from(w->direction) };
		sample(w->page, labels, read_route(route, w->offset));
	}
	map_done(&seen);
	buf_done(&text);
}

static void write_tunnels_active(const struct page *p)
{
	write_routes(&(struct route_writer){
		.page = p, .offset = offsetof(struct route_state, tunnels_active) });
}

static void write_tunnels_opened(const struct page *p)
{
	write_routes(&(struct route_writer){
		.page = p, .offset = offsetof(struct route_state, tunnels_opened) });
}

static void write_tunnel_bytes(const struct page *p)
{
	write_routes(&(struct route_writer){
		.page = p,
		.direction = "received",
		.offset = offsetof(struct route_state, bytes_received),
	});
	write_routes(&(struct route_writer){
		.page = p,
		.direction = "sent",
		.offset = offsetof(struct route_state, bytes_sent),
	});
}

/* ---- the rest ---- */

static void write_sessions(const struct page *p)
{
	sample(p, NULL, store_index_size(p->control->store));
}

static void write_reloads(const struct page *p)
{
	const struct reload_state *reloads = reload_state(p->control->reload);
	const struct metrics_label good[] = { { "result", STR("success") }, { 0 } };
	const struct metrics_label bad[] = { { "result", STR("failure") }, { 0 } };

	sample(p, good, reloads->success_count);
	sample(p, bad, reloads->failure_count);
}

static void write_last_reload(const struct page *p)
{
	sample(p, NULL, reload_state(p->control->reload)->is_last_good ? 1 : 0);
}

static void write_last_reload_time(const struct page *p)
{
	sample(p, NULL, (uint64_t)reload_state(p->control->reload)->last_success_unix);
}

static void write_dropped_lines(const struct page *p)
{
	sample(p, NULL,
	       log_dropped(p->control->log) + log_dropped(audit_file_log(p->control->audit)));
}

static void write_store_errors(const struct page *p)
{
	sample(p, NULL, counter_read(&p->control->store_errors));
}

static void write_route_count(const struct page *p)
{
	sample(p, NULL, p->control->snapshot->routes.count);
}

static void write_build(const struct page *p)
{
	const struct metrics_label labels[] = { { "version", STR(POMERIUM_VERSION) },
						{ "service", STR("pomerium") },
						{ 0 } };

	sample(p, labels, 1);
}

static const struct {
	const char *name;
	const char *type;
	const char *help;
	void (*write)(const struct page *p);
} rows[] = {
	{ "pomerium_tunnels_active", "gauge", "Open tunnels.", write_tunnels_active },
	{ "pomerium_tunnels_opened_total", "counter", "Tunnels opened.", write_tunnels_opened },
	{ "pomerium_tunnels_closed_total", "counter", "Tunnels that have ended, and why.",
	  write_ends },
	{ "pomerium_tunnel_bytes_total", "counter",
	  "Bytes of tunnels: received from and sent to clients.", write_tunnel_bytes },
	{ "pomerium_refusals_total", "counter", "Requests refused, and why.", write_refusals },
	{ "pomerium_handshakes_total", "counter", "TLS handshakes with clients.",
	  write_handshakes },
	{ "pomerium_handshake_failures_total", "counter", "TLS handshakes that failed.",
	  write_handshake_failures },
	{ "pomerium_upstream_connect_seconds", "histogram",
	  "Time to connect to an upstream that answered.", write_connects },
	{ "pomerium_sessions", "gauge", "Sessions and service accounts in memory.",
	  write_sessions },
	{ "pomerium_config_reloads_total", "counter", "Reloads of the configuration.",
	  write_reloads },
	{ "pomerium_config_last_reload_success", "gauge", "1 if the last load was good.",
	  write_last_reload },
	{ "pomerium_config_last_reload_success_timestamp", "gauge",
	  "When the configuration in force was loaded, in seconds since 1970.",
	  write_last_reload_time },
	{ "pomerium_log_lines_dropped_total", "counter", "Log lines that could not be written.",
	  write_dropped_lines },
	{ "pomerium_store_errors_total", "counter", "Times the session store went away.",
	  write_store_errors },
	{ "pomerium_policy_count_total", "gauge", "Routes.", write_route_count },
	{ "pomerium_build_info", "gauge", "Always 1.", write_build },
};

void metrics_page_write(const struct control *control, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct page page = { .control = control, .out = out, .name = rows[i].name };

		metrics_family(out, rows[i].name, rows[i].type, rows[i].help);
		rows[i].write(&page);
	}
}
