/*
 * cmd_logout.c - logout [GATEWAY-OR-DESTINATION]: forgets the token, after asking the gateway to end its session
 *
 * The token is forgotten whatever the gateway says; but if it could not be told, the session goes on there, and the exit
 * status says so.
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/gateway_request.h"
#include "cli/login_target.h"
#include "cli/options.h"

#define SIGN_OUT_PATH "/.pomerium/api/v1/sign_out"

struct logout {
	struct client client;
	struct destination destination;
	struct account *account;
	struct gateway_request *request;
};

/* What an answer means for the session, and what the person is told. */
static const struct {
	int status;
	enum exit_status exit_status;
	const char *sentence;
} rows[] = {
	{ 204, EXIT_STATUS_OK, "logged out" },
	{ 200, EXIT_STATUS_OK, "logged out" },
	{ 401, EXIT_STATUS_OK, "logged out; the session had ended already" },
	{ 404, EXIT_STATUS_OK,
	  "the login is forgotten here; this gateway ends sessions only in a browser, at /.pomerium/sign_out" },
	{ 409, EXIT_STATUS_OK,
	  "the token is forgotten here; the account of a service goes on until an operator revokes it" },
};

static void end(struct logout *l, enum exit_status status, const char *sentence)
{
	fprintf(stderr, "%s: %s\n", l->destination.gateway_name, sentence);
	client_stop(&l->client, status);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct logout *l = arg;
	struct err problem;

	l->request = NULL;
	for (size_t i = 0; response && i < ARRAY_LEN(rows); i++) {
		if (rows[i].status == response->status) {
			end(l, rows[i].exit_status, rows[i].sentence);
			return;
		}
	}
	if (response)
		err_set(&problem, ERR_UNREACHABLE, "%s answered with status %d",
			l->destination.gateway_name, response->status);
	else
		problem = *e;
	err_wrap(&problem, "the login is forgotten here, but its session goes on");
	client_stop(&l->client, client_complain(EXIT_STATUS_UNREACHABLE, &problem));
}

static enum exit_status forget(struct logout *l)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	enum exit_status status;

	if (!credentials_load(&l->account->credentials, &token)) {
		end(l, EXIT_STATUS_OK, "nobody was logged in");
		return EXIT_STATUS_OK;
	}
	credentials_forget(&l->account->credentials, buf_view(&token));
	l->request = gateway_request_start(&l->account->gateway,
					   &(struct gateway_request_options){
						   .method = STR("POST"),
						   .target = STR(SIGN_OUT_PATH),
						   .token = buf_view(&token),
					   },
					   on_answer, l);
	buf_done_secret(&token);
	status = client_run(&l->client);
	session_files_clear(&l->client.sessions);
	gateway_request_cancel(TAKE(l->request));
	return status;
}

static enum exit_status run(struct logout *l, const struct program *program,
			    const struct options *options)
{
	struct err e;

	if (client_init(&l->client, options, &e) < 0)
		return program_complain(program_find(program, "logout"), e.text);
	if (client_open(&l->client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (login_target_find(&l->client, options->arguments[0], options->pomerium_url,
			      &l->destination, &e) < 0)
		return program_complain(program_find(program, "logout"), e.text);
	l->account = client_account(&l->client, &l->destination);
	return forget(l);
}

enum exit_status cmd_logout_run(const struct program *program, const struct options *options)
{
	struct logout l = { 0 };
	enum exit_status status = run(&l, program, options);

	client_done(&l.client);
	destination_done(&l.destination);
	return status;
}
