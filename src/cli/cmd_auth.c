/*
 * auth SERVER-URL: prints a token that is good, for programs that speak to the gateway themselves (protocol.md 8.8)
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/api_ask.h"
#include "cli/options.h"

static enum exit_status print_token(struct client *client, const struct destination *server)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	enum exit_status status;
	struct err e;

	if (client_open(client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	status = api_ask_token(client, client_account(client, server), &token);
	if (status == EXIT_STATUS_OK)
		printf("%.*s\n", STR_FMT(buf_view(&token)));
	buf_done_secret(&token);
	return status;
}

enum exit_status cmd_auth_run(const struct program *program, const struct options *options)
{
	struct client client = { 0 };
	struct destination server = { 0 };
	enum exit_status status;
	struct err e;

	if (destination_parse_server(str_from(options->arguments[0]), &server, &e) < 0 ||
	    client_init(&client, options, &e) < 0)
		status = program_complain(program_find(program, "auth"), e.text);
	else
		status = print_token(&client, &server);
	client_done(&client);
	destination_done(&server);
	return status;
}
