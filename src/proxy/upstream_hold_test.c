/*
 * upstream_hold_test.c - limits hold while many threads want the last place, and every place is given back
 */

#include "proxy/upstream_hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include "proxy/control.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

#define THREADS 8
#define ROUNDS  20000
#define RACERS  2
#define RACES   20000

struct crowd {
	struct control control;
	struct worker worker;
	struct config config;
	struct snapshot snapshot;
	struct config_target targets[2];
	struct config_route config_route;
	struct route route;
	uint64_t limit;
	atomic_uint_fast64_t admitted;
	atomic_uint_fast64_t refused;
	atomic_uint exceeded;
};

static void use_place(struct crowd *crowd, struct exchange *x, size_t round)
{
	struct route_state *state = crowd->route.state;

	if (atomic_load(&state->admitted) > crowd->limit ||
	    atomic_load(&crowd->control.admission.tunnels) > crowd->limit)
		atomic_fetch_add(&crowd->exceeded, 1);
	upstream_hold_target(x, round % 2);
	upstream_hold_target(x, (round + 1) % 2);
	if (round % 3)
		upstream_hold_opened(x);
	upstream_release(x);
	upstream_release(x);
}

static void *visit(void *arg)
{
	struct crowd *crowd = arg;

	for (size_t i = 0; i < ROUNDS; i++) {
		struct exchange x = {
			.worker = &crowd->worker,
			.snapshot = &crowd->snapshot,
			.route = &crowd->route,
			.outcome = { .bytes_received = 2, .bytes_sent = 3 },
		};

		if (upstream_admit(&x) == UPSTREAM_ADMITTED) {
			atomic_fetch_add(&crowd->admitted, 1);
			use_place(crowd, &x, i);
		} else {
			atomic_fetch_add(&crowd->refused, 1);
		}
	}
	return NULL;
}

static void crowd_init(struct crowd *crowd, uint64_t limit)
{
	*crowd = (struct crowd){
		.limit = limit,
		.config = { .limits = { .max_tunnels = UINT64_MAX } },
		.config_route = {
			.target_count = 2,
			.upstream = { .breakers = { UINT64_MAX, UINT64_MAX } },
			.lifetime = { .max_tunnels = UINT64_MAX },
		},
	};
	crowd->worker.shared.control = &crowd->control;
	crowd->snapshot.config = &crowd->config;
	crowd->config_route.targets = crowd->targets;
	crowd->route.config = &crowd->config_route;
	crowd->route.state = route_state_new("0123456789abcdef", 2);
}

static void run_crowd(struct crowd *crowd)
{
	struct route_state *state = crowd->route.state;
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit, crowd), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);

	assert_int_equal(atomic_load(&crowd->exceeded), 0);
	assert_int_equal(atomic_load(&crowd->admitted) + atomic_load(&crowd->refused),
			 THREADS * ROUNDS);
	assert_int_equal(atomic_load(&state->admitted), 0);
	assert_int_equal(atomic_load(&state->pending), 0);
	assert_int_equal(atomic_load(&state->tunnels_active), 0);
	assert_int_equal(atomic_load(&state->bytes_received),
			 2 * atomic_load(&state->tunnels_opened));
	assert_int_equal(atomic_load(&state->bytes_sent), 3 * atomic_load(&state->tunnels_opened));
	assert_int_equal(atomic_load(&crowd->control.admission.tunnels), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(atomic_load(&state->targets[i].connections), 0);
		assert_int_equal(atomic_load(&state->targets[i].dials), 0);
	}
	/* Of those who want the last place one gets it: nobody is turned away while there is room. */
	assert_true(atomic_load(&crowd->admitted) >= ROUNDS / 2);
	route_state_unref(state);
}

static void test_each_limit_holds(void **state)
{
	for (int which = 0; which < 4; which++) {
		struct crowd crowd;

		crowd_init(&crowd, 2);
		if (which == 0)
			crowd.config.limits.max_tunnels = 2;
		if (which == 1)
			crowd.config_route.lifetime.max_tunnels = 2;
		if (which == 2)
			crowd.config_route.upstream.breakers.max_connections = 2;
		if (which == 3)
			crowd.config_route.upstream.breakers.max_pending = 2;
		if (which != 0 && which != 3)
			crowd.limit = THREADS; /* the gateway's count is taken first */
		if (which == 3)
			crowd.limit = THREADS;
		run_crowd(&crowd);
	}
}

/* All of them at the same moment, over and over: exactly one gets it. */
struct race {
	struct crowd crowd;
	pthread_barrier_t start;
	pthread_barrier_t end;
	atomic_uint winners;
	atomic_uint wrong; /* rounds with more than one winner, or none */
};

static void *run_race(void *arg)
{
	struct race *race = arg;

	for (size_t i = 0; i < RACES; i++) {
		struct exchange x = {
			.worker = &race->crowd.worker,
			.snapshot = &race->crowd.snapshot,
			.route = &race->crowd.route,
		};

		(void)pthread_barrier_wait(&race->start);
		if (upstream_admit(&x) == UPSTREAM_ADMITTED)
			atomic_fetch_add(&race->winners, 1);
		if (pthread_barrier_wait(&race->end) == PTHREAD_BARRIER_SERIAL_THREAD &&
		    atomic_exchange(&race->winners, 0) != 1)
			atomic_fetch_add(&race->wrong, 1);
		(void)pthread_barrier_wait(&race->end);
		upstream_release(&x);
	}
	return NULL;
}

static void test_the_last_place(void **state)
{
	struct race race = { 0 };
	pthread_t threads[RACERS];

	crowd_init(&race.crowd, 1);
	race.crowd.config_route.lifetime.max_tunnels = 1;
	assert_int_equal(pthread_barrier_init(&race.start, NULL, RACERS), 0);
	assert_int_equal(pthread_barrier_init(&race.end, NULL, RACERS), 0);
	for (size_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_race, &race), 0);
	for (size_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&race.wrong), 0);
	(void)pthread_barrier_destroy(&race.start);
	(void)pthread_barrier_destroy(&race.end);
	route_state_unref(race.crowd.route.state);
}

static void test_no_limit_refuses_nobody(void **state)
{
	struct crowd crowd;

	crowd_init(&crowd, THREADS);
	run_crowd(&crowd);
	assert_int_equal(atomic_load(&crowd.refused), 0);
}

static void test_none_at_all(void **state)
{
	struct crowd crowd;
	struct exchange x;

	crowd_init(&crowd, 0);
	crowd.config_route.lifetime.max_tunnels = 0;
	x = (struct exchange){ .worker = &crowd.worker,
			       .snapshot = &crowd.snapshot,
			       .route = &crowd.route };
	assert_int_equal(upstream_admit(&x), UPSTREAM_TOO_MANY_TUNNELS);
	crowd.config_route.lifetime.max_tunnels = 1;
	crowd.config_route.upstream.breakers.max_connections = 0;
	assert_int_equal(upstream_admit(&x), UPSTREAM_TOO_MANY_CONNECTIONS);
	crowd.config_route.upstream.breakers = (struct config_breakers){ 1, 0 };
	assert_int_equal(upstream_admit(&x), UPSTREAM_TOO_MANY_CONNECTIONS);
	crowd.config_route.upstream.breakers = (struct config_breakers){ 1, 1 };
	assert_int_equal(upstream_admit(&x), UPSTREAM_ADMITTED);
	upstream_release(&x);
	assert_int_equal(atomic_load(&crowd.control.admission.tunnels), 0);
	route_state_unref(crowd.route.state);
}

/* Names of hosts have no case, paths of sockets do: the others there are somebody else's. */
static void test_who_is_kept(void **state)
{
	static const struct {
		enum config_hop hop;
		const char *before;
		const char *after;
		bool is_kept;
	} rows[] = {
		{ CONFIG_HOP_TCP, "redis.example.com", "Redis.Example.com", true },
		{ CONFIG_HOP_TCP, "redis.example.com", "redis.example.org", false },
		{ CONFIG_HOP_UNIX, "/run/redis.sock", "/run/redis.sock", true },
		{ CONFIG_HOP_UNIX, "/run/redis.sock", "/run/Redis.sock", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_target target = { .hop = rows[i].hop,
						.host = str_from(rows[i].after) };
		struct config_route config = { .targets = &target, .target_count = 1 };
		struct route route = { .config = &config };
		struct crowd crowd;
		struct exchange x;

		crowd_init(&crowd, 1);
		crowd.config_route.lifetime.max_tunnels = 1;
		crowd.targets[0] = (struct config_target){ .hop = rows[i].hop,
							   .host = str_from(rows[i].before) };
		x = (struct exchange){ .worker = &crowd.worker,
				       .snapshot = &crowd.snapshot,
				       .route = &crowd.route };
		route.state = route_state_new("fedcba9876543210", 1);
		assert_int_equal(upstream_admit(&x), UPSTREAM_ADMITTED);
		upstream_hold_target(&x, 0);
		assert_int_equal(upstream_keep(&x, &route), rows[i].is_kept);
		assert_int_equal(atomic_load(&route.state->admitted), rows[i].is_kept);
		upstream_release(&x);
		assert_int_equal(atomic_load(&route.state->admitted), 0);
		route_state_unref(route.state);
		route_state_unref(crowd.route.state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_limit_holds),
		cmocka_unit_test(test_the_last_place),
		cmocka_unit_test(test_no_limit_refuses_nobody),
		cmocka_unit_test(test_none_at_all),
		cmocka_unit_test(test_who_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
