#pragma once

/*
 * yaml_tree.h - builds the tree of yaml.h from the events of a parser
 *
 * Private to yaml.c. Every function returns -1, with the problem in the report, when building cannot go on.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "config/yaml.h"

struct yaml {
	struct arena arena; /* nodes */
	struct buf text;    /* reserved whole at the beginning, so that views into it stay valid */
	const struct yaml_node *root;
};

struct tree_frame {
	struct yaml_node *node;
	struct str anchor;
	struct yaml_pair key; /* read, waiting for its value */
	bool has_key;
	struct yaml_pair merge; /* << */
	struct yaml_pair *pairs;
	const struct yaml_node **items;
	size_t count;
	size_t cap;
};

struct tree {
	struct yaml *yaml;
	struct report *report;
	const char *file;
	struct map anchors;
	struct tree_frame frames[YAML_DEPTH_MAX];
	size_t depth;
	size_t node_count;
};

struct tree_scalar {
	struct position at;
	struct str text;
	struct str anchor;
	bool is_quoted;
};

void tree_init(struct tree *t, struct yaml *yaml, const char *file, struct report *report);
void tree_done(struct tree *t);

int tree_scalar(struct tree *t, const struct tree_scalar *scalar);
int tree_alias(struct tree *t, struct str anchor, struct position at);
int tree_begin(struct tree *t, enum yaml_kind kind, struct str anchor, struct position at);
int tree_end(struct tree *t);
