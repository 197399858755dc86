/*
 * pasted_login.c - lines from /dev/tty, until one is the address
 *
 * The terminal is opened anew, so that making it non-blocking changes nobody else's descriptor. A terminal that belongs to
 * another program just now is not read: the kernel would stop this process. It is looked at again from time to time.
 */

#include "cli/pasted_login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"
#include "cli/credentials.h"
#include "io/loop.h"

#define FOREGROUND_CHECK_MS 500
#define READ_STEP           4096

struct pasted_login {
	struct loop *loop;
	struct watch watch;
	struct timer timer; /* while the terminal is another program's */
	int fd;
	struct str callback_url;
	struct buf line;
	bool is_too_long; /* the line being read */
	void (*on_token)(void *arg, struct str token);
	void *arg;
};

/* ---- one line ---- */

static int refuse(struct err *e)
{
	return err_set(
		e, ERR_CONFIG,
		"this is not the address that the browser was sent to in the end; paste all of it, as "
		"it stands in the browser's address line");
}

int pasted_login_read(struct str line, struct str callback_url, struct arena *arena,
		      struct str *ret_token, struct err *e)
{
	struct query query;
	struct str token;
	struct url expected;
	struct url url;

	line = str_trim(line);
	if (!str_is_printable_ascii(line) || url_parse(line, &url, e) < 0 ||
	    url_parse(callback_url, &expected, e) < 0)
		return refuse(e);
	if (!str_equal(url.scheme, expected.scheme) ||
	    !str_equal(url.authority.text, expected.authority.text))
		return refuse(e);
	if (!str_equal(url.path, expected.path))
		return err_set(
			e, ERR_CONFIG,
			"this is the address of another login; paste the one that belongs to the "
			"address above");
	if (query_parse(url.query, arena, &query, e) < 0 ||
	    !query_get(&query, STR("pomerium_jwt"), &token) || !token_is_valid(token))
		return refuse(e);
	*ret_token = token;
	return 0;
}

/* ---- the terminal ---- */

void pasted_login_cancel(struct pasted_login *login)
{
	if (!login)
		return;
	timer_cancel(&login->timer);
	if (login->watch.fd >= 0)
		watch_close(&login->watch);
	(void)close(login->fd); /* it was only read */
	buf_done_secret(&login->line);
	loop_free_later(login->loop, login);
}

/* True if it was the one: the login is gone then. */
static bool take_line(struct pasted_login *login, struct str line)
{
	struct arena arena = { 0 };
	struct str token;
	struct err e;
	bool is_good = false;

	if (str_is_empty(str_trim(line)))
		return false;
	if (login->is_too_long)
		(void)refuse(&e);
	else
		is_good = pasted_login_read(line, login->callback_url, &arena, &token, &e) == 0;
	if (is_good)
		login->on_token(login->arg, token);
	else
		fprintf(stderr, "%s\n", e.text);
	arena_done(&arena);
	return is_good;
}

static bool take_lines(struct pasted_login *login)
{
	size_t end;

	while ((end = str_find(buf_view(&login->line), '\n')) < login->line.len) {
		struct str line = str_first(buf_view(&login->line), end);

		if (take_line(login, line))
			return true;
		login->is_too_long = false;
		buf_consume(&login->line, end + 1);
	}
	return false;
}

static void append(struct pasted_login *login, const char *bytes, size_t len)
{
	if (login->line.len + len > PASTED_LINE_MAX) {
		login->is_too_long = true;
		buf_truncate(&login->line, 0);
	}
	(void)buf_append(&login->line, bytes, len); /* it fits now */
}

static bool is_ours_now(const struct pasted_login *login)
{
	return tcgetpgrp(login->fd) == getpgrp();
}

static void read_on(struct pasted_login *login);

static void on_timer(struct timer *timer)
{
	read_on(container_of(timer, struct pasted_login, timer));
}

static void on_ready(struct watch *watch, unsigned events)
{
	read_on(container_of(watch, struct pasted_login, watch));
}

static void read_on(struct pasted_login *login)
{
	char bytes[READ_STEP];
	ssize_t got;

	for (;;) {
		if (!is_ours_now(login)) {
			timer_start(&login->timer, login->loop,
				    clock_now_ms() + FOREGROUND_CHECK_MS, on_timer);
			return;
		}
		got = read(login->fd, bytes, sizeof(bytes));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		append(login, bytes, (size_t)got);
		mem_wipe(bytes, (size_t)got);
		if (take_lines(login))
			return;
	}
	/* At its end, or gone: the address can still be opened by a browser. */
	if (got < 0 && errno == EAGAIN)
		watch_want(&login->watch, WATCH_READ);
}

struct pasted_login *pasted_login_start(struct loop *loop, struct str callback_url,
					void (*on_token)(void *arg, struct str token), void *arg)
{
	int fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct pasted_login *login;
	struct err ignored;

	if (fd < 0)
		return NULL;
	login = mem_alloc(sizeof(*login));
	*login = (struct pasted_login){ .loop = loop,
					.watch = { .fd = -1 },
					.fd = fd,
					.callback_url = callback_url,
					.line = BUF_INIT(PASTED_LINE_MAX),
					.on_token = on_token,
					.arg = arg };
	if (watch_open(&login->watch, loop, fd, on_ready, &ignored) < 0) {
		pasted_login_cancel(login);
		return NULL;
	}
	timer_start(&login->timer, loop, clock_now_ms(), on_timer);
	return login;
}
