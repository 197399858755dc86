/*
 * login.c - a list of waiters around one login by a person
 *
 *	lock (shared by the user's processes) --> device_login --> browser_login --> stored, unlocked, told
 *	  |                (no browser here)        ^ (not offered)
 *	  +--> told, if another process has stored a token meanwhile
 *
 * The list is taken over before anybody is told, so that a waiter who comes back at once starts a login of its own
 * instead of hearing the old result.
 */

#include "cli/login.h"

#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/device_login.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/login_lock.h"

void login_init(struct login *login, const struct login_options *options)
{
	*login = (struct login){ .options = *options };
	list_init(&login->waiters);
}

void login_done(struct login *login)
{
	later_cancel(&login->later);
	browser_login_cancel(TAKE(login->browser));
	device_login_cancel(TAKE(login->device));
	login_lock_release(TAKE(login->lock));
	buf_done_secret(&login->refused);
	LIST_FOREACH (&login->waiters, node)
		list_remove(node);
}

static bool is_same_token(struct str a, struct str b)
{
	return a.len == b.len && mem_equal_secret(a.at, b.at, b.len);
}

static void take_over(struct list *to, struct list *from)
{
	list_init(to);
	LIST_FOREACH (from, node) {
		list_remove(node);
		list_append(to, node);
	}
}

static void tell_waiters(struct later *later)
{
	struct login *login = container_of(later, struct login, later);
	struct err failure = login->failure;
	struct list waiters;
	struct list_node *node;

	take_over(&waiters, &login->waiters);
	while ((node = list_first(&waiters))) {
		struct login_waiter *waiter = container_of(node, struct login_waiter, node);
		list_remove(node);
		waiter->on_done(waiter, failure.kind == ERR_NONE ? NULL : &failure);
	}
}

static void finish(struct login *login, const struct err *failure)
{
	login_lock_release(TAKE(login->lock));
	buf_done_secret(&login->refused);
	login->is_under_way = false;
	login->failure = failure ? *failure : (struct err){ .kind = ERR_NONE };
	later_start(&login->later, login->options.browser.gateway->loop, tell_waiters);
}

static void store(struct login *login, struct str token)
{
	struct err e;

	if (credentials_store(login->options.credentials, token, &e) < 0)
		events_warning(login->options.browser.events,
			       "the login is kept in memory only, it could not be stored", &e);
	finish(login, NULL);
}

static void on_browser_login(void *arg, struct str token, const struct err *e)
{
	struct login *login = arg;

	login->browser = NULL;
	if (e)
		finish(login, e);
	else
		store(login, token);
}

/* ---- the person ---- */

static void log_in_with_browser(struct login *login)
{
	login->browser = browser_login_start(&login->options.browser, on_browser_login, login);
}

static void on_device_login(void *arg, enum device_login_result result, struct str token,
			    const struct err *e)
{
	struct login *login = arg;

	login->device = NULL;
	switch (result) {
	case DEVICE_LOGIN_DONE:
		store(login, token);
		return;
	case DEVICE_LOGIN_FAILED:
		finish(login, e);
		return;
	case DEVICE_LOGIN_NOT_OFFERED:
		log_in_with_browser(login); /* somewhere else: the address is shown */
		return;
	}
}

static void log_in(struct login *login)
{
	const struct browser_login_options *options = &login->options.browser;

	if (options->browser)
		log_in_with_browser(login);
	else
		login->device = device_login_start(options->gateway, options->events,
						   on_device_login, login);
}

/* ---- other processes ---- */

/* Whether somebody has stored another token than the one that was refused. */
static bool has_new_token(void *arg)
{
	struct login *login = arg;
	struct buf stored = BUF_INIT(TOKEN_MAX);
	bool is_new = credentials_load(login->options.credentials, &stored) &&
		      !is_same_token(buf_view(&stored), buf_view(&login->refused));

	buf_done_secret(&stored);
	return is_new;
}

static void on_waiting(void *arg, const char *sentence)
{
	const struct login *login = arg;

	events_notice(login->options.browser.events, sentence);
}

static void on_lock(void *arg, enum login_lock_result result, const struct err *e)
{
	struct login *login = arg;

	switch (result) {
	case LOGIN_LOCK_OVER:
		finish(login, NULL);
		return;
	case LOGIN_LOCK_LATE:
		finish(login, e);
		return;
	case LOGIN_LOCK_YOURS:
		break;
	}
	if (e)
		events_warning(login->options.browser.events,
			       "other processes may ask for a login of their own", e);
	log_in(login);
}

static void take_turn(struct login *login)
{
	const struct browser_login_options *options = &login->options.browser;
	struct err e;

	if (!login->options.credentials->lock_path) {
		log_in(login); /* the token is kept in memory: there is nothing to share */
		return;
	}
	if (credentials_prepare(login->options.credentials, &e) < 0) {
		on_lock(login, LOGIN_LOCK_YOURS, &e);
		return;
	}
	login->lock = login_lock_start(&(struct login_lock_options){
		.loop = options->gateway->loop,
		.path = login->options.credentials->lock_path,
		.gateway_name = options->gateway->destination->gateway_name,
		.wait_ms = LOGIN_LOCK_WAIT_MS,
		.is_over = has_new_token,
		.on_waiting = on_waiting,
		.on_done = on_lock,
		.arg = login,
	});
}

static void begin(struct login *login, struct str refused_token)
{
	struct err e;

	login->is_under_way = true;
	if (str_is_empty(login->options.service_account)) {
		buf_init(&login->refused, TOKEN_MAX);
		(void)buf_append_str(&login->refused, refused_token); /* it fits: it was a token */
		take_turn(login);
		return;
	}
	if (is_same_token(refused_token, login->options.service_account)) {
		err_set(&e, ERR_PROTOCOL,
			"not logged in: %s does not accept the service account; it was revoked, has "
			"expired, or belongs to another gateway",
			login->options.browser.gateway->destination->gateway_name);
		finish(login, &e);
		return;
	}
	store(login, login->options.service_account);
}

void login_wait(struct login *login, struct login_waiter *waiter, struct str refused_token,
		void (*on_done)(struct login_waiter *waiter, const struct err *e))
{
	waiter->on_done = on_done;
	list_append(&login->waiters, &waiter->node);
	if (!login->is_under_way && !list_node_is_linked(&login->later.node))
		begin(login, refused_token);
}

void login_waiter_cancel(struct login_waiter *waiter)
{
	list_remove(&waiter->node);
}
