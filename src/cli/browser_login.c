/*
 * browser_login.c - listen, ask, show, wait
 *
 * Each step leaves exactly one operation pending: dial, then request, then callback (which listens from the start). Where no
 * browser was started here, the terminal is read beside the callback.
 */

#include "cli/browser_login.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/url.h"
#include "cli/browser.h"
#include "cli/destination.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/login_callback.h"
#include "cli/pasted_login.h"
#include "cli/version.h"
#include "http/client.h"
#include "io/loop.h"

struct browser_login {
	struct browser_login_options options;
	struct loop *loop;
	struct later later; /* delivers a failure of the first step */
	struct err failure;
	struct login_callback *callback;
	struct gateway_dial *dial;
	struct http_client *request;
	struct browser *browser;
	struct pasted_login *pasted;
	void (*on_done)(void *arg, struct str token, const struct err *e);
	void *arg;
};

bool browser_login_is_address(struct str text)
{
	struct url url;
	struct err ignored;

	return str_is_printable_ascii(text) && url_parse(text, &url, &ignored) == 0 &&
	       (str_equal_nocase(url.scheme, STR("https")) ||
		str_equal_nocase(url.scheme, STR("http")));
}

void browser_login_cancel(struct browser_login *login)
{
	if (!login)
		return;
	later_cancel(&login->later);
	gateway_dial_cancel(TAKE(login->dial));
	http_client_cancel(TAKE(login->request));
	browser_stop(TAKE(login->browser));
	pasted_login_cancel(TAKE(login->pasted));
	login_callback_close(TAKE(login->callback));
	loop_free_later(login->loop, login);
}

/* The last thing that happens to a login. */
static void finish(struct browser_login *login, struct str token, const struct err *e)
{
	login->on_done(login->arg, token, e);
	browser_login_cancel(login);
}

static void fail(struct browser_login *login, const struct err *e)
{
	struct err wrapped = *e;

	err_wrap(&wrapped, "cannot log in: the login API of %s",
		 login->options.gateway->destination->gateway_name);
	finish(login, (struct str){ 0 }, &wrapped);
}

static void on_token(void *arg, struct str token)
{
	finish(arg, token, NULL);
}

/* The browser may be on a machine from which ours cannot be reached. */
static void accept_pasted(struct browser_login *login)
{
	login->pasted = pasted_login_start(login->loop, login_callback_url(login->callback),
					   on_token, login);
	if (login->pasted)
		fprintf(stderr,
			"If the browser is on another machine, it cannot open the last address of "
			"the login. Paste that address here:\n\n");
}

static void on_browser_problem(void *arg, const struct err *e)
{
	struct browser_login *login = arg;

	events_warning(login->options.events,
		       "the browser could not be opened, please visit the address yourself", e);
	accept_pasted(login);
}

static void show_address(struct browser_login *login, struct str address)
{
	const char *program = login->options.browser;
	_cleanup_(mem_freep) char *text = str_copy(address);

	events_auth_required(login->options.events, address);
	fprintf(stderr, "%s\n\n%s\n\n",
		program ? "Your browser has been opened to visit:"
			: "To sign in, please visit this address:",
		text);
	if (program)
		login->browser = browser_start(login->loop, program, text, on_browser_problem,
					       login);
	else
		accept_pasted(login);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct browser_login *login = arg;
	struct err problem;

	login->request = NULL;
	if (!response) {
		fail(login, e);
		return;
	}
	if (response->status != 200) {
		err_set(&problem, ERR_PROTOCOL, "answered with status %d", response->status);
		fail(login, &problem);
		return;
	}
	if (!browser_login_is_address(response->body)) {
		err_set(&problem, ERR_PROTOCOL, "did not answer with an address");
		fail(login, &problem);
		return;
	}
	show_address(login, response->body);
}

static void on_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct browser_login *login = arg;
	struct buf target = BUF_INIT(1024);
	const struct http_header agent = { STR("User-Agent"), STR(CLI_USER_AGENT) };
	struct http_client_request request = {
		.method = STR("GET"),
		.host = str_from(login->options.gateway->destination->gateway_authority),
		.headers = &agent,
		.header_count = 1,
		.timeout_ms = BROWSER_LOGIN_API_TIMEOUT_MS,
		.body_max = URL_MAX,
	};

	login->dial = NULL;
	if (!stream) {
		fail(login, e);
		return;
	}
	buf_printf(&target, "/.pomerium/api/v1/login?pomerium_redirect_uri=");
	(void)query_escape(&target, login_callback_url(login->callback)); /* short */
	request.target = buf_view(&target);
	login->request = http_client_start(login->loop, stream, &request, on_answer, login);
	buf_done(&target);
}

static void deliver_failure(struct later *later)
{
	struct browser_login *login = container_of(later, struct browser_login, later);

	finish(login, (struct str){ 0 }, &login->failure);
}

struct browser_login *browser_login_start(const struct browser_login_options *options,
					  void (*on_done)(void *arg, struct str token,
							  const struct err *e),
					  void *arg)
{
	struct browser_login *login = mem_alloc(sizeof(*login));

	*login = (struct browser_login){
		.options = *options, .loop = options->gateway->loop, .on_done = on_done, .arg = arg
	};
	login->callback = login_callback_open(login->loop, on_token, login, &login->failure);
	if (!login->callback) {
		err_wrap(&login->failure, "cannot log in");
		later_start(&login->later, login->loop, deliver_failure);
		return login;
	}
	login->dial = gateway_dial_start(options->gateway, on_dialed, login);
	return login;
}
