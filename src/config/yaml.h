#pragma once

/*
 * yaml.h - a YAML or JSON file as a tree that knows where everything was written
 *
 * Anchors, aliases and merge keys are resolved: an alias is a second pointer to the same node. One
 * document per file.
 *
 * Ownership  The tree owns every text in it and wipes them when it is freed: files hold secrets.
 *            Positions borrow the file name given to yaml_parse().
 * Errors     In the report. A tree is given only if it is whole; repeated keys are errors that leave it whole.
 * Limits     Named below. An alias counts as many nodes as it stands for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/str.h"
#include "config/report.h"

#define YAML_DEPTH_MAX   64
#define YAML_NODES_MAX   4000000
#define YAML_KEYS_MAX    4096 /* in one mapping */
#define YAML_ANCHORS_MAX 10000

enum yaml_form { YAML_FORM_YAML, YAML_FORM_JSON };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_pair;

struct yaml_node {
	enum yaml_kind kind;
	bool is_quoted; /* a quoted or block scalar, or tagged !!str: text, whatever it looks like */
	struct position at;
	struct str text;
	struct yaml_pair *pairs;        /* mapping */
	const struct yaml_node **items; /* sequence */
	size_t count;                   /* of either */
	size_t weight;                  /* nodes in this subtree, those behind aliases included */
	size_t height; /* levels in it, likewise: what walks it needs that much stack */
};

struct yaml_pair {
	struct str key;     /* in lower case */
	struct str written; /* as written */
	struct position at;
	const struct yaml_node *value;
};

struct yaml;

int yaml_parse(struct str text, const char *file_name, enum yaml_form form, struct yaml **ret,
	       struct report *report);
void yaml_free(struct yaml *yaml);

DEFINE_CLEANUP(struct yaml, yaml_free)

/* Whether it is UTF-8 without control characters; -1: reported, at its place. */
int yaml_check_bytes(struct str text, const char *file_name, struct report *report);

/* NULL for a file that holds nothing but comments. */
const struct yaml_node *yaml_root(const struct yaml *yaml);

/* The value of a key given in lower case, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, struct str key);

/* Tells apart, within a process, what differs in keys, values or their order; where it was written does not matter. */
uint64_t yaml_digest(const struct yaml_node *node);

/* A copy of everything below, which is in the arena and borrows only the names of files. */
const struct yaml_node *yaml_copy_node(const struct yaml_node *node, struct arena *arena);
