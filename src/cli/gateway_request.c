#include "cli/gateway_request.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/tls_options.h"
#include "cli/version.h"
#include "io/loop.h"

#define SCHEME "Pomerium "

struct gateway_request {
	const struct gateway *gateway;
	char *method;
	char *target;
	struct buf authorization;
	struct buf form;
	size_t body_max;
	struct gateway_dial *dial;
	struct http_client *client;
	gateway_request_done_fn *on_done;
	void *arg;
};

void gateway_request_cancel(struct gateway_request *r)
{
	if (!r)
		return;
	gateway_dial_cancel(TAKE(r->dial));
	if (r->client)
		http_client_cancel(TAKE(r->client));
	mem_free(r->method);
	mem_free(r->target);
	buf_done_secret(&r->authorization);
	buf_done_secret(&r->form);
	loop_free_later(r->gateway->loop, r);
}

static void finish(struct gateway_request *r, const struct http_client_response *response,
		   const struct err *e)
{
	r->on_done(r->arg, response, e);
	gateway_request_cancel(r);
}

static void on_answer(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct gateway_request *r = arg;
	struct err wrapped;

	r->client = NULL;
	if (response) {
		finish(r, response, NULL);
		return;
	}
	wrapped = *e;
	tls_options_advise(&wrapped);
	err_wrap(&wrapped, "%s", r->gateway->destination->gateway_name);
	finish(r, NULL, &wrapped);
}

static void on_dialed(void *arg, struct stream *stream, const struct err *e)
{
	struct gateway_request *r = arg;
	struct http_header headers[4] = { { STR("User-Agent"), STR(CLI_USER_AGENT) },
					  { STR("Accept"), STR("application/json") } };
	struct http_client_request request = {
		.method = str_from(r->method),
		.target = str_from(r->target),
		.host = str_from(r->gateway->destination->gateway_authority),
		.headers = headers,
		.header_count = 2,
		.body = buf_view(&r->form),
		.timeout_ms = GATEWAY_REQUEST_TIMEOUT_MS,
		.body_max = r->body_max ? r->body_max : GATEWAY_REQUEST_BODY_MAX,
	};

	r->dial = NULL;
	if (!stream) {
		on_answer(r, NULL, e);
		return;
	}
	if (r->authorization.len > 0)
		headers[request.header_count++] =
			(struct http_header){ STR("Authorization"), buf_view(&r->authorization) };
	if (r->form.len > 0)
		headers[request.header_count++] = (struct http_header){
			STR("Content-Type"), STR("application/x-www-form-urlencoded")
		};
	r->client = http_client_start(r->gateway->loop, stream, &request, on_answer, r);
}

struct gateway_request *gateway_request_start(const struct gateway *gateway,
					      const struct gateway_request_options *options,
					      gateway_request_done_fn *on_done, void *arg)
{
	struct gateway_request *r = mem_alloc(sizeof(*r));

	*r = (struct gateway_request){ .gateway = gateway,
				       .method = str_copy(options->method),
				       .target = str_copy(options->target),
				       .authorization = BUF_INIT(TOKEN_MAX + sizeof(SCHEME)),
				       .form = BUF_INIT(GATEWAY_REQUEST_BODY_MAX),
				       .body_max = options->body_max,
				       .on_done = on_done,
				       .arg = arg };
	if (!str_is_empty(options->token)) {
		(void)buf_append_str(&r->authorization, STR(SCHEME)); /* both fit */
		(void)buf_append_str(&r->authorization, options->token);
	}
	(void)buf_append_str(&r->form, options->form); /* the program's own: it fits */
	r->dial = gateway_dial_start(gateway, on_dialed, r);
	return r;
}
