#include "proxy/balancer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

#define TARGETS_MAX 64
#define DRAWS       60000
#define CLIENTS     20000

struct bed {
	struct config_target targets[TARGETS_MAX];
	char names[TARGETS_MAX][32];
	struct config_route route;
	struct config_health_check check;
	struct route_state *state;
	struct balancer *balancer;
	uint64_t seed;
	size_t drawn[TARGETS_MAX];
	atomic_bool is_over; /* for checking() */
};

/* splitmix64: the same numbers in every run */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void bed_open(struct bed *bed, enum config_balancing policy, const uint32_t *weights,
		     size_t count)
{
	*bed = (struct bed){ .seed = 1 };
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(bed->names[i], sizeof(bed->names[i]), "10.0.0.%zu", i);
		bed->targets[i] = (struct config_target){
			.host = str_from(bed->names[i]),
			.port = 6379,
			.weight = weights ? weights[i] : 0,
			.is_weighted = weights != NULL,
		};
	}
	bed->route.targets = bed->targets;
	bed->route.target_count = count;
	bed->route.upstream.balancing = policy;
	bed->route.upstream.checks = &bed->check;
	bed->route.upstream.check_count = 1;
	bed->route.upstream.panic_percent = 50;
	bed->state = route_state_new("0123456789abcdef", count);
	bed->balancer = balancer_new(&bed->route);
}

static void bed_close(struct bed *bed)
{
	balancer_free(bed->balancer);
	route_state_unref(bed->state);
}

static bool choose(struct bed *bed, uint64_t key, const bool *tried, size_t *ret)
{
	struct balancer_facts facts = {
		.key = key,
		.random = { next_random(&bed->seed), next_random(&bed->seed) },
		.tried = tried,
	};

	return balancer_choose(bed->balancer, bed->state, &facts, ret);
}

/* Draws, each for another client, who all stay away afterwards. */
static void draw(struct bed *bed, size_t times)
{
	memset(bed->drawn, 0, sizeof(bed->drawn));
	for (size_t i = 0; i < times; i++) {
		size_t index = SIZE_MAX;

		assert_true(choose(bed, next_random(&bed->seed), NULL, &index));
		assert_true(index < bed->route.target_count);
		bed->drawn[index]++;
	}
}

static void expect_near(size_t got, size_t wanted, unsigned percent)
{
	size_t margin = wanted * percent / 100;

	assert_in_range(got, wanted - margin, wanted + margin);
}

static void test_weights_hold_for_every_policy(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3, 4 };
	static const struct {
		enum config_balancing policy;
		unsigned percent; /* how far off it may be */
	} cases[] = {
		{ CONFIG_BALANCING_ROUND_ROBIN, 0 }, { CONFIG_BALANCING_LEAST_REQUEST, 4 },
		{ CONFIG_BALANCING_RANDOM, 4 },      { CONFIG_BALANCING_RING_HASH, 20 },
		{ CONFIG_BALANCING_MAGLEV, 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bed bed;

		bed_open(&bed, cases[i].policy, weights, ARRAY_LEN(weights));
		draw(&bed, DRAWS);
		for (size_t k = 0; k < ARRAY_LEN(weights); k++)
			expect_near(bed.drawn[k], DRAWS * weights[k] / 10, cases[i].percent);
		bed_close(&bed);
	}
}

static void expect_turns(const uint32_t *weights, size_t count, const char *order)
{
	struct bed bed;
	size_t index = 0;

	bed_open(&bed, CONFIG_BALANCING_ROUND_ROBIN, weights, count);
	for (const char *at = order; *at; at++) {
		assert_true(choose(&bed, 0, NULL, &index));
		assert_int_equal(index, *at - 'a');
	}
	/* The counter of turns wraps without harm. */
	atomic_store(&bed.state->next_target, UINT_MAX);
	assert_true(choose(&bed, 0, NULL, &index));
	assert_true(choose(&bed, 0, NULL, &index));
	assert_int_equal(index, order[0] - 'a');
	bed_close(&bed);
}

static void test_turns(void **state)
{
	expect_turns(NULL, 1, "aaaa");
	expect_turns(NULL, 2, "abababab");
	expect_turns(NULL, 3, "abcabcabc");
	expect_turns((const uint32_t[]){ 50, 50 }, 2, "abababab");
	expect_turns((const uint32_t[]){ 3, 1 }, 2, "abaaabaa");
	/* Weights whose sum does not fit into 32 bits. */
	expect_turns((const uint32_t[]){ UINT32_MAX, UINT32_MAX }, 2, "abab");
}

/* Many turns for one never come in a row while others wait. */
static void test_turns_have_no_runs(void **state)
{
	static const uint32_t weights[] = { 100, 99, 101 };
	struct bed bed;
	size_t previous = SIZE_MAX;
	size_t run = 0;
	size_t longest = 0;

	bed_open(&bed, CONFIG_BALANCING_ROUND_ROBIN, weights, ARRAY_LEN(weights));
	for (size_t i = 0; i < 600; i++) {
		size_t index = 0;

		assert_true(choose(&bed, 0, NULL, &index));
		run = index == previous ? run + 1 : 1;
		longest = run > longest ? run : longest;
		previous = index;
		bed.drawn[index]++;
	}
	assert_true(longest <= 2);
	for (size_t i = 0; i < ARRAY_LEN(weights); i++)
		assert_int_equal(bed.drawn[i], 2 * weights[i]);
	bed_close(&bed);
}

/* Everybody stays: then the load, not only the draw, is as the weights say. */
static void test_least_request_evens_out(void **state)
{
	static const uint32_t weights[] = { 1, 1, 2, 4 };
	struct bed bed;

	bed_open(&bed, CONFIG_BALANCING_LEAST_REQUEST, weights, ARRAY_LEN(weights));
	/* One begins with a load that it had already. */
	atomic_store(&bed.state->targets[0].connections, 400);
	for (size_t i = 0; i < 7600; i++) {
		size_t index = 0;

		assert_true(choose(&bed, 0, NULL, &index));
		(void)atomic_fetch_add(&bed.state->targets[index].connections, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(weights); i++)
		expect_near(atomic_load(&bed.state->targets[i].connections), 1000 * weights[i], 2);
	bed_close(&bed);
}

static void test_two_targets_least_request_is_exact(void **state)
{
	struct bed bed;

	bed_open(&bed, CONFIG_BALANCING_LEAST_REQUEST, NULL, 2);
	atomic_store(&bed.state->targets[1].connections, 1);
	for (size_t i = 0; i < 100; i++) {
		size_t index = SIZE_MAX;

		assert_true(choose(&bed, 0, NULL, &index));
		assert_int_equal(index, 0);
	}
	bed_close(&bed);
}

static void choose_for_all(struct bed *bed, size_t *chosen)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "session-%zu", i);
		assert_true(choose(bed, balancer_key(str_from(name)), NULL, &chosen[i]));
	}
}

/* A client stays where it is, in every process; when a target is gone, (nearly) only its clients move. */
static void test_hashing_is_stable(void **state)
{
	static const struct {
		enum config_balancing policy;
		unsigned moved_percent; /* of those that need not have moved */
	} cases[] = { { CONFIG_BALANCING_RING_HASH, 0 }, { CONFIG_BALANCING_MAGLEV, 6 } };
	size_t *before = mem_alloc_array(CLIENTS, sizeof(*before));
	size_t *after = mem_alloc_array(CLIENTS, sizeof(*after));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bed bed;
		size_t moved = 0;
		size_t orphans = 0;

		bed_open(&bed, cases[i].policy, NULL, 8);
		choose_for_all(&bed, before);
		balancer_free(bed.balancer);
		bed.balancer = balancer_new(&bed.route);
		choose_for_all(&bed, after);
		assert_memory_equal(before, after, CLIENTS * sizeof(*before));

		bed.route.target_count = 7; /* the last one is taken out of the list */
		balancer_free(bed.balancer);
		bed.balancer = balancer_new(&bed.route);
		choose_for_all(&bed, after);
		for (size_t k = 0; k < CLIENTS; k++) {
			orphans += before[k] == 7;
			moved += before[k] != 7 && before[k] != after[k];
		}
		assert_in_range(orphans, CLIENTS / 12, CLIENTS / 6);
		assert_in_range(moved, 0, CLIENTS * cases[i].moved_percent / 100);
		bed_close(&bed);
	}
	mem_free(before);
	mem_free(after);
}

/* One that is only down moves nobody else's clients, and gives its own to all the others. */
static void test_hashing_around_one_that_is_down(void **state)
{
	static const enum config_balancing policies[] = { CONFIG_BALANCING_RING_HASH,
							  CONFIG_BALANCING_MAGLEV };
	size_t *before = mem_alloc_array(CLIENTS, sizeof(*before));
	size_t *after = mem_alloc_array(CLIENTS, sizeof(*after));

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		size_t heirs[8] = { 0 };
		struct bed bed;

		bed_open(&bed, policies[i], NULL, 8);
		choose_for_all(&bed, before);
		atomic_store(&bed.state->targets[3].is_down, true);
		choose_for_all(&bed, after);
		for (size_t k = 0; k < CLIENTS; k++) {
			assert_int_not_equal(after[k], 3);
			if (before[k] != 3)
				assert_int_equal(after[k], before[k]);
			else
				heirs[after[k]]++;
		}
		for (size_t k = 0; k < 8; k++)
			assert_true(k == 3 || heirs[k] > CLIENTS / 8 / 8 / 3);
		bed_close(&bed);
	}
	mem_free(before);
	mem_free(after);
}

static void test_down_is_left_out_until_panic(void **state)
{
	for (int policy = CONFIG_BALANCING_ROUND_ROBIN; policy <= CONFIG_BALANCING_MAGLEV;
	     policy++) {
		struct bed bed;

		bed_open(&bed, (enum config_balancing)policy, NULL, 4);
		atomic_store(&bed.state->targets[0].is_down, true);
		atomic_store(&bed.state->targets[2].is_down, true);
		draw(&bed, 1000); /* half of them: not below the threshold */
		assert_int_equal(bed.drawn[0] + bed.drawn[2], 0);
		assert_true(bed.drawn[1] > 0 && bed.drawn[3] > 0);

		atomic_store(&bed.state->targets[3].is_down, true);
		draw(&bed, 1000); /* a quarter: all count */
		for (size_t i = 0; i < 4; i++)
			assert_true(bed.drawn[i] > 0);

		bed.route.upstream.panic_percent = 0; /* never */
		balancer_free(bed.balancer);
		bed.balancer = balancer_new(&bed.route);
		draw(&bed, 1000);
		assert_int_equal(bed.drawn[1], 1000);
		atomic_store(&bed.state->targets[1].is_down, true);
		assert_false(choose(&bed, 0, NULL, &(size_t){ 0 }));

		bed.route.upstream.check_count = 0; /* what is left of checks that are no more */
		balancer_free(bed.balancer);
		bed.balancer = balancer_new(&bed.route);
		draw(&bed, 1000);
		assert_true(bed.drawn[0] > 0 && bed.drawn[1] > 0);
		bed_close(&bed);
	}
}

/* Every target comes once, whatever the policy, and then there is none. */
static void test_each_is_tried_once(void **state)
{
	for (int policy = CONFIG_BALANCING_ROUND_ROBIN; policy <= CONFIG_BALANCING_MAGLEV;
	     policy++) {
		static const uint32_t weights[] = { 1, 1000000, 1, 7, 1 };
		bool tried[5] = { false };
		struct bed bed;
		size_t index = 0;

		bed_open(&bed, (enum config_balancing)policy, weights, 5);
		for (size_t i = 0; i < 5; i++) {
			assert_true(choose(&bed, 12345, tried, &index));
			assert_false(tried[index]);
			tried[index] = true;
		}
		assert_false(choose(&bed, 12345, tried, &index));
		bed_close(&bed);
	}
}

static void test_one_target(void **state)
{
	for (int policy = CONFIG_BALANCING_ROUND_ROBIN; policy <= CONFIG_BALANCING_MAGLEV;
	     policy++) {
		struct bed bed;
		size_t index = SIZE_MAX;

		bed_open(&bed, (enum config_balancing)policy, NULL, 1);
		for (uint64_t key = 0; key < 10; key++) {
			assert_true(choose(&bed, key, NULL, &index));
			assert_int_equal(index, 0);
		}
		assert_false(choose(&bed, 0, (const bool[]){ true }, &index));
		bed_close(&bed);
	}
}

/* Two targets, one out of order: every other client begins with it, not every one. */
static void test_second_choice_takes_no_turn(void **state)
{
	struct bed bed;
	size_t index = 0;
	size_t firsts[2] = { 0 };

	bed_open(&bed, CONFIG_BALANCING_ROUND_ROBIN, NULL, 2);
	for (size_t i = 0; i < 10; i++) {
		bool tried[2] = { false };

		assert_true(choose(&bed, 0, tried, &index));
		firsts[index]++;
		tried[0] = index == 0;
		if (index == 0)
			assert_true(choose(&bed, 0, tried, &index));
		assert_int_equal(index, 1);
	}
	assert_int_equal(firsts[0], 5);
	bed_close(&bed);
}

/* The same target several times, and as many as a table has places for, and more. */
static void test_odd_lists(void **state)
{
	for (int policy = CONFIG_BALANCING_ROUND_ROBIN; policy <= CONFIG_BALANCING_MAGLEV;
	     policy++) {
		struct config_target *many = mem_alloc_array(70000, sizeof(*many));
		struct bed bed;

		bed_open(&bed, (enum config_balancing)policy, NULL, 3);
		for (size_t i = 0; i < 70000; i++)
			many[i] = (struct config_target){ .host = STR("10.0.0.1"),
							  .port = (uint16_t)(i & 0x7fff) };
		bed.route.targets = many;
		bed.route.target_count = 70000;
		route_state_unref(bed.state);
		bed.state = route_state_new("0123456789abcdef", 70000);
		balancer_free(bed.balancer);
		bed.balancer = balancer_new(&bed.route);
		for (size_t i = 0; i < 10; i++)
			assert_true(choose(&bed, next_random(&bed.seed), NULL, &(size_t){ 0 }));
		bed_close(&bed);
		mem_free(many);
	}
	balancer_free(NULL);
}

static void *checking(void *arg)
{
	struct bed *bed = arg;

	for (unsigned i = 0; !atomic_load(&bed->is_over); i++)
		atomic_store(&bed->state->targets[i % 3].is_down, i & 1);
	return NULL;
}

/* What the health checks find changes in the middle of a choice. */
static void test_health_changes_meanwhile(void **state)
{
	static const uint32_t weights[] = { 1, 7, 50 };

	for (int policy = CONFIG_BALANCING_ROUND_ROBIN; policy <= CONFIG_BALANCING_MAGLEV;
	     policy++) {
		pthread_t checker;
		struct bed bed;

		bed_open(&bed, (enum config_balancing)policy, weights, ARRAY_LEN(weights));
		assert_int_equal(pthread_create(&checker, NULL, checking, &bed), 0);
		for (size_t i = 0; i < DRAWS; i++) {
			size_t index = SIZE_MAX;

			if (choose(&bed, next_random(&bed.seed), NULL, &index))
				assert_in_range(index, 0, ARRAY_LEN(weights) - 1);
		}
		atomic_store(&bed.is_over, true);
		assert_int_equal(pthread_join(checker, NULL), 0);
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights_hold_for_every_policy),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_turns_have_no_runs),
		cmocka_unit_test(test_least_request_evens_out),
		cmocka_unit_test(test_two_targets_least_request_is_exact),
		cmocka_unit_test(test_hashing_is_stable),
		cmocka_unit_test(test_hashing_around_one_that_is_down),
		cmocka_unit_test(test_down_is_left_out_until_panic),
		cmocka_unit_test(test_each_is_tried_once),
		cmocka_unit_test(test_second_choice_takes_no_turn),
		cmocka_unit_test(test_one_target),
		cmocka_unit_test(test_odd_lists),
		cmocka_unit_test(test_health_changes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
