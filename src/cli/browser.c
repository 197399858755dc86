/*
 * browser.c - the end of the program is asked for on a timer, ever more rarely
 *
 * No SIGCHLD handler and no helper thread: a browser may run as long as the tunnel, and a thread that waits for it could
 * not be ended. A program that is going to fail does so soon.
 */

#include "cli/browser.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/platform.h"
#include "io/loop.h"

#define POLL_FIRST_MS 20
#define POLL_LAST_MS  2000

struct browser {
	struct loop *loop;
	struct timer timer;
	uint64_t interval_ms;
	char *program;
	pid_t pid; /* 0: did not start, see problem */
	struct err problem;
	void (*on_problem)(void *arg, const struct err *e);
	void *arg;
};

static bool is_set(const char *value)
{
	return value && *value;
}

char *browser_choose(const struct browser_choice *choice)
{
	struct str list = str_from(choice->environment);

	if (is_set(choice->flag))
		return mem_copy_string(choice->flag);
	if (str_equal(list, STR("none")))
		return NULL;
	if (!str_is_empty(list)) /* a list is separated by colons; the first is as good as any */
		return str_copy(str_first(list, str_find(list, ':')));
	if (is_set(choice->display) || is_set(choice->wayland_display))
		return mem_copy_string("xdg-open");
	return NULL;
}

static void on_timer(struct timer *timer)
{
	struct browser *b = container_of(timer, struct browser, timer);
	int status;

	if (b->pid == 0) {
		b->on_problem(b->arg, &b->problem);
		return;
	}
	if (!platform_spawn_has_ended(b->pid, &status)) {
		b->interval_ms = b->interval_ms * 2 < POLL_LAST_MS ? b->interval_ms * 2
								   : POLL_LAST_MS;
		timer_start(&b->timer, b->loop, clock_now_ms() + b->interval_ms, on_timer);
		return;
	}
	if (platform_spawn_check(b->program, status, &b->problem) < 0)
		b->on_problem(b->arg, &b->problem);
}

struct browser *browser_start(struct loop *loop, const char *program, const char *url,
			      void (*on_problem)(void *arg, const struct err *e), void *arg)
{
	struct browser *b = mem_alloc(sizeof(*b));

	*b = (struct browser){ .loop = loop,
			       .interval_ms = POLL_FIRST_MS,
			       .program = mem_copy_string(program),
			       .on_problem = on_problem,
			       .arg = arg };
	if (platform_spawn(program, url, &b->pid, &b->problem) < 0)
		b->pid = 0;
	timer_start(&b->timer, loop, clock_now_ms() + (b->pid ? POLL_FIRST_MS : 0), on_timer);
	return b;
}

void browser_stop(struct browser *b)
{
	if (!b)
		return;
	timer_cancel(&b->timer);
	mem_free(b->program);
	loop_free_later(b->loop, b);
}
