#pragma once

/*
 * postgres_scene.h - PostgreSQL backends of a test, and what they were told
 */

#include "session/postgres_rows.h"
#include "tests/support/postgres_server.h"

struct postgres_scene {
	struct store_backend *backend;
	size_t changes;
	size_t gaps;
	enum record_kind last_kind;
	char last_id[STORE_KEY_MAX + 1];
	uint64_t last_version;
};

/* One server for all tests of a group. */
int postgres_scene_set_up(void **state);
int postgres_scene_tear_down(void **state);

/* Before each test: no schema. */
int postgres_scene_reset(void **state);

/* NULL: as postgres. Connects when it is waited for. */
void postgres_scene_open(struct postgres_scene *scene, struct postgres_server *server,
			 const char *connection);
void postgres_scene_close(struct postgres_scene *scene);

/* Waits as long as it takes for the backend to be there; or to be away, and gives the reason. */
void postgres_scene_wait_up(struct postgres_scene *scene);
void postgres_scene_wait_away(struct postgres_scene *scene, struct err *e);

/* Opened and there. */
void postgres_scene_open_up(struct postgres_scene *scene, struct postgres_server *server);

/* Waits for one more change. */
void postgres_scene_wait_change(struct postgres_scene *scene);

/* A session in a transaction of its own; the version it got. */
uint64_t postgres_scene_put(struct postgres_scene *scene, const char *id, const char *owner,
			    uint64_t expected_version);
void postgres_scene_remove(struct postgres_scene *scene, const char *id);

/* The version of a session, 0 if there is none. */
uint64_t postgres_scene_get(struct postgres_scene *scene, const char *id);
