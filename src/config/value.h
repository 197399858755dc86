#pragma once

/*
 * value.h - what a setting can hold, and how it is read (configuration.md 1.1)
 *
 * A value that was not set has line 0 in its position. Texts are views into the tree they were read from.
 * Readers return -1, with the problem in the report, for what they do not accept; null leaves the value unset.
 */

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/loader.h"

#define VALUE_LIST_MAX 100000

struct text_value {
	struct str text;
	struct position at;
};

struct bool_value {
	bool is_true;
	struct position at;
};

struct number_value {
	uint64_t number;
	struct position at;
};

struct duration_value {
	int64_t ns;
	struct position at;
};

struct list_value {
	struct text_value *items;
	size_t count;
	struct position at;
};

/* An element of a mapping whose keys are free. */
struct pair_value {
	struct str key; /* in lower case */
	struct str written;
	struct position at; /* of the key */
	struct text_value value;
};

struct map_value {
	struct pair_value *items;
	size_t count;
	struct position at;
};

static inline bool value_is_set(struct position at)
{
	return at.line != 0;
}

int value_read_text(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct text_value *ret);
int value_read_bool(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct bool_value *ret);
int value_read_number(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		      struct number_value *ret);
int value_read_duration(struct loader *l, const struct value_path *path,
			const struct yaml_node *node, struct duration_value *ret);

/* A list; or one text, split at commas without trimming. */
int value_read_list(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct list_value *ret);

/* A list; or one text, split at commas and blanks, of which there may be several. */
int value_read_words(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		     struct list_value *ret);

/* A list; or one text, which is its only element. */
int value_read_list_whole(struct loader *l, const struct value_path *path,
			  const struct yaml_node *node, struct list_value *ret);

/* A mapping to texts, added to what is there already. */
int value_read_map(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		   struct map_value *ret);

/* 1/0, t/f, true/false in the spellings of the reference. */
bool bool_parse(struct str text, bool *ret);

/* "1h30m", "1.5s", "-5ms", "0": nanoseconds. */
bool duration_parse(struct str text, int64_t *ret_ns);

/* The texts of a list, copied. */
struct config_list list_value_copy(const struct list_value *list, struct arena *arena);
