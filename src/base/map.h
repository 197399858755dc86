#pragma once

/*
 * map.h - hash map from byte strings to pointers
 *
 * The hash is keyed (SipHash-2-4, random key per map), so that a peer who chooses the keys cannot
 * make them collide. Keys are copied; values are borrowed: release them before map_done().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct map_entry;

struct map {
	struct map_entry **buckets;
	size_t bucket_count;
	size_t count;
	uint64_t key[2];
};

void map_init(struct map *m);
void map_done(struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, struct str key);

/* Stores a value (not NULL) and returns the one it replaces, or NULL. */
void *map_put(struct map *m, struct str key, void *value);

/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, struct str key);

/* Calls visit for every entry; visit returns true to have that entry removed. */
void map_visit(struct map *m, bool (*visit)(void *arg, struct str key, void *value), void *arg);
