#pragma once

/*
 * environment.h - settings from variables, laid over the tree of the file (configuration.md 1, 1.1)
 *
 * A variable becomes a node, as if it stood in the file; what is behind it need not know. Its place has the file
 * "environment: NAME", and no column unless the value is itself YAML or JSON.
 *
 * Ownership  The nodes live in the arenas given, in the trees kept here, and in the variables themselves.
 */

#include "config/schema.h"
#include "config/yaml.h"

#define ENVIRONMENT_TREES_MAX 64

struct environment {
	struct arena *names; /* for the names of places, which outlive the nodes */
	struct arena *nodes;
	struct report *report;
	struct yaml *trees[ENVIRONMENT_TREES_MAX]; /* of variables that are YAML or JSON */
	size_t tree_count;
};

/*
 * The root of the file, which may be NULL, with what the variables ("NAME=value", NULL-terminated) put in place of its
 * settings or beside them.
 */
const struct yaml_node *environment_overlay(struct environment *env, const char *const *variables,
					    const struct yaml_node *root);

void environment_done(struct environment *env);

/* The name of a setting's variable, in the arena; NULL if it has none. up is the key above it, or NULL. */
const char *environment_name(const struct setting *setting, const char *up, struct arena *arena);
