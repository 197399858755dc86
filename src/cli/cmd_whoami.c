/*
 * cmd_whoami.c - whoami [GATEWAY-OR-DESTINATION]: asks the gateway with the stored token
 *
 * Nobody is asked for a login: who is not logged in is told so, with exit status 3.
 */

#include "cli/command.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/gateway_request.h"
#include "cli/login_target.h"
#include "cli/options.h"
#include "cli/who.h"

struct whoami {
	struct client client;
	struct destination destination;
	struct account *account;
	bool wants_json;
	struct gateway_request *request;
};

static void fail(struct whoami *w, enum exit_status status, const struct err *e)
{
	client_stop(&w->client, client_complain(status, e));
}

static void say_not_logged_in(struct whoami *w)
{
	struct err e;

	err_set(&e, ERR_PROTOCOL, "not logged in at %s; pomerium-cli login %s changes that",
		w->destination.gateway_name, w->destination.gateway_url);
	fail(w, EXIT_STATUS_NOT_LOGGED_IN, &e);
}

static void print(struct whoami *w, const struct http_client_response *response)
{
	struct who who = { 0 };
	struct str expires;
	struct err e;
	uint64_t seconds;

	if (who_read(response->body, &who, &e) < 0) {
		err_wrap(&e, "what %s says about you", w->destination.gateway_name);
		fail(w, EXIT_STATUS_OTHER, &e);
		return;
	}
	if (http_headers_get(&response->headers, STR(WHO_EXPIRES_HEADER), &expires) &&
	    str_to_uint64(expires, &seconds) && seconds < INT64_MAX / 2)
		who.expires_unix = (int64_t)seconds;
	if (w->wants_json)
		who_print_json(&who, w->destination.gateway_name, stdout);
	else
		who_print(&who, w->destination.gateway_name, stdout);
	who_done(&who);
	client_stop(&w->client, EXIT_STATUS_OK);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct whoami *w = arg;
	struct err problem;

	w->request = NULL;
	if (!response) {
		fail(w, EXIT_STATUS_UNREACHABLE, e);
		return;
	}
	if (response->status == 200) {
		print(w, response);
		return;
	}
	if (response->status == 401 || (response->status >= 300 && response->status < 400)) {
		say_not_logged_in(w);
		return;
	}
	err_set(&problem, ERR_PROTOCOL, "%s does not say who you are: it answered with status %d",
		w->destination.gateway_name, response->status);
	fail(w, response->status >= 500 ? EXIT_STATUS_UNREACHABLE : EXIT_STATUS_OTHER, &problem);
}

static enum exit_status ask(struct whoami *w)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	enum exit_status status;

	if (w->client.service_account.len > 0)
		(void)buf_append_str(&token,
				     buf_view(&w->client.service_account)); /* same maximum */
	else
		(void)credentials_load(&w->account->credentials, &token);
	if (token.len == 0) {
		say_not_logged_in(w);
		return EXIT_STATUS_NOT_LOGGED_IN;
	}
	w->request = gateway_request_start(&w->account->gateway,
					   &(struct gateway_request_options){
						   .method = STR("GET"),
						   .target = STR(WHO_PATH),
						   .token = buf_view(&token),
					   },
					   on_answer, w);
	buf_done_secret(&token);
	status = client_run(&w->client);
	gateway_request_cancel(TAKE(w->request));
	return status;
}

static enum exit_status run(struct whoami *w, const struct program *program,
			    const struct options *options)
{
	struct err e;

	if (client_init(&w->client, options, &e) < 0)
		return program_complain(program_find(program, "whoami"), e.text);
	if (client_open(&w->client, EXIT_STATUS_OTHER, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	if (login_target_find(&w->client, options->arguments[0], options->pomerium_url,
			      &w->destination, &e) < 0)
		return program_complain(program_find(program, "whoami"), e.text);
	w->account = client_account(&w->client, &w->destination);
	return ask(w);
}

enum exit_status cmd_whoami_run(const struct program *program, const struct options *options)
{
	struct whoami w = { .wants_json = options->json };
	enum exit_status status = run(&w, program, options);

	client_done(&w.client);
	destination_done(&w.destination);
	return status;
}
