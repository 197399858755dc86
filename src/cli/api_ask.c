#include "cli/api_ask.h"

#include "cli/routes_list.h"
#include "io/loop.h"

#define USER_BODY_MAX (64u * 1024)

struct question {
	struct client *client;
	struct api_call *call; /* NULL: answered */
	size_t body_max;
	struct api_answer answer;
	enum exit_status exit_status;
};

static void on_answer(void *arg, const struct api_result *result)
{
	struct question *q = arg;

	q->call = NULL;
	q->answer.status = result->status;
	q->exit_status = result->exit_status;
	if (result->status == 0)
		(void)client_complain(result->exit_status, &result->error);
	buf_init(&q->answer.body, q->body_max);
	(void)buf_append_str(&q->answer.body, result->body); /* the same maximum */
	client_stop(q->client, result->exit_status);
}

enum exit_status api_ask(struct client *client, struct account *account,
			 const struct api_request *request, struct api_answer *ret)
{
	struct question q = { .client = client, .body_max = request->body_max };
	enum exit_status status;

	q.call = api_call_start(account, request, on_answer, &q);
	status = client_run(client);
	if (q.call) {
		/* A signal: there is no answer, even if for this command a signal is a good end. */
		api_call_cancel(q.call);
		return status == EXIT_STATUS_OK ? EXIT_STATUS_OTHER : status;
	}
	if (q.exit_status == EXIT_STATUS_OK)
		*ret = q.answer;
	else
		api_answer_done(&q.answer);
	return q.exit_status;
}

void api_answer_done(struct api_answer *answer)
{
	buf_done(&answer->body);
}

static enum exit_status refuse_answer(const struct account *account, int status)
{
	struct err e;

	err_set(&e, ERR_PROTOCOL, "%s has no list of routes (status %d)",
		account->gateway.destination->gateway_name, status);
	return client_complain(status == 403 ? EXIT_STATUS_DENIED : EXIT_STATUS_OTHER, &e);
}

enum exit_status api_ask_routes(struct client *client, struct account *account,
				struct routes_list *ret)
{
	const struct api_request request = { .method = STR("GET"),
					     .target = STR(ROUTES_LIST_PATH),
					     .body_max = ROUTES_LIST_BODY_MAX };
	struct api_answer answer = { 0 };
	enum exit_status status = api_ask(client, account, &request, &answer);
	struct err e;

	if (status != EXIT_STATUS_OK)
		return status;
	if (answer.status != 200)
		status = refuse_answer(account, answer.status);
	else if (routes_list_parse(buf_view(&answer.body), ret, &e) < 0)
		status = client_complain(EXIT_STATUS_OTHER, &e);
	api_answer_done(&answer);
	return status;
}

/*
 * /.pomerium/user is for those who are logged in; what it answers then, also that there is nothing to tell, does not matter.
 */
enum exit_status api_ask_token(struct client *client, struct account *account,
			       struct buf *ret_token)
{
	const struct api_request request = { .method = STR("GET"),
					     .target = STR("/.pomerium/user"),
					     .body_max = USER_BODY_MAX };
	struct api_answer answer = { 0 };
	enum exit_status status = api_ask(client, account, &request, &answer);
	struct err e;

	if (status != EXIT_STATUS_OK)
		return status;
	api_answer_done(&answer);
	if (credentials_load(&account->credentials, ret_token))
		return EXIT_STATUS_OK;
	err_set(&e, ERR_PROTOCOL, "%s asks for no login, so there is no token",
		account->gateway.destination->gateway_name);
	return client_complain(EXIT_STATUS_NOT_LOGGED_IN, &e);
}
