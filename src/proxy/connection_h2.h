#pragma once

/*
 * connection_h2.h - a client connection that speaks HTTP/2, and its requests, each a struct connection
 *
 * The tunnels that such requests become are streams of the connection: they end with it.
 */

struct connection;

void connection_h2_serve(struct connection *c);

/* Its requests, with that reason, and then itself, tunnels included. */
void connection_h2_close_all(struct connection *c, const char *why);
