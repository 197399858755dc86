#pragma once

/*
 * fake_gateway.h - a gateway played by a test: in the same loop, without TLS, with a person and a browser
 *
 * Accepts the token "good" for db.example:5432 and sends "hi" through the tunnel. When its login API was asked, it brings a
 * token to the address that the client gave, as a browser does. For tests only.
 */

#include "base/list.h"

struct dial;
struct http_client;
struct listener;
struct loop;
struct resolver;

struct fake_gateway {
	struct loop *loop;
	struct resolver *resolver;
	struct listener *listener;
	struct list peers;
	char url[64];
	int status;                /* of the answer to a good token */
	const char *brought_token; /* by the browser; NULL: the login API fails */
	unsigned connect_count;
	unsigned login_count;
	struct dial *browser_dial;
	struct http_client *browser_request;
	char callback[256];
};

void fake_gateway_open(struct fake_gateway *g, struct loop *loop, struct resolver *resolver);
void fake_gateway_close(struct fake_gateway *g);
