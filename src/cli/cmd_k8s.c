/*
 * k8s exec-credential SERVER-URL, k8s flush-credentials [SERVER-URL]: for kubectl (protocol.md 8.8)
 *
 * Other clients keep a second copy of the token for this, in exec-credential/, and print it for as long as it is there,
 * whatever the gateway thinks of it. Here the stored login is the only one, and it is tried before it is printed;
 * flush-credentials removes both.
 */

#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/api_ask.h"
#include "cli/cache_dir.h"
#include "cli/options.h"
#include "cli/token_expiry.h"

#define NEVER          "0001-01-01T00:00:00Z"
#define CREDENTIAL_MAX (2 * TOKEN_MAX)
#define CACHE_PATH_MAX 4096

static void write_member(struct json_writer *w, const char *name, const char *value)
{
	json_key(w, str_from(name));
	json_text(w, str_from(value));
}

static void print_credential(struct str token)
{
	struct buf text = BUF_INIT(CREDENTIAL_MAX);
	struct json_writer w = { .out = &text };
	char expires[CLOCK_RFC3339_MAX] = NEVER;
	_cleanup_(mem_free_secretp) char *bearer = NULL;
	struct buf value = BUF_INIT(TOKEN_MAX + 16);
	int64_t expires_unix = token_expiry(token);

	if (expires_unix > 0)
		clock_format_rfc3339(expires_unix, expires);
	buf_printf(&value, "Pomerium-%.*s", STR_FMT(token));
	bearer = buf_take_string(&value);
	json_object_begin(&w);
	write_member(&w, "kind", "ExecCredential");
	write_member(&w, "apiVersion", "client.authentication.k8s.io/v1");
	json_key(&w, STR("status"));
	json_object_begin(&w);
	write_member(&w, "expirationTimestamp", expires);
	write_member(&w, "token", bearer);
	json_object_end(&w);
	json_object_end(&w);
	printf("%.*s\n", STR_FMT(buf_view(&text)));
	buf_done_secret(&text);
}

static enum exit_status run_exec_credential(struct client *client, const struct destination *server)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	enum exit_status status = api_ask_token(client, client_account(client, server), &token);

	if (status == EXIT_STATUS_OK)
		print_credential(buf_view(&token));
	buf_done_secret(&token);
	return status;
}

/* Below the root: nothing else is touched. */
static int clear_below(const char *root, const char *name, struct err *e)
{
	char path[CACHE_PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", root, name) >= sizeof(path))
		return err_set(e, ERR_LIMIT, "the path of the cache is too long");
	return cache_dir_clear(path, e);
}

static enum exit_status flush_everything(const struct client *client)
{
	struct err e;

	if (client->cache_root && (clear_below(client->cache_root, "exec-credential", &e) < 0 ||
				   clear_below(client->cache_root, "jwts", &e) < 0))
		return client_complain(EXIT_STATUS_OTHER, &e);
	return EXIT_STATUS_OK;
}

static enum exit_status flush_one(struct client *client, const struct destination *server)
{
	struct account *account = client_account(client, server);
	struct buf token = BUF_INIT(TOKEN_MAX);
	struct err e;

	if (credentials_load(&account->credentials, &token))
		credentials_forget(&account->credentials, buf_view(&token));
	buf_done_secret(&token);
	if (client->cache_root && clear_below(client->cache_root, "exec-credential", &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	return EXIT_STATUS_OK;
}

static enum exit_status run_action(struct client *client, bool flushes,
				   const struct destination *server, bool has_server)
{
	struct err e;

	if (client_open(client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (!flushes)
		return run_exec_credential(client, server);
	return has_server ? flush_one(client, server) : flush_everything(client);
}

enum exit_status cmd_k8s_run(const struct program *program, const struct options *options)
{
	const char *action = options->arguments[0];
	bool flushes = strcmp(action, "flush-credentials") == 0;
	bool has_server = options->argument_count > 1;
	struct client client = { 0 };
	struct destination server = { 0 };
	enum exit_status status;
	struct err e;

	if (!flushes && (strcmp(action, "exec-credential") != 0 || !has_server))
		return program_complain(program_find(program, "k8s"),
					"k8s is used as: k8s exec-credential SERVER-URL or "
					"k8s flush-credentials [SERVER-URL]");
	if ((has_server &&
	     destination_parse_server(str_from(options->arguments[1]), &server, &e) < 0) ||
	    client_init(&client, options, &e) < 0)
		status = program_complain(program_find(program, "k8s"), e.text);
	else
		status = run_action(&client, flushes, &server, has_server);
	client_done(&client);
	destination_done(&server);
	return status;
}
