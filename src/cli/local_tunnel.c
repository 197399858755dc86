/*
 * local_tunnel.c - try, log in if the gateway asks for it, try again, relay
 *
 *	TRYING ---- open ----> RELAYING ---> done   (cut by the gateway: it is asked why first)
 *	  |  ^
 *	  |  +-- there is another token --+
 *	  +-- unauthenticated --> WAITING-+   (at most one login; a token that somebody else stored in the meantime is
 *	                                       tried first, once)
 */

#include "cli/local_tunnel.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/end_question.h"
#include "cli/events.h"
#include "cli/gateway.h"
#include "cli/login.h"
#include "cli/tunnel.h"
#include "io/relay.h"

struct local_tunnel {
	struct list_node node;
	const struct local_tunnel_context *context;
	struct stream *local;
	struct buf token; /* sent with the attempt under way */
	struct tunnel *tunnel;
	struct login_waiter waiter;
	struct relay *relay;
	char request_id[TUNNEL_ID_MAX + 1];
	struct end_question *question; /* why the tunnel was cut */
	struct err failure;            /* what is said if the gateway says nothing */
	bool has_tried_stored;         /* a token found stored after a refusal */
	bool has_logged_in;
	local_tunnel_take_fn *take; /* NULL: local is there from the beginning */
	local_tunnel_done_fn *on_done;
	void *arg;
};

struct list_node *local_tunnel_node(struct local_tunnel *t)
{
	return &t->node;
}

struct local_tunnel *local_tunnel_from_node(struct list_node *node)
{
	return container_of(node, struct local_tunnel, node);
}

void local_tunnel_close(struct local_tunnel *t)
{
	tunnel_cancel(TAKE(t->tunnel));
	login_waiter_cancel(&t->waiter);
	relay_close(TAKE(t->relay), STREAM_CLOSE_NORMAL, NULL);
	end_question_cancel(TAKE(t->question));
	stream_close(TAKE(t->local), STREAM_CLOSE_NORMAL);
	buf_done_secret(&t->token);
	loop_free_later(t->context->gateway->loop, t);
}

/* The last thing that happens. on_done takes the tunnel out of the caller's list. */
static void finish(struct local_tunnel *t, enum exit_status status, const struct err *e)
{
	stream_close(TAKE(t->local), STREAM_CLOSE_NORMAL);
	t->on_done(t->arg, t, status, e);
	local_tunnel_close(t);
}

static void finish_broken(struct local_tunnel *t, const struct err *e)
{
	events_disconnected(t->context->events, e);
	finish(t, EXIT_STATUS_OTHER, NULL);
}

static void on_explained(void *arg, const struct err *sentence)
{
	struct local_tunnel *t = arg;

	t->question = NULL;
	finish_broken(t, sentence ? sentence : &t->failure);
}

/* Both sides are closed already: nobody waits for bytes while this is asked. */
static void ask_why(struct local_tunnel *t)
{
	if (t->request_id[0])
		t->question = end_question_start(t->context->questions, t->context->gateway,
						 str_from(t->request_id), on_explained, t);
	else
		finish_broken(t, &t->failure);
}

static void on_relay_done(void *arg, const struct relay_result *result)
{
	struct local_tunnel *t = arg;

	t->relay = NULL;
	switch (result->end) {
	case RELAY_A_CLOSED:
	case RELAY_B_CLOSED:
	case RELAY_IDLE:
		events_disconnected(t->context->events, NULL);
		finish(t, EXIT_STATUS_OK, NULL);
		return;
	case RELAY_A_FAILED:
		t->failure = *result->error;
		err_wrap(&t->failure, "the local connection broke");
		finish_broken(t, &t->failure);
		return;
	case RELAY_B_FAILED:
		break;
	}
	t->failure = *result->error;
	err_wrap(&t->failure, "the tunnel to %s broke", t->context->gateway->destination->target);
	ask_why(t);
}

/* From whoever holds it; what goes to it first comes before the gateway's early bytes. */
static void take_local(struct local_tunnel *t, struct relay_options *options, struct buf *early)
{
	struct local_side side = { 0 };

	t->take(t->arg, &side);
	options->a = side.stream;
	buf_move(&options->prefix_to_b, &side.from_local);
	buf_init(&options->prefix_to_a, side.to_local.len + early->len);
	(void)buf_append_str(&options->prefix_to_a, buf_view(&side.to_local)); /* made to fit */
	(void)buf_append_str(&options->prefix_to_a, buf_view(early));
	buf_done(&side.to_local);
	buf_done(early);
}

static void begin_relay(struct local_tunnel *t, struct tunnel_result *result)
{
	struct relay_options options = {
		.a = TAKE(t->local),
		.b = result->stream,
		.idle_timeout_ms = t->context->idle_ms,
		.linger_ms = result->can_half_close ? 0 : LOCAL_TUNNEL_LINGER_MS,
		.on_done = on_relay_done,
		.arg = t,
	};

	memcpy(t->request_id, result->request_id, sizeof(t->request_id));
	if (t->take)
		take_local(t, &options, &result->early);
	else
		buf_move(&options.prefix_to_a, &result->early);
	buf_done_secret(&t->token);
	events_connected(t->context->events);
	t->relay = relay_start(t->context->gateway->loop, &options);
}

static void on_tunnel(void *arg, struct tunnel_result *result);

/* With the token in t->token. */
static void try_tunnel(struct local_tunnel *t)
{
	events_connecting(t->context->events);
	t->tunnel = tunnel_start(t->context->gateway, buf_view(&t->token), on_tunnel, t);
}

/* Replaces t->token by what is stored now. */
static bool load_token(struct local_tunnel *t)
{
	buf_done_secret(&t->token);
	return credentials_load(t->context->credentials, &t->token);
}

static void on_login(struct login_waiter *waiter, const struct err *e)
{
	struct local_tunnel *t = container_of(waiter, struct local_tunnel, waiter);

	if (e) {
		finish(t, EXIT_STATUS_NOT_LOGGED_IN, e);
		return;
	}
	t->has_logged_in = true;
	(void)load_token(t); /* if somebody has just removed it: refused, and that is the answer */
	try_tunnel(t);
}

static void handle_unauthenticated(struct local_tunnel *t, const struct err *e)
{
	struct buf refused;

	credentials_forget(t->context->credentials, buf_view(&t->token));
	if (t->has_logged_in) {
		finish(t, EXIT_STATUS_NOT_LOGGED_IN, e);
		return;
	}
	buf_init(&refused, TOKEN_MAX);
	(void)buf_append_str(&refused, buf_view(&t->token)); /* same maximum */
	if (!t->has_tried_stored && load_token(t)) {
		t->has_tried_stored = true;
		try_tunnel(t);
	} else {
		login_wait(t->context->login, &t->waiter, buf_view(&refused), on_login);
	}
	buf_done_secret(&refused);
}

static void on_tunnel(void *arg, struct tunnel_result *result)
{
	struct local_tunnel *t = arg;

	t->tunnel = NULL;
	switch (result->outcome) {
	case TUNNEL_OPEN:
		begin_relay(t, result);
		return;
	case TUNNEL_UNAUTHENTICATED:
		handle_unauthenticated(t, &result->error);
		return;
	case TUNNEL_UNAUTHORIZED:
	case TUNNEL_NO_ROUTE:
	case TUNNEL_UNAVAILABLE:
	case TUNNEL_UNREACHABLE:
	case TUNNEL_REFUSED:
		finish(t, tunnel_exit_status(result->outcome), &result->error);
		return;
	}
}

static struct local_tunnel *start(const struct local_tunnel_context *context,
				  local_tunnel_done_fn *on_done, void *arg)
{
	struct local_tunnel *t = mem_alloc(sizeof(*t));

	*t = (struct local_tunnel){ .context = context, .on_done = on_done, .arg = arg };
	buf_init(&t->token, TOKEN_MAX);
	(void)load_token(t); /* without one the gateway asks for a login */
	try_tunnel(t);
	return t;
}

struct local_tunnel *local_tunnel_start(const struct local_tunnel_context *context,
					struct stream *local, local_tunnel_done_fn *on_done,
					void *arg)
{
	struct local_tunnel *t = start(context, on_done, arg);

	t->local = local;
	return t;
}

struct local_tunnel *local_tunnel_start_held(const struct local_tunnel_context *context,
					     local_tunnel_take_fn *take,
					     local_tunnel_done_fn *on_done, void *arg)
{
	struct local_tunnel *t = start(context, on_done, arg);

	t->take = take;
	return t;
}
