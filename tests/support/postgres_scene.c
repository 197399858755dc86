#include "tests/support/postgres_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LONG_MS 20000 /* nothing takes that long */

int postgres_scene_set_up(void **state)
{
	*state = postgres_server_new();
	return 0;
}

int postgres_scene_tear_down(void **state)
{
	postgres_server_free(*state);
	return 0;
}

int postgres_scene_reset(void **state)
{
	(void)postgres_server_run(*state, "DROP SCHEMA IF EXISTS pomerium CASCADE");
	return 0;
}

static void on_change(void *arg, const struct record_stamp *stamp)
{
	struct postgres_scene *scene = arg;

	assert_true(stamp->id.len <= STORE_KEY_MAX);
	scene->changes++;
	scene->last_kind = stamp->kind;
	(void)snprintf(scene->last_id, sizeof(scene->last_id), "%.*s", STR_FMT(stamp->id));
	scene->last_version = stamp->version;
}

static void on_gap(void *arg)
{
	struct postgres_scene *scene = arg;

	scene->gaps++;
}

static const struct store_backend_events events = {
	.on_change = on_change,
	.on_gap = on_gap,
};

void postgres_scene_open(struct postgres_scene *scene, struct postgres_server *server,
			 const char *connection)
{
	const char *text = connection ? connection : postgres_server_connection(server);
	struct err e = { 0 };

	*scene = (struct postgres_scene){ 0 };
	if (backend_postgres_open(str_from(text), &scene->backend, &e) < 0)
		fail_msg("%s", e.text);
	scene->backend->events = &events;
	scene->backend->arg = scene;
}

void postgres_scene_close(struct postgres_scene *scene)
{
	scene->backend->ops->close(scene->backend);
	scene->backend = NULL;
}

void postgres_scene_wait_up(struct postgres_scene *scene)
{
	struct err e = { 0 };

	for (int i = 0; i < 100; i++)
		if (scene->backend->ops->wait(scene->backend, -1, LONG_MS, &e) == 0)
			return;
	fail_msg("it does not come back: %s", e.text);
}

void postgres_scene_wait_away(struct postgres_scene *scene, struct err *e)
{
	for (int i = 0; i < 100; i++)
		if (scene->backend->ops->wait(scene->backend, -1, LONG_MS, e) < 0)
			return;
	fail_msg("it does not go away");
}

void postgres_scene_open_up(struct postgres_scene *scene, struct postgres_server *server)
{
	postgres_scene_open(scene, server, NULL);
	postgres_scene_wait_up(scene);
}

void postgres_scene_wait_change(struct postgres_scene *scene)
{
	size_t before = scene->changes;
	struct err e = { 0 };

	if (scene->backend->ops->wait(scene->backend, -1, LONG_MS, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(scene->changes, before + 1);
}

uint64_t postgres_scene_put(struct postgres_scene *scene, const char *id, const char *owner,
			    uint64_t expected_version)
{
	struct store_backend *b = scene->backend;
	struct record r = {
		.kind = RECORD_SESSION,
		.id = str_from(id),
		.owner = str_from(owner),
		.created_unix = 1000,
		.expires_unix = 2000,
		.body = STR("{}"),
	};
	enum store_result result = STORE_UNAVAILABLE;
	struct err e = { 0 };

	if (b->ops->begin(b, &e) < 0 || b->ops->put(b, &r, expected_version, &result, &e) < 0 ||
	    b->ops->commit(b, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(result, STORE_DONE);
	return r.version;
}

void postgres_scene_remove(struct postgres_scene *scene, const char *id)
{
	struct store_backend *b = scene->backend;
	struct arena arena = { 0 };
	struct record record;
	enum store_result result = STORE_UNAVAILABLE;
	struct err e = { 0 };

	if (b->ops->begin(b, &e) < 0 ||
	    b->ops->remove(b, &(struct record_stamp){ .kind = RECORD_SESSION, .id = str_from(id) },
			   &arena, &record, &result, &e) < 0 ||
	    b->ops->commit(b, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(result, STORE_DONE);
	arena_done(&arena);
}

uint64_t postgres_scene_get(struct postgres_scene *scene, const char *id)
{
	struct store_backend *b = scene->backend;
	struct record_stamp stamp = { .kind = RECORD_SESSION, .id = str_from(id) };
	struct err e = { 0 };

	if (b->ops->compare(b, &stamp, 1, &e) < 0)
		fail_msg("%s", e.text);
	return stamp.version;
}
