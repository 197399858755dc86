#pragma once

/*
 * tunnel.h - ask the gateway for one tunnel (protocol.md 1.1, 1.9)
 *
 * Opens a stream to the gateway and sends CONNECT. What comes of it is an outcome, not an error; the sentence for the
 * person names the layer that said no, the status, the gateway's reason and the request's id.
 *
 * Ownership  The operation belongs to the caller until on_done has run or it was cancelled. Of an open tunnel the
 *            stream and the early bytes belong to the callee.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/exit_status.h"
#include "http/http.h"

#define TUNNEL_ANSWER_TIMEOUT_MS 60000
#define TUNNEL_ID_MAX            36

struct gateway;
struct stream;
struct tunnel;

enum tunnel_outcome {
	TUNNEL_OPEN,
	TUNNEL_UNAUTHENTICATED, /* the only outcome that speaks about the token */
	TUNNEL_UNAUTHORIZED,
	TUNNEL_NO_ROUTE,
	TUNNEL_UNAVAILABLE, /* the gateway could not reach the upstream, or is overloaded */
	TUNNEL_UNREACHABLE, /* the gateway itself could not be reached */
	TUNNEL_REFUSED,     /* any other answer */
};

struct tunnel_result {
	enum tunnel_outcome outcome;
	struct stream *stream; /* TUNNEL_OPEN */
	struct buf early;      /* TUNNEL_OPEN: bytes received behind the answer */
	char request_id[TUNNEL_ID_MAX +
			1]; /* TUNNEL_OPEN: by which it can be asked about; "": not */
	bool can_half_close; /* TUNNEL_OPEN: the gateway passes an end on and keeps the other direction */
	struct err error; /* otherwise: the sentence */
};

/* token is copied; empty: none is sent. */
struct tunnel *tunnel_start(const struct gateway *gateway, struct str token,
			    void (*on_done)(void *arg, struct tunnel_result *result), void *arg);

/* on_done will not run. NULL is ignored. */
void tunnel_cancel(struct tunnel *t);

/* What a status of the answer means. */
enum tunnel_outcome tunnel_classify(int status);

/* The sentence for an answer that did not open the tunnel. */
void tunnel_explain(const struct gateway *gateway, int status, const struct http_headers *headers,
		    struct err *ret);

enum exit_status tunnel_exit_status(enum tunnel_outcome outcome);
