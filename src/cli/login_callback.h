#pragma once

/*
 * login_callback.h - the little web server on 127.0.0.1 that the browser brings the token to
 *
 * Accepts one thing, once: GET of its own random path, with its own address as Host, no foreign Origin and a good
 * pomerium_jwt. Everything else is answered with 404. Nobody who does not know the path, in particular no web page, can put a token of theirs here.
 *
 * Ownership  The caller closes it; after on_token there is nothing else it can do.
 * Errors     ERR_SYSTEM from opening.
 * Limits     LOGIN_CALLBACK_PEERS_MAX connections; the oldest makes room.
 */

#include "base/err.h"
#include "base/str.h"

#define LOGIN_CALLBACK_PEERS_MAX 32

struct arena;
struct http_request;
struct login_callback;
struct loop;
struct stream;

/* on_token runs at most once, when the browser has got its answer. The token is valid during the call. */
struct login_callback *login_callback_open(struct loop *loop,
					   void (*on_token)(void *arg, struct str token), void *arg,
					   struct err *e);

/* "http://127.0.0.1:PORT/PATH" */
struct str login_callback_url(const struct login_callback *c);

/* Serves one connection; the listener does nothing else. Takes the stream. */
void login_callback_serve(struct login_callback *c, struct stream *stream);

/* NULL is ignored. */
void login_callback_close(struct login_callback *c);
