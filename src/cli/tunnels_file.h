#pragma once

/*
 * tunnels_file.h - ~/.config/pomerium-cli/tunnels.yaml: the tunnels a user opens together
 *
 *	- name: cache
 *	  destination: redis.corp.example.com:6379
 *	  listen: 127.0.0.1:6379		(optional)
 *
 * A list of such, or a mapping whose key "tunnels" has it. Whatever else stands there is a mistake.
 *
 * Ownership  tunnels_file_done() releases everything; a zeroed one is empty.
 * Errors     ERR_CONFIG with file, line and column of the first mistake.
 * Limits     TUNNELS_FILE_MAX bytes, TUNNELS_MAX tunnels.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define TUNNELS_FILE_MAX (1u << 20)
#define TUNNELS_MAX      1000

struct tunnels_entry {
	const char *name;
	const char *destination; /* not checked */
	const char *listen;      /* not checked; NULL: none */
};

struct tunnels_file {
	struct tunnels_entry *entries;
	size_t count;
	struct arena arena;
};

int tunnels_file_parse(struct str text, const char *path, struct tunnels_file *ret, struct err *e);

/* A file that is not there is empty: *ret_is_there says so. */
int tunnels_file_read(const char *path, struct tunnels_file *ret, bool *ret_is_there,
		      struct err *e);
void tunnels_file_done(struct tunnels_file *file);

/* Where it is: below xdg_config_home (absolute) if set, else home/.config. NULL: nowhere. Release with mem_free(). */
char *tunnels_file_path(const char *xdg_config_home, const char *home);

/* NULL if there is none of that name. */
const struct tunnels_entry *tunnels_file_find(const struct tunnels_file *file, const char *name);
