/*
 * A watched target lives as long as every snapshot has it with the same checks; anything else replaces it. So what a
 * check has learned, and a probe that is under way, survive reloads that have nothing to do with them.
 */

#include "proxy/health_check.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "proxy/health_probe.h"
#include "proxy/snapshot.h"
#include "proxy/upstream.h"

#define FIRST_WITHIN_MS 1000
#define JITTER_PERCENT  10
#define KEY_MAX         64

struct watched;

struct check {
	struct watched *watched;
	struct config_health_check config; /* texts in the arena */
	struct timer timer;
	struct health_probe *probe;
	unsigned failures; /* in a row */
	unsigned successes;
	bool is_down;
	bool has_result;
};

struct watched {
	struct health_checks *all;
	struct arena arena;
	struct config_target target;
	struct route_state *state; /* referenced */
	size_t index;
	enum dial_family family;
	enum config_proxy_header proxy_header;
	struct check *checks;
	size_t count;
	unsigned round; /* of health_checks_set() */
};

struct health_checks {
	struct loop *loop;
	struct log *log;
	struct resolver *resolver; /* NULL until there is something to check */
	struct map by_key;         /* "1a2b3c4d5e6f7081 0": route and target */
	unsigned round;
};

/* ---- results ---- */

static void log_change(const struct watched *w, bool is_down, const struct err *e)
{
	char target[UPSTREAM_TEXT_MAX];
	struct log_line line;

	upstream_target_format(&w->target, target);
	log_begin(w->all->log, &line, is_down ? LOG_WARN : LOG_INFO, "proxy");
	log_cstr(&line, "route-id", w->state->id);
	log_cstr(&line, "target", target);
	if (e)
		log_cstr(&line, "error", e->text);
	log_end(&line, is_down ? "target is down" : "target is up again");
}

static void tell(struct watched *w, const struct err *e)
{
	bool is_down = false;

	for (size_t i = 0; i < w->count; i++)
		is_down |= w->checks[i].is_down;
	if (atomic_exchange_explicit(&w->state->targets[w->index].is_down, is_down,
				     memory_order_relaxed) != is_down)
		log_change(w, is_down, e);
}

static void start_timer(struct check *check, uint64_t delay_ms);

static uint64_t random_below(uint64_t limit)
{
	uint64_t random = 0;

	if (limit == 0)
		return 0;
	random_bytes(&random, sizeof(random));
	return random % limit;
}

static void on_probed(void *arg, const struct err *e)
{
	struct check *check = arg;
	const struct config_health_check *config = &check->config;
	uint64_t jitter = config->interval_ms * JITTER_PERCENT / 100;

	check->probe = NULL;
	check->failures = e ? check->failures + 1 : 0;
	check->successes = e ? 0 : check->successes + 1;
	if (!check->has_result)
		check->is_down = e != NULL;
	else if (check->failures >= config->unhealthy_threshold)
		check->is_down = true;
	else if (check->successes >= config->healthy_threshold)
		check->is_down = false;
	check->has_result = true;
	tell(check->watched, e);
	start_timer(check, config->interval_ms - jitter + random_below(2 * jitter + 1));
}

static void on_due(struct timer *timer)
{
	struct check *check = container_of(timer, struct check, timer);
	const struct watched *w = check->watched;

	check->probe = health_probe_start(
		&(struct health_probe_options){
			.loop = w->all->loop,
			.resolver = w->all->resolver,
			.target = &w->target,
			.check = &check->config,
			.family = w->family,
			.proxy_header = w->proxy_header,
		},
		on_probed, check);
}

static void start_timer(struct check *check, uint64_t delay_ms)
{
	struct loop *loop = check->watched->all->loop;

	timer_start(&check->timer, loop, loop_now_ms(loop) + delay_ms, on_due);
}

/* ---- what is watched ---- */

static void watched_free(struct watched *w)
{
	for (size_t i = 0; i < w->count; i++) {
		timer_cancel(&w->checks[i].timer);
		health_probe_cancel(TAKE(w->checks[i].probe));
	}
	route_state_unref(w->state);
	arena_done(&w->arena);
	mem_free(w);
}

static struct config_health_check copy_check(struct arena *arena,
					     const struct config_health_check *config)
{
	struct config_health_check copy = *config;
	struct str *items = arena_alloc_array(arena, config->receive.count, sizeof(*items));

	copy.send = arena_copy(arena, config->send);
	for (size_t i = 0; i < config->receive.count; i++)
		items[i] = arena_copy(arena, config->receive.items[i]);
	copy.receive.items = items;
	return copy;
}

static struct watched *watched_new(struct health_checks *h, const struct route *route, size_t index)
{
	const struct config_upstream *upstream = &route->config->upstream;
	struct watched *w = mem_alloc(sizeof(*w));
	bool was_down = atomic_load(&route->state->targets[index].is_down);

	w->all = h;
	w->target = route->config->targets[index];
	w->target.host = arena_copy(&w->arena, w->target.host);
	w->state = route_state_ref(route->state);
	w->index = index;
	w->proxy_header = upstream->proxy_header;
	w->count = upstream->check_count;
	w->checks = arena_alloc_array(&w->arena, w->count, sizeof(*w->checks));
	for (size_t i = 0; i < w->count; i++) {
		struct check *check = &w->checks[i];
		uint64_t interval = upstream->checks[i].interval_ms;

		check->watched = w;
		check->config = copy_check(&w->arena, &upstream->checks[i]);
		check->is_down = was_down;
		start_timer(check,
			    random_below(interval < FIRST_WITHIN_MS ? interval : FIRST_WITHIN_MS));
	}
	return w;
}

static bool is_same_check(const struct config_health_check *a, const struct config_health_check *b)
{
	if (a->timeout_ms != b->timeout_ms || a->interval_ms != b->interval_ms ||
	    a->unhealthy_threshold != b->unhealthy_threshold ||
	    a->healthy_threshold != b->healthy_threshold || !str_equal(a->send, b->send) ||
	    a->receive.count != b->receive.count)
		return false;
	for (size_t i = 0; i < a->receive.count; i++)
		if (!str_equal(a->receive.items[i], b->receive.items[i]))
			return false;
	return true;
}

/* The key says that it is the same target, but for the kind of hop. */
static bool is_as_it_was(const struct watched *w, const struct route *route, size_t index)
{
	const struct config_upstream *upstream = &route->config->upstream;

	if (w->state != route->state || w->target.hop != route->config->targets[index].hop ||
	    w->proxy_header != upstream->proxy_header || w->count != upstream->check_count)
		return false;
	for (size_t i = 0; i < w->count; i++)
		if (!is_same_check(&w->checks[i].config, &upstream->checks[i]))
			return false;
	return true;
}

/* ---- all of them ---- */

struct health_checks *health_checks_new(struct loop *loop, struct log *log)
{
	struct health_checks *h = mem_alloc(sizeof(*h));

	h->loop = loop;
	h->log = log;
	map_init(&h->by_key);
	return h;
}

/* Nobody looks any more: whatever was found last is no reason to stay away from it. */
static bool drop_old(void *arg, struct str key, void *value)
{
	struct watched *w = value;

	if (w->round == w->all->round)
		return false;
	atomic_store_explicit(&w->state->targets[w->index].is_down, false, memory_order_relaxed);
	watched_free(w);
	return true;
}

void health_checks_free(struct health_checks *h)
{
	if (!h)
		return;
	h->round++;
	map_visit(&h->by_key, drop_old, NULL);
	map_done(&h->by_key);
	resolver_free(TAKE(h->resolver));
	mem_free(h);
}

static void watch_target(struct health_checks *h, const struct route *route, size_t index,
			 enum dial_family family)
{
	struct buf key = BUF_INIT(KEY_MAX);
	struct watched *w;

	(void)buf_printf(&key, "%s %zu", route->id, index);
	w = map_get(&h->by_key, buf_view(&key));
	if (w && !is_as_it_was(w, route, index)) {
		(void)map_remove(&h->by_key, buf_view(&key));
		watched_free(TAKE(w));
	}
	if (!w) {
		w = watched_new(h, route, index);
		(void)map_put(&h->by_key, buf_view(&key), w); /* there is none */
	}
	w->family = family;
	w->round = h->round;
	buf_done(&key);
}

static bool has_resolver(struct health_checks *h)
{
	struct err e = { 0 };

	if (!h->resolver)
		h->resolver = resolver_new(h->loop, &e);
	if (!h->resolver)
		log_error(h->log, LOG_ERROR, "proxy", "no health checks", &e);
	return h->resolver != NULL;
}

void health_checks_set(struct health_checks *h, const struct snapshot *snapshot)
{
	enum dial_family family;

	if (!h)
		return;
	family = upstream_family(snapshot->config->dns_family);
	h->round++;
	for (size_t i = 0; i < snapshot->routes.count; i++) {
		const struct route *route = &snapshot->routes.routes[i];

		if (route->config->upstream.check_count == 0 || !has_resolver(h))
			continue;
		for (size_t k = 0; k < route->config->target_count; k++)
			watch_target(h, route, k, family);
	}
	map_visit(&h->by_key, drop_old, NULL);
}
