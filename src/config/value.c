/*
 * value.c - lenient about types as the reference is, strict about everything else
 */

#include "config/value.h"

static bool is_null(const struct yaml_node *node)
{
	return node->kind == YAML_NULL;
}

int value_read_text(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct text_value *ret)
{
	if (is_null(node))
		return 0;
	if (node->kind != YAML_SCALAR) {
		loader_value_error(l, path, node->at, "must be a text, not a %s",
				   node->kind == YAML_MAPPING ? "mapping" : "list");
		return -1;
	}
	*ret = (struct text_value){ .text = node->text, .at = node->at };
	return 0;
}

bool bool_parse(struct str text, bool *ret)
{
	static const struct {
		const char *text;
		bool is_true;
	} spellings[] = {
		{ "true", true },   { "True", true }, { "TRUE", true },   { "t", true },
		{ "T", true },      { "1", true },    { "false", false }, { "False", false },
		{ "FALSE", false }, { "f", false },   { "F", false },     { "0", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		if (!str_equal(text, str_from(spellings[i].text)))
			continue;
		*ret = spellings[i].is_true;
		return true;
	}
	return false;
}

int value_read_bool(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct bool_value *ret)
{
	struct text_value text = { 0 };
	bool is_true;

	if (value_read_text(l, path, node, &text) < 0)
		return -1;
	if (!value_is_set(text.at))
		return 0;
	if (!bool_parse(text.text, &is_true)) {
		loader_value_error(l, path, node->at, "\"%.*s\" is not true or false",
				   STR_FMT(text.text));
		return -1;
	}
	*ret = (struct bool_value){ .is_true = is_true, .at = node->at };
	return 0;
}

int value_read_number(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		      struct number_value *ret)
{
	struct text_value text = { 0 };
	uint64_t number;

	if (value_read_text(l, path, node, &text) < 0)
		return -1;
	if (!value_is_set(text.at))
		return 0;
	if (!str_to_uint64(text.text, &number)) {
		loader_value_error(l, path, node->at, "\"%.*s\" is not a number",
				   STR_FMT(text.text));
		return -1;
	}
	*ret = (struct number_value){ .number = number, .at = node->at };
	return 0;
}

/* A bare integer counts nanoseconds: what a YAML number means to the reference. */
static bool integer_parse(struct str text, int64_t *ret)
{
	bool is_negative = str_starts_with(text, STR("-"));
	uint64_t magnitude;

	if (!str_to_uint64(str_from_pos(text, is_negative ? 1 : 0), &magnitude) ||
	    magnitude > INT64_MAX)
		return false;
	*ret = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return true;
}

int value_read_duration(struct loader *l, const struct value_path *path,
			const struct yaml_node *node, struct duration_value *ret)
{
	struct text_value text = { 0 };
	int64_t ns;

	if (value_read_text(l, path, node, &text) < 0)
		return -1;
	if (!value_is_set(text.at))
		return 0;
	if (!duration_parse(text.text, &ns) &&
	    (node->is_quoted || !integer_parse(text.text, &ns))) {
		loader_value_error(l, path, node->at, "\"%.*s\" is not a duration (30s, 5m, 1h30m)",
				   STR_FMT(text.text));
		return -1;
	}
	*ret = (struct duration_value){ .ns = ns, .at = node->at };
	return 0;
}

static int read_items(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		      struct list_value *ret)
{
	if (node->count > VALUE_LIST_MAX) {
		loader_value_error(l, path, node->at, "has more than %d elements", VALUE_LIST_MAX);
		return -1;
	}
	struct text_value *items = arena_alloc_array(l->arena, node->count, sizeof(*items));
	bool is_good = true;

	for (size_t i = 0; i < node->count; i++) {
		struct value_path item = { .up = path, .index = i };

		if (value_read_text(l, &item, node->items[i], &items[i]) < 0) {
			is_good = false;
		} else if (!value_is_set(items[i].at)) {
			loader_value_error(l, &item, node->items[i]->at, "must not be empty");
			is_good = false;
		}
	}
	if (!is_good)
		return -1;
	*ret = (struct list_value){ .items = items, .count = node->count, .at = node->at };
	return 0;
}

int value_read_list_whole(struct loader *l, const struct value_path *path,
			  const struct yaml_node *node, struct list_value *ret)
{
	if (node->kind == YAML_SEQUENCE)
		return read_items(l, path, node, ret);

	struct text_value text = { 0 };
	if (value_read_text(l, path, node, &text) < 0)
		return -1;
	if (!value_is_set(text.at))
		return 0;
	struct text_value *items = arena_alloc(l->arena, sizeof(*items));
	items[0] = text;
	*ret = (struct list_value){ .items = items, .count = 1, .at = node->at };
	return 0;
}

static size_t count_commas(struct str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += s.at[i] == ',';
	return count;
}

int value_read_list(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		    struct list_value *ret)
{
	if (node->kind != YAML_SCALAR)
		return value_read_list_whole(l, path, node, ret);

	struct list_value list = { .at = node->at };
	size_t count = str_is_empty(node->text) ? 0 : count_commas(node->text) + 1;
	if (count > VALUE_LIST_MAX) {
		loader_value_error(l, path, node->at, "has more than %d elements", VALUE_LIST_MAX);
		return -1;
	}
	if (count)
		list.items = arena_alloc_array(l->arena, count, sizeof(*list.items));

	struct str rest = node->text;
	struct str item;
	while (list.count < count && str_cut(&rest, ',', &item))
		list.items[list.count++] = (struct text_value){ .text = item, .at = node->at };
	*ret = list;
	return 0;
}

static bool is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

int value_read_words(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		     struct list_value *ret)
{
	if (node->kind != YAML_SCALAR)
		return value_read_list_whole(l, path, node, ret);

	struct list_value list = { .at = node->at };
	struct str text = node->text;
	if (text.len / 2 >= VALUE_LIST_MAX) {
		loader_value_error(l, path, node->at, "has more than %d elements", VALUE_LIST_MAX);
		return -1;
	}
	list.items = arena_alloc_array(l->arena, text.len / 2 + 1, sizeof(*list.items));
	for (size_t at = 0; at < text.len;) {
		size_t end = at;

		while (end < text.len && !is_separator(text.at[end]))
			end++;
		if (end > at)
			list.items[list.count++] = (struct text_value){
				.text = str_first(str_from_pos(text, at), end - at),
				.at = node->at,
			};
		at = end + 1;
	}
	*ret = list;
	return 0;
}

int value_read_map(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		   struct map_value *ret)
{
	if (is_null(node))
		return 0;
	if (node->kind != YAML_MAPPING) {
		loader_value_error(l, path, node->at, "must be a mapping (key: value)");
		return -1;
	}
	struct pair_value *items = arena_alloc_array(l->arena, ret->count + node->count + 1,
						     sizeof(*items));
	struct map_value map = { .items = items, .count = ret->count, .at = node->at };
	bool is_good = true;

	if (ret->count)
		memcpy(items, ret->items, ret->count * sizeof(*items));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		struct value_path here = { .up = path, .key = pair->key };
		struct pair_value item = {
			.key = pair->key,
			.written = pair->written,
			.at = pair->at,
		};

		if (str_is_empty(here.key))
			here.key = STR("\"\"");
		if (value_read_text(l, &here, pair->value, &item.value) < 0)
			is_good = false;
		items[map.count++] = item;
	}
	if (!is_good)
		return -1;
	*ret = map;
	return 0;
}

struct config_list list_value_copy(const struct list_value *list, struct arena *arena)
{
	if (!list->count)
		return (struct config_list){ 0 };
	struct str *items = arena_alloc_array(arena, list->count, sizeof(*items));

	for (size_t i = 0; i < list->count; i++)
		items[i] = arena_copy(arena, list->items[i].text);
	return (struct config_list){ .items = items, .count = list->count };
}
