/*
 * browser.c - the end of the program is asked for on a timer, ever more rarely
 *
 * No SIGCHLD handler and no helper thread: a browser may run as long as the tunnel, and a thread that waits for it could
 * not be ended. A program that is going to fail does so soon.
 */

#include "cli/browser.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/platform.h"
#include "io/loop.h"

/* Shows an address with what Windows has for it; the address is no command line there. */
#define RUNDLL      "rundll32.exe"
#define RUNDLL_OPEN "url.dll,FileProtocolHandler"

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

static bool can_run(struct str directory, const char *program)
{
	_cleanup_(mem_freep) char *path = NULL;
	struct buf text = BUF_INIT(PATH_MAX);

	if (buf_printf(&text, "%.*s/%s", STR_FMT(directory), program) < 0) {
		buf_done(&text);
		return false;
	}
	path = buf_take_string(&text);
	return access(path, X_OK) == 0;
}

/* The first of the programs that is in the search path. */
static char *find_program(const char *search_path, const char *const *programs)
{
	for (; *programs; programs++) {
		struct str rest = str_from(search_path);
		struct str directory;

		while (str_cut(&rest, ':', &directory))
			if (!str_is_empty(directory) && can_run(directory, *programs))
				return mem_copy_string(*programs);
	}
	return NULL;
}

char *browser_choose(const struct browser_choice *choice)
{
	static const char *const of_windows[] = { "wslview", RUNDLL, NULL };
	struct str list = str_from(choice->environment);

	if (choice->is_unwanted)
		return NULL;
	if (is_set(choice->flag))
		return mem_copy_string(choice->flag);
	if (str_equal(list, STR("none")))
		return NULL;
	if (!str_is_empty(list)) /* a list is separated by colons; the first is as good as any */
		return str_copy(str_first(list, str_find(list, ':')));
	if (is_set(choice->ssh))
		return NULL; /* a forwarded display is no place for a browser, and seldom a quick one */
	if (is_set(choice->wsl)) {
		char *program = find_program(choice->path, of_windows);
		if (program)
			return program;
	}
	if (is_set(choice->display) || is_set(choice->wayland_display))
		return mem_copy_string("xdg-open");
	return NULL;
}

char *browser_choose_here(const char *flag, bool is_unwanted)
{
	const struct browser_choice choice = { .is_unwanted = is_unwanted,
					       .flag = flag,
					       .environment = getenv("BROWSER"),
					       .ssh = getenv("SSH_CONNECTION"),
					       .wsl = getenv("WSL_DISTRO_NAME"),
					       .path = getenv("PATH"),
					       .display = getenv("DISPLAY"),
					       .wayland_display = getenv("WAYLAND_DISPLAY") };

	return browser_choose(&choice);
}

static int spawn(const char *program, const char *url, pid_t *ret_pid, struct err *e)
{
	if (strcmp(program, RUNDLL) == 0)
		return platform_spawn((const char *[]){ program, RUNDLL_OPEN, url, NULL }, ret_pid,
				      e);
	return platform_spawn((const char *[]){ program, url, NULL }, ret_pid, e);
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
	if (spawn(program, url, &b->pid, &b->problem) < 0)
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
