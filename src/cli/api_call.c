/*
 * api_call.c - ask; on 401 try what is stored by now, then log in, and ask again
 *
 *	ASKING --- any other answer ---> done
 *	  |  ^
 *	  |  +-- there is another token --+
 *	  +-- 401, 3xx -------> WAITING --+   (at most one login, as in local_tunnel.c)
 */

#include "cli/api_call.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/gateway_request.h"

struct api_call {
	struct account *account;
	struct api_request request;
	struct buf token; /* sent with the attempt under way */
	struct gateway_request *exchange;
	struct login_waiter waiter;
	bool has_tried_stored;
	bool has_logged_in;
	void (*on_done)(void *arg, const struct api_result *result);
	void *arg;
};

void api_call_cancel(struct api_call *call)
{
	if (!call)
		return;
	gateway_request_cancel(TAKE(call->exchange));
	login_waiter_cancel(&call->waiter);
	buf_done_secret(&call->token);
	loop_free_later(call->account->gateway.loop, call);
}

/* The last thing that happens. */
static void finish(struct api_call *call, const struct api_result *result)
{
	call->on_done(call->arg, result);
	api_call_cancel(call);
}

static void fail(struct api_call *call, enum exit_status exit_status, const struct err *e)
{
	const struct api_result result = { .error = *e, .exit_status = exit_status };

	finish(call, &result);
}

static void fail_unreachable(struct api_call *call, const struct err *e)
{
	struct err wrapped = *e;

	err_wrap(&wrapped, "cannot use the gateway");
	fail(call, EXIT_STATUS_UNREACHABLE, &wrapped);
}

static void ask(struct api_call *call);

static bool load_token(struct api_call *call)
{
	buf_done_secret(&call->token);
	return credentials_load(&call->account->credentials, &call->token);
}

static void on_login(struct login_waiter *waiter, const struct err *e)
{
	struct api_call *call = container_of(waiter, struct api_call, waiter);

	if (e) {
		fail(call, EXIT_STATUS_NOT_LOGGED_IN, e);
		return;
	}
	call->has_logged_in = true;
	(void)load_token(
		call); /* if somebody has just removed it: refused, and that is the answer */
	ask(call);
}

static void handle_unauthenticated(struct api_call *call, int status)
{
	struct buf refused = BUF_INIT(TOKEN_MAX);
	struct err e;

	credentials_forget(&call->account->credentials, buf_view(&call->token));
	if (call->has_logged_in) {
		err_set(&e, ERR_PROTOCOL, "not logged in: %s does not accept the %s (status %d)",
			call->account->gateway.destination->gateway_name,
			str_is_empty(call->account->login.options.service_account)
				? "login"
				: "service account",
			status);
		fail(call, EXIT_STATUS_NOT_LOGGED_IN, &e);
		return;
	}
	(void)buf_append_str(&refused, buf_view(&call->token)); /* same maximum */
	if (!call->has_tried_stored && load_token(call)) {
		call->has_tried_stored = true;
		ask(call);
	} else {
		login_wait(&call->account->login, &call->waiter, buf_view(&refused), on_login);
	}
	buf_done_secret(&refused);
}

static bool is_unauthenticated(int status)
{
	return status == 401 || (status >= 300 && status < 400);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct api_call *call = arg;
	struct api_result result = { 0 };
	struct err problem;

	call->exchange = NULL;
	if (!response) {
		fail_unreachable(call, e);
		return;
	}
	if (is_unauthenticated(response->status)) {
		handle_unauthenticated(call, response->status);
		return;
	}
	if (response->status < 200 || response->status >= 500) {
		err_set(&problem, ERR_UNREACHABLE, "%s answered with status %d; try again later",
			call->account->gateway.destination->gateway_name, response->status);
		fail_unreachable(call, &problem);
		return;
	}
	result.status = response->status;
	result.body = response->body;
	finish(call, &result);
}

/* With the token in call->token; without one the gateway asks for a login. */
static void ask(struct api_call *call)
{
	const struct gateway_request_options request = {
		.method = call->request.method,
		.target = call->request.target,
		.token = buf_view(&call->token),
		.body_max = call->request.body_max,
	};

	call->exchange = gateway_request_start(&call->account->gateway, &request, on_answer, call);
}

struct api_call *api_call_start(struct account *account, const struct api_request *request,
				void (*on_done)(void *arg, const struct api_result *result),
				void *arg)
{
	struct api_call *call = mem_alloc(sizeof(*call));

	*call = (struct api_call){
		.account = account, .request = *request, .on_done = on_done, .arg = arg
	};
	buf_init(&call->token, TOKEN_MAX);
	(void)load_token(call);
	ask(call);
	return call;
}
