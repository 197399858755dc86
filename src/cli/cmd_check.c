/*
 * check DESTINATION: where on the way to the destination it ends, if it does
 */

#include "cli/command.h"

#include <stdio.h>

#include "base/mem.h"
#include "cli/check.h"
#include "cli/client.h"
#include "cli/options.h"

#define OUTPUT_MAX (CHECK_STEPS * 4 * ERR_TEXT_MAX)

struct check_command {
	struct client client;
	struct destination destination;
	struct gateway gateway;
	struct check *check; /* NULL: over */
	bool wants_json;
};

static void on_checked(void *arg, const struct check_report *report)
{
	struct check_command *command = arg;
	struct buf out = BUF_INIT(OUTPUT_MAX);

	command->check = NULL;
	if (command->wants_json)
		check_report_json(report, command->destination.target,
				  command->destination.gateway_url, &out);
	else
		check_report_text(report, &out);
	(void)fwrite(out.data, 1, out.len, stdout); /* the exit status tells all the same */
	buf_done(&out);
	client_stop(&command->client, report->status);
}

static void load_token(struct check_command *command, struct credentials *credentials,
		       struct buf *token)
{
	struct str service_account = buf_view(&command->client.service_account);

	if (!str_is_empty(service_account))
		(void)buf_append_str(token, service_account); /* as large as that */
	else
		(void)credentials_load(credentials, token); /* else nobody is logged in */
}

static enum exit_status run_check(struct check_command *command)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	struct local_tunnel_context context;
	struct check_options options;
	enum exit_status status;
	struct err e;

	if (client_open(&command->client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	(void)client_tunnels(&command->client, &command->destination, &command->gateway, &context);
	load_token(command, context.credentials, &token);
	options = (struct check_options){ .gateway = &command->gateway, .token = buf_view(&token) };
	command->check = check_start(&options, on_checked, command);
	status = client_run(&command->client);
	check_cancel(TAKE(command->check)); /* a signal came before its end */
	buf_done_secret(&token);
	return status;
}

enum exit_status cmd_check_run(const struct program *program, const struct options *options)
{
	struct check_command command = { .wants_json = options->json };
	enum exit_status status;
	struct err e;

	if (destination_parse(str_from(options->arguments[0]), options->pomerium_url,
			      &command.destination, &e) < 0 ||
	    client_init(&command.client, options, &e) < 0)
		status = program_complain(program_find(program, "check"), e.text);
	else
		status = run_check(&command);
	client_done(&command.client);
	destination_done(&command.destination);
	return status;
}
