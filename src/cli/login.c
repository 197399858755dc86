/*
 * login.c - a list of waiters around one browser_login
 *
 * The list is taken over before anybody is told, so that a waiter who comes back at once starts a login of its own
 * instead of hearing the old result.
 */

#include "cli/login.h"

#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/events.h"
#include "cli/gateway.h"

void login_init(struct login *login, const struct login_options *options)
{
	*login = (struct login){ .options = *options };
	list_init(&login->waiters);
}

void login_done(struct login *login)
{
	later_cancel(&login->later);
	browser_login_cancel(TAKE(login->browser));
	LIST_FOREACH (&login->waiters, node)
		list_remove(node);
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

static bool is_service_account(const struct login *login, struct str token)
{
	struct str own = login->options.service_account;

	return token.len == own.len && mem_equal_secret(token.at, own.at, own.len);
}

static void begin(struct login *login, struct str refused_token)
{
	struct err e;

	if (str_is_empty(login->options.service_account)) {
		login->browser = browser_login_start(&login->options.browser, on_browser_login,
						     login);
		return;
	}
	if (is_service_account(login, refused_token)) {
		err_set(&e, ERR_PROTOCOL, "not logged in: %s does not accept the service account",
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
	if (!login->browser && !list_node_is_linked(&login->later.node))
		begin(login, refused_token);
}

void login_waiter_cancel(struct login_waiter *waiter)
{
	list_remove(&waiter->node);
}
