#pragma once

/*
 * fake_gateway.h - a gateway played by a test: in the same loop, without TLS, with a person and a browser
 *
 * Accepts the token "good" for db.example:5432 and sends "hi" through the tunnel. When its login API was asked, it brings a
 * token to the address that the client gave, as a browser does. For tests only.
 */

#include <stdbool.h>

#include "base/list.h"

struct dial;
struct http_client;
struct listener;
struct loop;
struct resolver;
struct stream;

/* Of the only tunnel. */
#define FAKE_TUNNEL_ID "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11"

/* Answered as a tunnel would be: with a redirect, 401, or the status. */
#define FAKE_API "/.pomerium/api/v1/things"

struct fake_gateway {
	struct loop *loop;
	struct resolver *resolver;
	struct listener *listener;
	struct list peers;
	char url[64];
	int status;                /* of the answer to a good token */
	const char *brought_token; /* by the browser; NULL: the login API fails */
	bool cuts_tunnels;         /* keeps one until it is cut, and can be asked why */
	const char *end_answer;    /* what it says then; NULL: 404 */
	bool keeps_asker;          /* the connection on which it was asked stays open */
	unsigned end_count;        /* how often it was asked */
	unsigned accept_count;
	unsigned connect_count;
	unsigned api_count; /* of FAKE_API */
	unsigned login_count;
	struct stream *tunnel; /* the one that can be cut */
	struct dial *browser_dial;
	struct http_client *browser_request;
	char callback[256];
};

void fake_gateway_open(struct fake_gateway *g, struct loop *loop, struct resolver *resolver);
void fake_gateway_cut(struct fake_gateway *g);
void fake_gateway_close(struct fake_gateway *g);
