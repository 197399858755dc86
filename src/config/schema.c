/*
 * schema.c - walks a mapping: look the key up, obey its status, read it by its type
 */

#include "config/schema.h"

#include "base/arena.h"
#include "base/distance.h"

#define RECORDS_MAX 100000

const struct setting *schema_find(const struct schema *schema, struct str key)
{
	for (size_t i = 0; i < schema->count; i++)
		if (str_equal(key, str_from(schema->settings[i].key)))
			return &schema->settings[i];
	return NULL;
}

const char *schema_suggest(const struct schema *schema, struct str key)
{
	const char *best = NULL;
	size_t best_distance = DISTANCE_SUGGESTED_MAX + 1;

	if (key.len < 3)
		return NULL;
	for (size_t i = 0; i < schema->count; i++) {
		size_t distance = str_distance(key, str_from(schema->settings[i].key));

		if (distance >= best_distance)
			continue;
		best_distance = distance;
		best = schema->settings[i].key;
	}
	return best;
}

/* Values that ask for nothing: leaving the setting out would mean the same. */
static bool is_harmless(const struct setting *setting, const struct yaml_node *node)
{
	bool is_true;

	if (node->kind == YAML_NULL)
		return true;
	if (node->kind != YAML_SCALAR)
		return node->count == 0;
	if (str_is_empty(node->text))
		return true;
	if (setting->type == SETTING_BOOL && bool_parse(node->text, &is_true))
		return is_true == (setting->default_text && setting->default_text[0] == 't');
	return setting->default_text &&
	       str_equal_nocase(node->text, str_from(setting->default_text));
}

static void report_unknown(struct loader *l, const struct value_path *path,
			   const struct yaml_pair *pair, const struct schema *schema)
{
	const char *suggestion = schema_suggest(schema, pair->key);

	if (suggestion)
		loader_key_warning(l, path, pair->at,
				   "is not a known setting and is ignored; did you mean %s?",
				   suggestion);
	else
		loader_key_warning(l, path, pair->at, "is not a known setting and is ignored");
}

/* The readers have reported their problem when they return -1; the field then stays unset. */
static void load_value(struct loader *l, const struct value_path *path,
		       const struct yaml_pair *pair, const struct setting *setting, void *record)
{
	void *field = (char *)record + setting->offset;

	switch (setting->type) {
	case SETTING_TEXT:
		(void)value_read_text(l, path, pair->value, field);
		return;
	case SETTING_BOOL:
		(void)value_read_bool(l, path, pair->value, field);
		return;
	case SETTING_NUMBER:
		(void)value_read_number(l, path, pair->value, field);
		return;
	case SETTING_DURATION:
		(void)value_read_duration(l, path, pair->value, field);
		return;
	case SETTING_LIST:
		(void)value_read_list(l, path, pair->value, field);
		return;
	case SETTING_TARGETS:
		(void)value_read_list_whole(l, path, pair->value, field);
		return;
	case SETTING_RECORD:
		schema_load(l, path, pair->value, setting->table, field);
		return;
	case SETTING_RECORDS:
		schema_load_records(l, path, pair->value, setting->table, field);
		return;
	case SETTING_NAMED:
		schema_load_named(l, path, pair->value, setting->table, field);
		return;
	case SETTING_MAP:
		(void)value_read_map(l, path, pair->value, field);
		return;
	case SETTING_NODE:
		if (pair->value->kind != YAML_NULL)
			memcpy(field, &pair->value, sizeof(pair->value));
		return;
	case SETTING_CUSTOM:
		setting->parse(l, path, pair, record);
		return;
	case SETTING_ANY:
		return;
	}
}

/* What has no effect is refused all the same when it is not what the reference would read. */
static bool has_form(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		     const struct setting *setting)
{
	struct bool_value flag;
	struct duration_value duration;

	if (setting->type == SETTING_BOOL)
		return value_read_bool(l, path, node, &flag) == 0;
	if (setting->type == SETTING_DURATION)
		return value_read_duration(l, path, node, &duration) == 0;
	return true;
}

static void load_setting(struct loader *l, const struct value_path *path,
			 const struct yaml_pair *pair, const struct setting *setting, void *record)
{
	switch (setting->status) {
	case SETTING_SUPPORTED:
		load_value(l, path, pair, setting, record);
		return;
	case SETTING_NO_EFFECT:
		if (!is_harmless(setting, pair->value))
			(void)has_form(l, path, pair->value, setting); /* reported */
		return;
	case SETTING_LATER:
		if (!is_harmless(setting, pair->value) && has_form(l, path, pair->value, setting))
			loader_key_warning(l, path, pair->at,
					   "is not supported yet and has no effect");
		return;
	case SETTING_REFUSED:
		if (!is_harmless(setting, pair->value))
			loader_key_error(l, path, pair->at, "is not supported yet");
		return;
	case SETTING_HTTP_ONLY:
		if (pair->value->kind != YAML_NULL)
			loader_key_error(l, path, pair->at, "does not work on a TCP route; use to");
		return;
	case SETTING_REMOVED:
		if (setting->parse)
			setting->parse(l, path, pair, record);
		else
			loader_key_error(l, path, pair->at, "is no longer supported");
		return;
	}
}

/* At the top level "a.b: x" means "a: {b: x}". What stands for that is allocated: readers may keep it for later. */
static const struct setting *find_dotted(const struct schema *schema, struct str key)
{
	size_t dot = str_find(key, '.');

	return dot < key.len ? schema_find(schema, str_first(key, dot)) : NULL;
}

static void load_dotted(struct loader *l, const struct value_path *path,
			const struct yaml_pair *pair, const struct setting *setting, void *record)
{
	if (setting->status != SETTING_SUPPORTED) {
		load_setting(l, path, pair, setting, record);
		return;
	}
	struct yaml_pair *inner = arena_alloc(l->arena, sizeof(*inner));
	struct yaml_node *mapping = arena_alloc(l->arena, sizeof(*mapping));
	size_t dot = str_find(pair->key, '.');

	*inner = *pair;
	inner->key = str_from_pos(pair->key, dot + 1);
	inner->written = str_from_pos(pair->written, dot + 1);
	*mapping = (struct yaml_node){
		.kind = YAML_MAPPING,
		.at = pair->at,
		.pairs = inner,
		.count = 1,
		.weight = pair->value->weight + 1,
	};
	struct value_path outer = { .key = str_first(pair->key, dot) };
	struct yaml_pair whole = *pair;
	whole.value = mapping;
	load_value(l, &outer, &whole, setting, record);
}

void schema_load(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		 const struct schema *schema, void *record)
{
	if (node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, path, node->at, "must be a mapping (key: value)");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct value_path here = { .up = path, .key = pair->written };
		const struct setting *setting = schema_find(schema, pair->key);
		const struct setting *outer = setting || path ? NULL
							      : find_dotted(schema, pair->key);

		if (setting)
			here.key = pair->key;
		if (str_is_empty(here.key))
			here.key = STR("\"\"");
		if (setting)
			load_setting(l, &here, pair, setting, record);
		else if (outer)
			load_dotted(l, &here, pair, outer, record);
		else
			report_unknown(l, &here, pair, schema);
	}
}

void schema_load_records(struct loader *l, const struct value_path *path,
			 const struct yaml_node *node, const struct schema *schema,
			 struct records_value *ret)
{
	if (node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_SEQUENCE) {
		loader_value_error(l, path, node->at, "must be a list");
		return;
	}
	if (node->count > RECORDS_MAX) {
		loader_value_error(l, path, node->at, "has more than %d elements", RECORDS_MAX);
		return;
	}
	ret->at = node->at;
	ret->count = node->count;
	if (node->count)
		ret->items = arena_alloc_array(l->arena, node->count, schema->record_size);

	for (size_t i = 0; i < node->count; i++) {
		struct value_path item = { .up = path, .index = i };
		char *record = (char *)ret->items + i * schema->record_size;

		if (schema->has_position)
			memcpy(record + schema->record_at, &node->items[i]->at,
			       sizeof(struct position));
		if (node->items[i]->kind == YAML_NULL)
			loader_value_error(l, &item, node->items[i]->at, "must not be empty");
		else
			schema_load(l, &item, node->items[i], schema, record);
	}
}

void schema_load_named(struct loader *l, const struct value_path *path,
		       const struct yaml_node *node, const struct schema *schema,
		       struct named_value *ret)
{
	if (node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, path, node->at, "must be a mapping of names to mappings");
		return;
	}
	struct named_record *items = arena_alloc_array(l->arena, ret->count + node->count + 1,
						       sizeof(*items));

	if (ret->count)
		memcpy(items, ret->items, ret->count * sizeof(*items));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct value_path here = { .up = path, .key = pair->written };
		struct named_record *item = &items[ret->count + i];

		if (str_is_empty(here.key))
			here.key = STR("\"\"");
		*item = (struct named_record){
			.name = pair->key,
			.written = pair->written,
			.at = pair->at,
			.record = arena_alloc(l->arena, schema->record_size),
		};
		schema_load(l, &here, pair->value, schema, item->record);
	}
	*ret = (struct named_value){
		.items = items,
		.count = ret->count + node->count,
		.at = node->at,
	};
}
