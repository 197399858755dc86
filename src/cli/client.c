/*
 * client.c - opened in the order of the struct, closed in the opposite one
 *
 * Accounts are found by the name and kind of their gateway; there are as many as the user has gateways, and as a proxy is
 * asked for.
 */

#include "cli/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/url.h"
#include "cli/browser.h"
#include "cli/cache_dir.h"
#include "cli/cache_file.h"
#include "cli/options.h"
#include "cli/platform.h"
#include "cli/service_account.h"
#include "cli/tls_options.h"
#include "cli/transport.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "tls/tls_config.h"

#define LAST_URL_MAX 1024

enum exit_status client_complain(enum exit_status status, const struct err *e)
{
	fprintf(stderr, "pomerium-cli: %s\n", e->text);
	return status;
}

int client_init(struct client *client, const struct options *options, struct err *e)
{
	*client = (struct client){ .service_account = BUF_INIT(TOKEN_MAX) };
	list_init(&client->accounts);
	if (service_account_read(options->service_account, options->service_account_file,
				 &client->service_account, e) < 0)
		return -1;
	service_account_hide(options->service_account);
	client->browser = browser_choose_here(options->browser_cmd, options->no_browser);
	if (transport_mode_parse(options->transport, &client->transport_mode, e) < 0 ||
	    tls_options_load(options, &client->tls, e) < 0 ||
	    proxy_options_load(options, client->tls, &client->proxies, e) < 0)
		return -1;
	return tls_options_load_h2(options, client->tls, &client->transport_tls, e);
}

static void on_signal(void *arg, int number)
{
	struct client *client = arg;

	events_signal(&client->events, number);
	client_stop(client, client->signal_status);
}

/* Both configurations trust the same: what one has begun the other may resume. */
static void keep_sessions(struct client *client)
{
	struct tls_session_store store;

	session_files_init(&client->sessions, client->cache_root);
	store = session_files_store(&client->sessions);
	tls_config_keep_sessions(client->tls, &store);
	tls_config_keep_sessions(client->transport_tls, &store);
}

int client_open(struct client *client, enum exit_status signal_status, struct err *e)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, 0 };
	struct err why;

	platform_raise_descriptor_limit();
	events_init(&client->events);
	client->signal_status = signal_status;
	if (cache_dir_locate(getenv("XDG_CACHE_HOME"), getenv("HOME"), &client->cache_root, &why) <
	    0)
		events_warning(&client->events, "logins are kept in memory only", &why);
	keep_sessions(client);
	client->loop = loop_new();
	client->resolver = resolver_new(client->loop, e);
	if (!client->resolver)
		return -1;
	client->signals = signals_open(client->loop, numbers, on_signal, client);
	return 0;
}

enum exit_status client_run(struct client *client)
{
	loop_run(client->loop);
	return client->status;
}

void client_stop(struct client *client, enum exit_status status)
{
	client->status = status;
	loop_stop(client->loop);
}

/* ---- accounts ---- */

static void join_gateway(struct client *client, const struct destination *destination,
			 struct gateway *ret)
{
	*ret = (struct gateway){ .loop = client->loop,
				 .resolver = client->resolver,
				 .tls = client->tls,
				 .proxies = &client->proxies,
				 .destination = destination };
}

static struct account *open_account(struct client *client, const struct destination *destination)
{
	struct account *account = mem_alloc(sizeof(*account));
	const struct login_options login = {
		.browser = { .gateway = &account->gateway,
			     .events = &client->events,
			     .browser = client->browser },
		.credentials = &account->credentials,
		.service_account = buf_view(&client->service_account),
	};
	struct err ignored;

	(void)destination_parse_server(str_from(destination->gateway_url), &account->destination,
				       &ignored); /* it was written by destination.c */
	join_gateway(client, &account->destination, &account->gateway);
	account->gateway.transport = transport_new(&account->gateway, client->transport_tls,
						   client->transport_mode);
	credentials_init(&account->credentials, client->cache_root,
			 str_from(destination->gateway_name), destination->uses_tls);
	account->credentials.events = &client->events;
	login_init(&account->login, &login);
	end_questions_init(&account->questions);
	if (client->cache_root && cache_file_directory(client->cache_root, &ignored) == 0)
		cache_dir_remember_url(client->cache_root, str_from(destination->gateway_url));
	list_append(&client->accounts, &account->node);
	client->account_count++;
	return account;
}

static void close_account(struct client *client, struct account *account)
{
	list_remove(&account->node);
	client->account_count--;
	login_done(&account->login);
	transport_free(account->gateway.transport);
	credentials_done(&account->credentials);
	destination_done(&account->destination);
	mem_free(account);
}

/* If all are in use there is one more: of those there are no more than connections to this program. */
static void make_room(struct client *client)
{
	if (client->account_count < CLIENT_ACCOUNTS_MAX)
		return;
	LIST_FOREACH (&client->accounts, node) {
		struct account *account = container_of(node, struct account, node);

		if (account->users > 0 || account->login.is_under_way)
			continue;
		close_account(client, account);
		return;
	}
}

struct account *client_account(struct client *client, const struct destination *destination)
{
	LIST_FOREACH (&client->accounts, node) {
		struct account *account = container_of(node, struct account, node);
		if (!str_equal(str_from(account->destination.gateway_url),
			       str_from(destination->gateway_url)))
			continue;
		list_remove(node);
		list_append(&client->accounts, node);
		return account;
	}
	make_room(client);
	return open_account(client, destination);
}

struct account *client_tunnels(struct client *client, const struct destination *destination,
			       struct gateway *ret_gateway,
			       struct local_tunnel_context *ret_context)
{
	struct account *account = client_account(client, destination);

	account->users++;
	join_gateway(client, destination, ret_gateway);
	ret_gateway->transport = account->gateway.transport;
	*ret_context = (struct local_tunnel_context){ .gateway = ret_gateway,
						      .events = &client->events,
						      .credentials = &account->credentials,
						      .login = &account->login,
						      .questions = &account->questions };
	return account;
}

void client_tunnels_end(struct account *account)
{
	if (account)
		account->users--;
}

static void close_loop(struct client *client)
{
	if (client->signals)
		signals_close(TAKE(client->signals));
	resolver_free(TAKE(client->resolver));
	loop_free(TAKE(client->loop));
}

void client_done(struct client *client)
{
	if (client->loop) {
		LIST_FOREACH (&client->accounts, node)
			close_account(client, container_of(node, struct account, node));
		close_loop(client);
		events_done(&client->events);
	}
	mem_free(TAKE(client->cache_root));
	mem_free(TAKE(client->browser));
	buf_done_secret(&client->service_account);
	tls_config_unref(TAKE(client->tls));
	proxy_options_done(&client->proxies);
	session_files_done(&client->sessions);
	tls_config_unref(TAKE(client->transport_tls));
}

/* ---- the gateway used last ---- */

static int read_last_url(const struct client *client, struct destination *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(LAST_URL_MAX);
	_cleanup_(buf_done) struct buf path = BUF_INIT(LAST_URL_MAX);
	struct err ignored;

	if (client->cache_root)
		buf_printf(&path, "%s/last-url", client->cache_root);
	buf_append_char(&path, '\0');
	if (!client->cache_root || path.is_overflown ||
	    file_read((const char *)path.data, &text, &ignored) < 0 ||
	    destination_parse_server(str_trim(buf_view(&text)), ret, &ignored) < 0)
		return err_set(e, ERR_CONFIG,
			       "no gateway was used yet from here: name one, as in "
			       "https://gateway.example.com");
	return 0;
}

int client_find_server(const struct client *client, const char *argument, struct destination *ret,
		       struct err *e)
{
	if (argument)
		return destination_parse_server(str_from(argument), ret, e);
	return read_last_url(client, ret, e);
}
