#pragma once

/*
 * users.h - entries of local users, checked
 *
 * Private to the module. Users from several places are collected in one array.
 */

#include "base/map.h"
#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

struct users {
	struct loader *loader;
	struct arena *arena;       /* for what the users point to */
	struct config_user *items; /* mem_alloc */
	size_t count;
	struct map emails; /* lower-cased -> index + 1 */
	struct map ids;
};

void users_init(struct users *u, struct loader *l, struct arena *arena);
void users_done(struct users *u);

/* path names the list. */
void users_add_records(struct users *u, const struct value_path *path,
		       const struct records_value *records);

/* A file that holds a list of users. -1: reported. position.file borrows file_name. */
int users_add_file(struct users *u, struct str text, const char *file_name);
