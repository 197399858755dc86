#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/clock_fake.h"

#define TIMERS 500

/* ---- timers ---- */

struct timer_probe {
	struct timer timer;
	unsigned fired;
	uint64_t *last_due_ms;
};

static void on_due(struct timer *timer)
{
	struct timer_probe *p = container_of(timer, struct timer_probe, timer);

	assert_true(timer->due_ms <= clock_now_ms());
	assert_true(timer->due_ms >= *p->last_due_ms);
	assert_false(timer_is_started(timer));
	*p->last_due_ms = timer->due_ms;
	p->fired++;
}

static void test_timers_fire_in_order_once(void **state)
{
	struct loop *loop = loop_new();
	struct timer_probe *probes = mem_alloc_array(TIMERS, sizeof(*probes));
	uint64_t begin_ms = clock_now_ms();
	uint64_t last_due_ms = 0;
	uint32_t random = 1;

	for (size_t i = 0; i < TIMERS; i++) {
		random = random * 1664525u + 1013904223u;
		probes[i].last_due_ms = &last_due_ms;
		timer_start(&probes[i].timer, loop, begin_ms + 1 + (random >> 8) % 1000, on_due);
	}
	/* A third is moved, a third is taken back. */
	for (size_t i = 0; i < TIMERS; i += 3)
		timer_start(&probes[i].timer, loop, begin_ms + 1 + (i * 7) % 1000, on_due);
	for (size_t i = 1; i < TIMERS; i += 3)
		timer_cancel(&probes[i].timer);

	for (int i = 0; i < 101; i++) {
		loop_turn(loop, false);
		for (size_t t = 0; t < TIMERS; t++)
			assert_int_equal(probes[t].fired,
					 t % 3 != 1 && probes[t].timer.due_ms <= clock_now_ms());
		clock_fake_advance_ms(10);
	}
	mem_free(probes);
	loop_free(loop);
}

static void on_due_again(struct timer *timer)
{
	struct timer_probe *p = container_of(timer, struct timer_probe, timer);

	p->fired++;
	if (p->fired < 3)
		timer_start(timer, timer->loop, clock_now_ms(), on_due_again);
}

static void test_timer_for_now_waits_for_the_next_turn(void **state)
{
	struct loop *loop = loop_new();
	struct timer_probe p = { 0 };

	timer_start(&p.timer, loop, clock_now_ms(), on_due_again);
	assert_int_equal(p.fired, 0);
	for (unsigned i = 1; i <= 3; i++) {
		loop_turn(loop, true);
		assert_int_equal(p.fired, i);
	}
	timer_cancel(&p.timer);
	timer_cancel(&p.timer);
	loop_free(loop);
}

struct timer_pair {
	struct timer first;
	struct timer second;
	unsigned fired;
};

static void on_first(struct timer *timer)
{
	struct timer_pair *pair = container_of(timer, struct timer_pair, first);

	pair->fired++;
	timer_cancel(&pair->second);
}

static void on_second(struct timer *timer)
{
	fail();
}

static void test_timer_cancels_another_that_is_due(void **state)
{
	struct loop *loop = loop_new();
	struct timer_pair pair = { 0 };

	timer_start(&pair.second, loop, clock_now_ms() + 2, on_second);
	timer_start(&pair.first, loop, clock_now_ms() + 1, on_first);
	clock_fake_advance_ms(5);
	loop_turn(loop, false);
	assert_int_equal(pair.fired, 1);
	loop_free(loop);
}

/* ---- later ---- */

struct later_probe {
	struct later later;
	struct loop *loop;
	struct later_probe *other;
	unsigned runs;
};

static void count_run(struct later *later)
{
	container_of(later, struct later_probe, later)->runs++;
}

static void start_again(struct later *later)
{
	struct later_probe *p = container_of(later, struct later_probe, later);

	p->runs++;
	later_start(&p->later, p->loop, start_again);
}

static void cancel_other(struct later *later)
{
	struct later_probe *p = container_of(later, struct later_probe, later);

	p->runs++;
	later_cancel(&p->other->later);
}

static void test_later(void **state)
{
	struct loop *loop = loop_new();
	struct later_probe twice = { 0 };
	struct later_probe again = { .loop = loop };
	struct later_probe victim = { 0 };
	struct later_probe killer = { .other = &victim };

	later_start(&twice.later, loop, count_run);
	later_start(&twice.later, loop, count_run);
	later_start(&again.later, loop, start_again);
	later_start(&killer.later, loop, cancel_other);
	later_start(&victim.later, loop, count_run);
	assert_int_equal(twice.runs, 0);
	loop_turn(loop, true);
	assert_int_equal(twice.runs, 1);
	assert_int_equal(again.runs, 1);
	assert_int_equal(killer.runs, 1);
	assert_int_equal(victim.runs, 0);
	/* One pending later-call is enough not to wait for events. */
	loop_turn(loop, true);
	assert_int_equal(again.runs, 2);
	assert_int_equal(twice.runs, 1);
	later_cancel(&again.later);
	loop_turn(loop, false);
	assert_int_equal(again.runs, 2);
	loop_free(loop);
}

struct doomed {
	struct later later;
	struct loop *loop;
	unsigned *runs;
	uint8_t payload[64];
};

static void free_itself(struct later *later)
{
	struct doomed *d = container_of(later, struct doomed, later);

	loop_free_later(d->loop, d);
	/* Still there: the address sanitizer watches. */
	d->payload[0]++;
	++*d->runs;
}

static void test_free_later_is_after_later_calls(void **state)
{
	struct loop *loop = loop_new();
	unsigned runs = 0;

	for (int i = 0; i < 200; i++) {
		struct doomed *d = mem_alloc(sizeof(*d));

		d->loop = loop;
		d->runs = &runs;
		later_start(&d->later, loop, free_itself);
	}
	loop_free_later(loop, NULL);
	loop_free_later(loop, mem_alloc(10));
	loop_turn(loop, true);
	assert_int_equal(runs, 200);
	/* What is doomed when the loop ends goes with it. */
	loop_free_later(loop, mem_alloc(10));
	loop_free(loop);
}

/* ---- watches ---- */

struct watch_probe {
	struct watch watch;
	struct watch_probe *victim;
	unsigned events;
	unsigned calls;
};

static void on_ready(struct watch *watch, unsigned events)
{
	struct watch_probe *p = container_of(watch, struct watch_probe, watch);

	p->events |= events;
	p->calls++;
	if (p->victim)
		watch_close(&p->victim->watch);
}

static void make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void test_watch_tells_only_what_is_wanted(void **state)
{
	struct loop *loop = loop_new();
	struct watch_probe p = { 0 };
	int fds[2];
	char byte = 0;

	make_pair(fds);
	assert_int_equal(watch_open(&p.watch, loop, fds[0], on_ready, NULL), 0);
	assert_int_equal(p.watch.ready, WATCH_READ | WATCH_WRITE);
	p.watch.ready = 0;
	loop_turn(loop, false);
	assert_int_equal(p.calls, 0);
	assert_int_equal(p.watch.ready, WATCH_WRITE);

	watch_want(&p.watch, WATCH_READ);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_turn(loop, true);
	assert_int_equal(p.events, WATCH_READ);
	assert_int_equal(p.calls, 1);
	/* Told once; but what came unwanted is remembered. */
	assert_int_equal(read(fds[0], &byte, 1), 1);
	p.watch.ready = 0;
	assert_int_equal(write(fds[1], "y", 1), 1);
	loop_turn(loop, true);
	assert_int_equal(p.calls, 1);
	assert_true(p.watch.ready & WATCH_READ);
	assert_false(p.watch.has_hangup);

	watch_want(&p.watch, WATCH_READ);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	loop_turn(loop, true);
	assert_int_equal(p.calls, 2);
	assert_int_equal(p.events, WATCH_READ);
	assert_true(p.watch.has_hangup);
	watch_close(&p.watch);
	watch_close(&p.watch);
	close_pair(fds);
	loop_free(loop);
}

static void test_watch_closed_in_the_same_batch_is_silent(void **state)
{
	struct loop *loop = loop_new();
	struct watch_probe p[2] = { { .victim = &p[1] }, { .victim = &p[0] } };
	int fds[2][2];

	for (int i = 0; i < 2; i++) {
		make_pair(fds[i]);
		assert_int_equal(watch_open(&p[i].watch, loop, fds[i][0], on_ready, NULL), 0);
		watch_want(&p[i].watch, WATCH_READ);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
	}
	loop_turn(loop, true);
	assert_int_equal(p[0].calls + p[1].calls, 1);
	for (int i = 0; i < 2; i++) {
		watch_close(&p[i].watch);
		close_pair(fds[i]);
	}
	loop_turn(loop, false);
	assert_int_equal(p[0].calls + p[1].calls, 1);
	loop_free(loop);
}

static void test_many_watches(void **state)
{
	enum { COUNT = 700 }; /* more than one batch of the poller */
	struct loop *loop = loop_new();
	struct watch_probe *p = mem_alloc_array(COUNT, sizeof(*p));
	int(*fds)[2] = mem_alloc_array(COUNT, sizeof(*fds));
	unsigned told = 0;

	for (int i = 0; i < COUNT; i++) {
		make_pair(fds[i]);
		assert_int_equal(watch_open(&p[i].watch, loop, fds[i][0], on_ready, NULL), 0);
		watch_want(&p[i].watch, WATCH_READ);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
	}
	for (int i = 0; i < 5; i++)
		loop_turn(loop, false);
	for (int i = 0; i < COUNT; i++) {
		told += p[i].calls;
		watch_close(&p[i].watch);
		close_pair(fds[i]);
	}
	assert_int_equal(told, COUNT);
	mem_free(p);
	mem_free(fds);
	loop_free(loop);
}

static void test_watch_refuses_regular_files(void **state)
{
	struct loop *loop = loop_new();
	struct watch_probe p = { 0 };
	struct err e = { 0 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(watch_open(&p.watch, loop, fd, on_ready, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	watch_close(&p.watch);
	close(fd);
	loop_free(loop);
}

/* ---- blocks and running ---- */

static void test_blocks(void **state)
{
	enum { COUNT = 20 };
	struct loop *loop = loop_new();
	void *blocks[COUNT];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < COUNT; i++) {
			blocks[i] = loop_block_get(loop);
			memset(blocks[i], i, LOOP_BLOCK_SIZE);
		}
		for (int i = 0; i < COUNT; i++) {
			assert_int_equal(((uint8_t *)blocks[i])[LOOP_BLOCK_SIZE - 1], i);
			loop_block_put(loop, blocks[i]);
		}
	}
	assert_ptr_equal(loop_block_get(loop), blocks[7]);
	loop_block_put(loop, blocks[7]);
	loop_free(loop);
	loop_free(NULL);
}

static void stop_loop(struct later *later)
{
	struct later_probe *p = container_of(later, struct later_probe, later);

	p->runs++;
	loop_stop(p->loop);
}

static void test_run_until_stop(void **state)
{
	struct loop *loop = loop_new();
	struct later_probe p = { .loop = loop };

	later_start(&p.later, loop, stop_loop);
	loop_run(loop);
	assert_int_equal(p.runs, 1);
	later_start(&p.later, loop, stop_loop);
	loop_run(loop);
	assert_int_equal(p.runs, 2);
	assert_int_equal(loop_now_ms(loop), clock_now_ms());
	loop_free(loop);
}

static void take_time(struct later *later)
{
	struct later_probe *p = container_of(later, struct later_probe, later);

	clock_fake_advance_ms(p->runs);
}

static void test_longest_turn(void **state)
{
	static const struct {
		unsigned ms;
		uint64_t longest_us;
	} turns[] = { { 0, 0 }, { 3, 3000 }, { 1, 3000 }, { 7, 7000 } };
	struct loop *loop = loop_new();
	struct later_probe p = { .loop = loop };

	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		p.runs = turns[i].ms;
		later_start(&p.later, loop, take_time);
		loop_turn(loop, false);
		assert_int_equal(loop_longest_turn_us(loop), turns[i].longest_us);
		clock_fake_advance_ms(100); /* between turns */
	}
	loop_forget_longest_turn(loop);
	assert_int_equal(loop_longest_turn_us(loop), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order_once),
		cmocka_unit_test(test_timer_for_now_waits_for_the_next_turn),
		cmocka_unit_test(test_timer_cancels_another_that_is_due),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_free_later_is_after_later_calls),
		cmocka_unit_test(test_watch_tells_only_what_is_wanted),
		cmocka_unit_test(test_watch_closed_in_the_same_batch_is_silent),
		cmocka_unit_test(test_many_watches),
		cmocka_unit_test(test_watch_refuses_regular_files),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_run_until_stop),
		cmocka_unit_test(test_longest_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
