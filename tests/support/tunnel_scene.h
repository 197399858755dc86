#pragma once

/*
 * tunnel_scene.h - open tunnels of an exchange fixture, and how they end
 */

#include "proxy/recheck.h"
#include "tests/support/exchange_fixture.h"

/* For settings. */
#define ROUTE(settings)                                                                            \
	"routes:\n- from: tcp+https://" FIXTURE_ROUTE "\n  to: tcp://10.0.0.5:6379\n" settings
#define ANYBODY "  allow_any_authenticated_user: true\n"
#define MEMORY  "databroker_storage_type: memory\n"

/* One open tunnel, with its far ends. */
struct open_one {
	struct exchange *x;
	struct stream *client;
	struct stream *upstream;
	char session_id[UUID_TEXT_LEN + 1];
};

/* As a worker does it; returns when all have been asked. */
void scene_reload(struct exchange_fixture *f, const char *settings);

/* Sends the CONNECT, until it dials; / all of it. */
void scene_begin(struct exchange_fixture *f, const struct session *session);
struct open_one scene_open_with(struct exchange_fixture *f, const struct session *session);

/* With a session of its own. */
struct open_one scene_open_as(struct exchange_fixture *f, const char *email);

/* Both peers go. */
void scene_close(struct exchange_fixture *f, struct open_one *t);

/* Bytes go through and nothing was said about an end; / it has ended with that reason. Then it is closed. */
void scene_expect_alive(struct exchange_fixture *f, struct open_one *t);
void scene_expect_end(struct exchange_fixture *f, struct open_one *t, const char *reason);
