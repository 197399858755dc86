#pragma once

/*
 * h2_scene.h - our HTTP/2 client and our server over a stream in memory; the server opens every tunnel it is asked for
 */

#include "base/list.h"
#include "http/h2_client.h"
#include "http/h2_server.h"
#include "io/loop.h"
#include "tests/support/stream_mem.h"

struct h2_scene {
	struct loop *loop;
	struct h2_client *client; /* NULL once it has gone */
	struct h2_server *server;
	struct stream *client_lower; /* borrowed */
	struct list tunnels;
	struct h2_scene_tunnel *asked; /* the one being opened */
	int answers_with;              /* a status; 0: 200, a tunnel */
	unsigned refusals;
	enum err_kind failure; /* of the last question */
	unsigned closed_ends;  /* of a pair */
};

/* Both streams are the test's; h2_scene_done() closes what it has left. */
struct h2_scene_tunnel {
	struct list_node node;
	struct stream *client;
	struct stream *server;
	int status;
};

void h2_scene_init(struct h2_scene *s, const struct stream_mem_options *options);
void h2_scene_done(struct h2_scene *s);
void h2_scene_settle(struct h2_scene *s);
void h2_scene_connect(struct h2_scene *s, struct h2_scene_tunnel *t);

/* For the contract: a tunnel of a connection of its own, which goes with it. */
void h2_scene_open_pair(struct loop *loop, const struct stream_mem_options *options,
			struct stream **ret_client, struct stream **ret_server);
