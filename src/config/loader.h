#pragma once

/*
 * loader.h - where in the configuration a value is, and saying what is wrong with it
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "config/report.h"
#include "config/yaml.h"

/* routes[2].allowed_users[0], as a chain on the stack. */
struct value_path {
	const struct value_path *up; /* NULL: top level */
	struct str key;              /* "" when it is an element of a list */
	size_t index;
};

#define VALUE_PATH_TEXT_MAX 256

/* NUL-terminated; cut if it is longer. */
void value_path_format(const struct value_path *path, char out[VALUE_PATH_TEXT_MAX]);

struct loader {
	struct report *report;
	struct arena *arena; /* for what is read: lists, records */
};

/* "<path>: <sentence>": something is wrong with the value at that path. */
void loader_value_error(struct loader *l, const struct value_path *path, struct position at,
			const char *format, ...) PRINTF_LIKE(4, 5);
void loader_value_warning(struct loader *l, const struct value_path *path, struct position at,
			  const char *format, ...) PRINTF_LIKE(4, 5);

/* "<path> <predicate>": something is wrong with the setting itself. */
void loader_key_error(struct loader *l, const struct value_path *path, struct position at,
		      const char *format, ...) PRINTF_LIKE(4, 5);
void loader_key_warning(struct loader *l, const struct value_path *path, struct position at,
			const char *format, ...) PRINTF_LIKE(4, 5);
