#pragma once

/*
 * schema.h - settings as tables: a mapping is read into a plain struct
 *
 * One row per key that exists, also for those this release does nothing with: the operator is told which is which.
 */

#include <stdbool.h>
#include <stddef.h>

#include "config/loader.h"
#include "config/value.h"

enum setting_status {
	SETTING_SUPPORTED,
	SETTING_NO_EFFECT, /* only means something for HTTP routes: accepted silently */
	SETTING_LATER,     /* known; a warning says that it has no effect yet */
	SETTING_REFUSED, /* known; ignoring it could let somebody in, so it is an error until it works */
	SETTING_HTTP_ONLY, /* an error on a TCP route */
	SETTING_REMOVED, /* an error in the reference as well; parse(), if there is one, tells it */
};

enum setting_type {
	SETTING_TEXT,     /* struct text_value */
	SETTING_BOOL,     /* struct bool_value */
	SETTING_NUMBER,   /* struct number_value */
	SETTING_DURATION, /* struct duration_value */
	SETTING_LIST,     /* struct list_value */
	SETTING_TARGETS,  /* struct list_value whose texts are not split at commas */
	SETTING_RECORD,   /* a mapping with a table of its own, read into the struct at offset */
	SETTING_RECORDS,  /* a list of such mappings: struct records_value */
	SETTING_NAMED,    /* a mapping of names to such mappings: struct named_value */
	SETTING_MAP,      /* a mapping of free keys to texts: struct map_value */
	SETTING_NODE,     /* const struct yaml_node *: read later, by whoever knows how */
	SETTING_CUSTOM,   /* parse() */
	SETTING_ANY,      /* not read in this release */
};

/* Whether a setting means something for a tunnel; those of a listener or of the login do. */
enum setting_effect { SETTING_EFFECT_YES, SETTING_EFFECT_PART, SETTING_EFFECT_NO };

struct schema;

struct setting {
	const char *key;
	enum setting_type type;
	enum setting_status status;
	const char *help; /* one line, for the reference manual */
	const char
		*default_text; /* NULL: unset. Setting it to this explicitly is never a problem */
	const char *variable;  /* in the environment. NULL: the key in upper case; "": none */
	enum setting_effect effect;
	size_t offset;              /* in the struct of the schema */
	const struct schema *table; /* what a mapping, or each element of a list, may hold */
	void (*parse)(struct loader *l, const struct value_path *path, const struct yaml_pair *pair,
		      void *record);
};

struct schema {
	const struct setting *settings;
	size_t count;
	size_t record_size;
	size_t record_at; /* offset of a struct position in a record of a list; see has_position */
	bool has_position;
};

struct records_value {
	void *items;
	size_t count;
	struct position at;
};

struct named_record {
	struct str name;    /* in lower case */
	struct str written; /* as written */
	struct position at; /* of the name */
	void *record;
};

struct named_value {
	struct named_record *items;
	size_t count;
	struct position at;
};

/* Problems go to the report; what could be read is in the record. path is NULL at the top level. */
void schema_load(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		 const struct schema *schema, void *record);

/* A list of mappings. */
void schema_load_records(struct loader *l, const struct value_path *path,
			 const struct yaml_node *node, const struct schema *schema,
			 struct records_value *ret);

/* A mapping of names to mappings, added to what is there already. */
void schema_load_named(struct loader *l, const struct value_path *path,
		       const struct yaml_node *node, const struct schema *schema,
		       struct named_value *ret);

/* NULL if there is no such key. */
const struct setting *schema_find(const struct schema *schema, struct str key);

/* The key that was probably meant, or NULL. */
const char *schema_suggest(const struct schema *schema, struct str key);
