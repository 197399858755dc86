/*
 * environment.c - one walk over the table of settings: is there a variable of that name, and what node does it make
 *
 * Simple values are texts, read by their type like those of the file. What is a mapping is JSON; routes are base64 of
 * YAML. A mapping with a table of its own can be given whole, or key by key: then the keys stand beside it in the
 * dotted form, and the file's are left out.
 */

#include "config/environment.h"

#include "base/codec.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/options.h"

struct overlay {
	struct environment *env;
	const char *const *variables;
	struct yaml_pair *pairs;
	size_t count;
};

const char *environment_name(const struct setting *setting, const char *up, struct arena *arena)
{
	const char *separator = up ? "_" : "";
	struct str name;

	if (setting->variable)
		return setting->variable[0] ? setting->variable : NULL;
	name = arena_printf(arena, "%s%s%s", up ? up : "", separator, setting->key);
	char *upper = (char *)arena_alloc(arena, name.len + 1);

	for (size_t i = 0; i < name.len; i++)
		upper[i] = (char)(name.at[i] >= 'a' && name.at[i] <= 'z' ? name.at[i] - 'a' + 'A'
									 : name.at[i]);
	return upper;
}

/* Empty if it is not set; the reference does not tell the two apart either. */
static struct str find_variable(const char *const *variables, const char *name)
{
	struct str wanted = str_from(name);

	for (; *variables; variables++) {
		struct str variable = str_from(*variables);

		if (str_starts_with(variable, wanted) &&
		    str_starts_with(str_from_pos(variable, wanted.len), STR("=")))
			return str_from_pos(variable, wanted.len + 1);
	}
	return (struct str){ 0 };
}

static const struct yaml_node *make_text(struct environment *env, struct str value,
					 const char *place)
{
	struct yaml_node *node;

	if (yaml_check_bytes(value, place, env->report) < 0)
		return NULL;
	node = arena_alloc(env->nodes, sizeof(*node));
	*node = (struct yaml_node){
		.kind = YAML_SCALAR,
		.is_quoted = true, /* never null, and never a number of nanoseconds */
		.at = { .file = place, .line = 1 },
		.text = value,
		.weight = 1,
		.height = 1,
	};
	return node;
}

static const struct yaml_node *make_tree(struct environment *env, struct str value,
					 const char *place, enum yaml_form form)
{
	struct yaml *yaml = NULL;

	if (env->tree_count == ENVIRONMENT_TREES_MAX) {
		report_add(env->report, REPORT_ERROR, (struct position){ .file = place },
			   "there are too many variables of this kind");
		return NULL;
	}
	if (yaml_parse(value, place, form, &yaml, env->report) < 0)
		return NULL;
	env->trees[env->tree_count++] = yaml;
	return yaml_root(yaml);
}

static const struct yaml_node *make_routes(struct environment *env, struct str value,
					   const char *place)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const struct yaml_node *node = NULL;

	if (base64_decode(&text, BASE64_STANDARD, str_trim(value)) < 0)
		report_add(env->report, REPORT_ERROR, (struct position){ .file = place },
			   "is not standard base64 of a YAML list of routes");
	else
		node = make_tree(env, buf_view(&text), place, YAML_FORM_YAML);
	buf_done_secret(&text); /* routes can hold client secrets */
	return node;
}

static bool looks_like_json(struct str value)
{
	struct str text = str_trim(value);

	return str_starts_with(text, STR("{")) || str_starts_with(text, STR("["));
}

/* HEADERS: a JSON object, or Name:Value with commas between. */
static const struct yaml_node *make_headers(struct environment *env, struct str value,
					    const char *place)
{
	struct str rest = value;
	struct str item;

	if (looks_like_json(value))
		return make_tree(env, value, place, YAML_FORM_JSON);
	while (str_cut(&rest, ',', &item))
		if (str_find(item, ':') == item.len)
			report_add(env->report, REPORT_ERROR, (struct position){ .file = place },
				   "\"%.*s\" is not Name:Value", STR_FMT(item));
	return make_text(env, value, place);
}

static const struct yaml_node *make_node(struct environment *env, const struct setting *setting,
					 struct str value, const char *place)
{
	switch (setting->type) {
	case SETTING_TEXT:
	case SETTING_BOOL:
	case SETTING_NUMBER:
	case SETTING_DURATION:
	case SETTING_LIST:
	case SETTING_TARGETS:
		return make_text(env, value, place);
	case SETTING_RECORD:
	case SETTING_RECORDS:
	case SETTING_NAMED:
	case SETTING_MAP:
		return make_tree(env, value, place, YAML_FORM_JSON);
	case SETTING_NODE:
		return make_routes(env, value, place);
	case SETTING_CUSTOM:
		return looks_like_json(value) ? make_tree(env, value, place, YAML_FORM_JSON)
					      : make_text(env, value, place);
	case SETTING_ANY:
		return make_headers(env, value, place);
	}
	return NULL;
}

static const char *place_of(struct environment *env, const char *name)
{
	return arena_printf(env->names, "environment: %s", name).at;
}

static void remove_key(struct overlay *o, struct str key)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->count; i++)
		if (!str_equal(o->pairs[i].key, key))
			o->pairs[kept++] = o->pairs[i];
	o->count = kept;
}

/* And "key.anything". */
static void remove_dotted(struct overlay *o, const char *key)
{
	struct str prefix = arena_printf(o->env->nodes, "%s.", key);
	size_t kept = 0;

	for (size_t i = 0; i < o->count; i++)
		if (!str_starts_with(o->pairs[i].key, prefix))
			o->pairs[kept++] = o->pairs[i];
	o->count = kept;
}

/* From the mapping of that name, which is copied: the tree does not change. */
static void remove_inner(struct overlay *o, const char *key, const char *inner)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct yaml_node *old = o->pairs[i].value;

		if (!str_equal(o->pairs[i].key, str_from(key)) || old->kind != YAML_MAPPING ||
		    !yaml_get(old, str_from(inner)))
			continue;
		struct yaml_node *copy = arena_alloc(o->env->nodes, sizeof(*copy));
		*copy = *old;
		copy->pairs = arena_alloc_array(o->env->nodes, old->count, sizeof(*copy->pairs));
		copy->count = 0;
		for (size_t k = 0; k < old->count; k++)
			if (!str_equal(old->pairs[k].key, str_from(inner)))
				copy->pairs[copy->count++] = old->pairs[k];
		o->pairs[i].value = copy;
	}
}

static void add_pair(struct overlay *o, struct str key, const char *place,
		     const struct yaml_node *node)
{
	o->pairs = mem_resize(o->pairs, o->count + 1, sizeof(*o->pairs));
	o->pairs[o->count++] = (struct yaml_pair){
		.key = key,
		.written = key,
		.at = { .file = place, .line = 1 },
		.value = node,
	};
}

static void lay_whole(struct overlay *o, const struct setting *setting)
{
	const char *name = environment_name(setting, NULL, o->env->names);
	struct str value = name ? find_variable(o->variables, name) : (struct str){ 0 };

	if (str_is_empty(value))
		return;
	const char *place = place_of(o->env, name);
	const struct yaml_node *node = make_node(o->env, setting, value, place);

	remove_key(o, str_from(setting->key));
	remove_dotted(o, setting->key);
	if (node)
		add_pair(o, str_from(setting->key), place, node);
}

static void lay_inner(struct overlay *o, const struct setting *setting)
{
	for (size_t i = 0; i < setting->table->count; i++) {
		const struct setting *inner = &setting->table->settings[i];
		const char *name = environment_name(inner, setting->key, o->env->names);
		struct str value = name ? find_variable(o->variables, name) : (struct str){ 0 };

		if (str_is_empty(value))
			continue;
		const char *place = place_of(o->env, name);
		const struct yaml_node *node = make_node(o->env, inner, value, place);
		struct str key = arena_printf(o->env->nodes, "%s.%s", setting->key, inner->key);

		remove_key(o, key);
		remove_inner(o, setting->key, inner->key);
		if (node)
			add_pair(o, key, place, node);
	}
}

const struct yaml_node *environment_overlay(struct environment *env, const char *const *variables,
					    const struct yaml_node *root)
{
	struct overlay o = { .env = env, .variables = variables };
	struct yaml_node *whole;

	if (root && root->kind == YAML_NULL)
		root = NULL;
	if (root && root->kind != YAML_MAPPING)
		return root; /* which will be refused */
	if (root && root->count) {
		o.pairs = mem_resize(NULL, root->count, sizeof(*o.pairs));
		memcpy(o.pairs, root->pairs, root->count * sizeof(*o.pairs));
		o.count = root->count;
	}
	for (size_t i = 0; i < options_schema.count; i++) {
		lay_whole(&o, &options_schema.settings[i]);
		if (options_schema.settings[i].type == SETTING_RECORD)
			lay_inner(&o, &options_schema.settings[i]);
	}
	whole = arena_alloc(env->nodes, sizeof(*whole));
	*whole = (struct yaml_node){ .kind = YAML_MAPPING, .count = o.count };
	whole->pairs = arena_alloc_array(env->nodes, o.count, sizeof(*whole->pairs));
	if (o.count)
		memcpy(whole->pairs, o.pairs, o.count * sizeof(*whole->pairs));
	mem_free(o.pairs);
	return whole;
}

void environment_done(struct environment *env)
{
	for (size_t i = 0; i < env->tree_count; i++)
		yaml_free(env->trees[i]);
	env->tree_count = 0;
}
