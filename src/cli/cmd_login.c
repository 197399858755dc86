/*
 * cmd_login.c - login [GATEWAY-OR-DESTINATION]: a question to the gateway that needs a login, and who it was then
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/api_call.h"
#include "cli/client.h"
#include "cli/gateway_request.h"
#include "cli/login_target.h"
#include "cli/options.h"
#include "cli/who.h"

struct login_command {
	struct client client;
	struct destination destination;
	struct api_call *call;
};

static void on_answer(void *arg, const struct api_result *result)
{
	struct login_command *c = arg;
	struct who who = { 0 };
	struct str name = STR("somebody it does not name");
	struct err ignored;

	c->call = NULL;
	if (result->status == 0) {
		client_stop(&c->client, client_complain(result->exit_status, &result->error));
		return;
	}
	if (result->status == 200 && who_read(result->body, &who, &ignored) == 0 &&
	    str_is_printable_ascii(who_name(&who)))
		name = who_name(&who);
	fprintf(stderr, "logged in at %s as %.*s\n", c->destination.gateway_name, STR_FMT(name));
	who_done(&who);
	client_stop(&c->client, EXIT_STATUS_OK);
}

static enum exit_status ask(struct login_command *c)
{
	static const struct api_request request = { .method = { "GET", 3 },
						    .target = { WHO_PATH, sizeof(WHO_PATH) - 1 },
						    .body_max = GATEWAY_REQUEST_BODY_MAX };
	enum exit_status status;

	c->call = api_call_start(client_account(&c->client, &c->destination), &request, on_answer,
				 c);
	status = client_run(&c->client);
	api_call_cancel(TAKE(c->call));
	return status;
}

static enum exit_status run(struct login_command *c, const struct program *program,
			    const struct options *options)
{
	struct err e;

	if (client_init(&c->client, options, &e) < 0)
		return program_complain(program_find(program, "login"), e.text);
	if (client_open(&c->client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (login_target_find(&c->client, options->arguments[0], options->pomerium_url,
			      &c->destination, &e) < 0)
		return program_complain(program_find(program, "login"), e.text);
	return ask(c);
}

enum exit_status cmd_login_run(const struct program *program, const struct options *options)
{
	struct login_command c = { 0 };
	enum exit_status status = run(&c, program, options);

	client_done(&c.client);
	destination_done(&c.destination);
	return status;
}
