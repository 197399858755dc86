/*
 * device_login.c - ask what is offered, ask for codes, show them, poll
 *
 * Each step leaves exactly one thing pending: a request or the timer. A network that fails while the person is at it is no
 * reason to give up before the code is too old; it is asked less often then (RFC 8628 section 3.5).
 */

#include "cli/device_login.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/gateway_request.h"
#include "io/loop.h"

#define OFFER_PATH  "/.well-known/pomerium"
#define GRANT_TYPE  "urn:ietf:params:oauth:grant-type:device_code"
#define SLOW_DOWN_S 5
#define FORM_MAX    4096

struct device_login {
	const struct gateway *gateway;
	const struct events *events;
	struct gateway_request *request;
	struct timer timer;
	struct device_login_offer offer;
	struct device_login_codes codes;
	uint64_t deadline_ms;
	device_login_done_fn *on_done;
	void *arg;
};

void device_login_cancel(struct device_login *login)
{
	if (!login)
		return;
	timer_cancel(&login->timer);
	gateway_request_cancel(TAKE(login->request));
	mem_wipe(&login->codes, sizeof(login->codes));
	loop_free_later(login->gateway->loop, login);
}

/* The last thing that happens to it. */
static void finish(struct device_login *login, enum device_login_result result, struct str token,
		   const struct err *e)
{
	login->on_done(login->arg, result, token, e);
	device_login_cancel(login);
}

static void fail(struct device_login *login, const struct err *e)
{
	struct err wrapped = *e;

	err_wrap(&wrapped, "cannot log in at %s", login->gateway->destination->gateway_name);
	finish(login, DEVICE_LOGIN_FAILED, (struct str){ 0 }, &wrapped);
}

/* ---- polling ---- */

static void on_poll(void *arg, const struct http_client_response *response, const struct err *e);

static void poll(struct timer *timer)
{
	struct device_login *login = container_of(timer, struct device_login, timer);
	struct buf form = BUF_INIT(FORM_MAX);
	struct gateway_request_options request = { .method = STR("POST"),
						   .target = str_from(login->offer.token_path) };

	/* All of it fits. */
	(void)buf_append_str(&form, STR("grant_type="));
	(void)query_escape(&form, STR(GRANT_TYPE));
	(void)buf_append_str(&form, STR("&device_code="));
	(void)query_escape(&form, str_from(login->codes.device_code));
	request.form = buf_view(&form);
	login->request = gateway_request_start(login->gateway, &request, on_poll, login);
	buf_done_secret(&form);
}

static void poll_later(struct device_login *login)
{
	uint64_t due_ms = clock_now_ms() + (uint64_t)login->codes.interval_s * 1000;
	struct err e;

	if (due_ms < login->deadline_ms) {
		timer_start(&login->timer, login->gateway->loop, due_ms, poll);
		return;
	}
	err_set(&e, ERR_TIMEOUT, "nobody has answered in time; try again");
	fail(login, &e);
}

static void slow_down(struct device_login *login, unsigned interval_s)
{
	login->codes.interval_s = interval_s < DEVICE_LOGIN_INTERVAL_MAX
					  ? interval_s
					  : DEVICE_LOGIN_INTERVAL_MAX;
}

static void on_poll_answer(struct device_login *login, const struct http_client_response *response)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	struct err e = { 0 };

	switch (device_login_read_answer(response->status, response->body, &token, &e)) {
	case DEVICE_ANSWER_TOKEN:
		finish(login, DEVICE_LOGIN_DONE, buf_view(&token), NULL);
		break;
	case DEVICE_ANSWER_PENDING:
		poll_later(login);
		break;
	case DEVICE_ANSWER_SLOW_DOWN:
		slow_down(login, login->codes.interval_s + SLOW_DOWN_S);
		poll_later(login);
		break;
	case DEVICE_ANSWER_AGAIN:
		slow_down(login, login->codes.interval_s * 2);
		poll_later(login);
		break;
	case DEVICE_ANSWER_FINAL:
		fail(login, &e);
		break;
	}
	buf_done_secret(&token);
}

static void on_poll(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct device_login *login = arg;

	login->request = NULL;
	if (response) {
		on_poll_answer(login, response);
		return;
	}
	slow_down(login, login->codes.interval_s * 2);
	poll_later(login);
}

/* ---- codes ---- */

static void show(struct device_login *login)
{
	const struct device_login_codes *codes = &login->codes;

	events_auth_required(login->events, str_from(codes->complete_address));
	fprintf(stderr,
		"To sign in, please visit this address on any machine:\n\n%s\n\n"
		"and see that it shows the code %s. (Without it in the address: %s)\n\n",
		codes->complete_address, codes->user_code, codes->address);
}

static void on_codes(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct device_login *login = arg;
	struct err problem;

	login->request = NULL;
	if (!response) {
		fail(login, e);
		return;
	}
	if (response->status == 404 || response->status == 405) {
		finish(login, DEVICE_LOGIN_NOT_OFFERED, (struct str){ 0 }, NULL);
		return;
	}
	if (response->status != 200) {
		err_set(&problem, ERR_PROTOCOL, "answered with status %d%s", response->status,
			response->status == 429 ? ": too many logins begin; try again later" : "");
		fail(login, &problem);
		return;
	}
	if (device_login_read_codes(response->body, &login->codes, &problem) < 0) {
		fail(login, &problem);
		return;
	}
	login->deadline_ms = clock_now_ms() + (uint64_t)login->codes.expires_s * 1000;
	show(login);
	poll_later(login);
}

/* So that the person sees on the page which machine asks. */
static void append_name(struct buf *form)
{
	char host[HOST_NAME_MAX + 1] = "";

	(void)gethostname(host, sizeof(host) - 1); /* without a name it is "pomerium-cli" */
	(void)buf_append_str(form, STR("client_name=pomerium-cli"));
	if (!host[0] || !str_is_printable_ascii(str_from(host)))
		return;
	(void)query_escape(form, STR(" on ")); /* all fits */
	(void)query_escape(form, str_from(host));
}

static void ask_for_codes(struct device_login *login)
{
	struct buf form = BUF_INIT(FORM_MAX);

	append_name(&form);
	login->request = gateway_request_start(
		login->gateway,
		&(struct gateway_request_options){
			.method = STR("POST"),
			.target = str_from(login->offer.authorization_path),
			.form = buf_view(&form),
		},
		on_codes, login);
	buf_done(&form);
}

/* ---- the offer ---- */

static void on_offer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct device_login *login = arg;

	login->request = NULL;
	if (!response)
		fail(login, e);
	else if (response->status == 200 &&
		 device_login_read_offer(response->body, &login->offer) == 0)
		ask_for_codes(login);
	else
		finish(login, DEVICE_LOGIN_NOT_OFFERED, (struct str){ 0 }, NULL);
}

struct device_login *device_login_start(const struct gateway *gateway, const struct events *events,
					device_login_done_fn *on_done, void *arg)
{
	struct device_login *login = mem_alloc(sizeof(*login));

	*login = (struct device_login){
		.gateway = gateway, .events = events, .on_done = on_done, .arg = arg
	};
	login->request = gateway_request_start(gateway,
					       &(struct gateway_request_options){
						       .method = STR("GET"),
						       .target = STR(OFFER_PATH),
					       },
					       on_offer, login);
	return login;
}
