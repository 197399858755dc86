/*
 * yaml_tree.c - a stack of open collections; the top one receives what the parser reads
 *
 * A node becomes known under its anchor when it is complete, so that it cannot contain itself. Aliases share
 * nodes: a tree that would be huge when written out stays small in memory, and its weight is checked so
 * that walking it stays short too. Merge keys are applied when their mapping ends: what the
 * mapping says itself wins, wherever it is written.
 */

#include "config/yaml_tree.h"

#include <assert.h>

#include "base/mem.h"

static int fail(struct tree *t, struct position at, const char *sentence)
{
	report_add(t->report, REPORT_ERROR, at, "%s", sentence);
	return -1;
}

static struct str keep_text(struct tree *t, struct str s)
{
	struct buf *text = &t->yaml->text;
	size_t at = text->len;

	/* yaml.c reserved more than all texts of the file together can take */
	assert(s.len <= text->cap - text->len);
	(void)buf_append_str(text, s);
	return str_of(text->data + at, s.len);
}

static bool has_upper_case(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] >= 'A' && s.at[i] <= 'Z')
			return true;
	return false;
}

static struct str keep_lower(struct tree *t, struct str s)
{
	if (!has_upper_case(s))
		return s;
	struct str copy = keep_text(t, s);
	uint8_t *at = t->yaml->text.data + (t->yaml->text.len - s.len);

	for (size_t i = 0; i < s.len; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (uint8_t)(at[i] + ('a' - 'A'));
	return copy;
}

void tree_init(struct tree *t, struct yaml *yaml, const char *file, struct report *report)
{
	*t = (struct tree){ .yaml = yaml, .report = report, .file = file };
	map_init(&t->anchors);
}

static void frame_done(struct tree_frame *frame)
{
	mem_free(frame->pairs);
	mem_free(frame->items);
	*frame = (struct tree_frame){ 0 };
}

void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->depth; i++)
		frame_done(&t->frames[i]);
	t->depth = 0;
	map_done(&t->anchors);
}

static struct tree_frame *top(struct tree *t)
{
	return t->depth ? &t->frames[t->depth - 1] : NULL;
}

static bool expects_key(struct tree *t)
{
	const struct tree_frame *frame = top(t);

	return frame && frame->node->kind == YAML_MAPPING && !frame->has_key;
}

static int count_nodes(struct tree *t, size_t weight, struct position at)
{
	if (weight > YAML_NODES_MAX - t->node_count)
		return fail(t, at,
			    "the file has too many values (aliases count as what they stand for)");
	t->node_count += weight;
	return 0;
}

static int make_room(struct tree *t, struct tree_frame *frame, struct position at)
{
	if (frame->node->kind == YAML_MAPPING && frame->count == YAML_KEYS_MAX)
		return fail(t, at, "the mapping has too many keys");
	if (frame->count < frame->cap)
		return 0;
	frame->cap = frame->cap ? frame->cap * 2 : 8;
	if (frame->node->kind == YAML_MAPPING)
		frame->pairs = mem_resize(frame->pairs, frame->cap, sizeof(*frame->pairs));
	else
		frame->items = mem_resize(frame->items, frame->cap, sizeof(*frame->items));
	return 0;
}

static const struct yaml_pair *find_pair(const struct yaml_pair *pairs, size_t count,
					 struct str key)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(pairs[i].key, key))
			return &pairs[i];
	return NULL;
}

static void report_repeated(struct tree *t, const struct yaml_pair *pair,
			    const struct yaml_pair *first)
{
	report_add(t->report, REPORT_ERROR, pair->at, "the key %.*s is already there in line %u",
		   STR_FMT(pair->written), first->at.line);
}

static int add_pair(struct tree *t, struct tree_frame *frame, const struct yaml_node *value)
{
	struct yaml_pair pair = frame->key;

	pair.value = value;
	frame->has_key = false;
	if (str_equal(pair.key, STR("<<"))) {
		if (frame->merge.value)
			report_repeated(t, &pair, &frame->merge);
		frame->merge = pair;
		return 0;
	}
	const struct yaml_pair *first = find_pair(frame->pairs, frame->count, pair.key);
	if (first) {
		report_repeated(t, &pair, first);
		return 0;
	}
	if (make_room(t, frame, pair.at) < 0)
		return -1;
	frame->pairs[frame->count++] = pair;
	return 0;
}

/* Gives a complete node to the collection that is open, or makes it the root. */
static int add_node(struct tree *t, const struct yaml_node *node, struct position at)
{
	struct tree_frame *frame = top(t);

	if (!frame) {
		t->yaml->root = node;
		return 0;
	}
	frame->node->weight += node->weight;
	if (frame->node->height <= node->height)
		frame->node->height = node->height + 1;
	if (frame->node->kind == YAML_MAPPING)
		return add_pair(t, frame, node);
	if (make_room(t, frame, at) < 0)
		return -1;
	frame->items[frame->count++] = node;
	return 0;
}

static int remember_anchor(struct tree *t, struct str anchor, struct yaml_node *node)
{
	if (str_is_empty(anchor))
		return 0;
	if (t->anchors.count == YAML_ANCHORS_MAX)
		return fail(t, node->at, "the file has too many anchors");
	(void)map_put(&t->anchors, anchor, node); /* a later anchor of the same name replaces it */
	return 0;
}

static bool looks_null(struct str s)
{
	return str_is_empty(s) || str_equal(s, STR("~")) || str_equal_nocase(s, STR("null"));
}

static int read_key(struct tree *t, const struct tree_scalar *scalar)
{
	struct tree_frame *frame = top(t);
	struct str written = keep_text(t, scalar->text);

	frame->has_key = true;
	frame->key = (struct yaml_pair){
		.key = keep_lower(t, written),
		.written = written,
		.at = scalar->at,
	};
	return 0;
}

int tree_scalar(struct tree *t, const struct tree_scalar *scalar)
{
	if (expects_key(t))
		return read_key(t, scalar);

	const struct tree_frame *frame = top(t);
	struct position at = scalar->at;
	if (!at.line && frame)
		at = frame->has_key ? frame->key.at : frame->node->at;
	if (count_nodes(t, 1, at) < 0)
		return -1;

	struct yaml_node *node = arena_alloc(&t->yaml->arena, sizeof(*node));
	*node = (struct yaml_node){
		.kind = !scalar->is_quoted && looks_null(scalar->text) ? YAML_NULL : YAML_SCALAR,
		.is_quoted = scalar->is_quoted,
		.at = at,
		.text = keep_text(t, scalar->text),
		.weight = 1,
		.height = 1,
	};
	if (remember_anchor(t, scalar->anchor, node) < 0)
		return -1;
	return add_node(t, node, at);
}

int tree_alias(struct tree *t, struct str anchor, struct position at)
{
	if (expects_key(t))
		return fail(t, at, "an alias cannot be a key");
	const struct yaml_node *node = map_get(&t->anchors, anchor);
	if (!node) {
		report_add(t->report, REPORT_ERROR, at,
			   "there is no anchor &%.*s before this alias", STR_FMT(anchor));
		return -1;
	}
	if (t->depth + node->height > YAML_DEPTH_MAX + 1)
		return fail(t, at, "the file is nested too deeply");
	if (count_nodes(t, node->weight, at) < 0)
		return -1;
	return add_node(t, node, at);
}

int tree_begin(struct tree *t, enum yaml_kind kind, struct str anchor, struct position at)
{
	if (expects_key(t))
		return fail(t, at, "a key must be a text");
	if (t->depth == YAML_DEPTH_MAX)
		return fail(t, at, "the file is nested too deeply");
	if (count_nodes(t, 1, at) < 0)
		return -1;

	struct yaml_node *node = arena_alloc(&t->yaml->arena, sizeof(*node));
	*node = (struct yaml_node){ .kind = kind, .at = at, .weight = 1, .height = 1 };
	t->frames[t->depth++] = (struct tree_frame){
		.node = node,
		.anchor = keep_text(t, anchor),
	};
	return 0;
}

static int merge_mapping(struct tree *t, struct tree_frame *frame, const struct yaml_node *from)
{
	if (from->kind != YAML_MAPPING)
		return fail(t, frame->merge.at, "<< needs a mapping or a list of mappings");
	for (size_t i = 0; i < from->count; i++) {
		if (find_pair(frame->pairs, frame->count, from->pairs[i].key))
			continue;
		if (make_room(t, frame, frame->merge.at) < 0)
			return -1;
		frame->pairs[frame->count++] = from->pairs[i];
	}
	return 0;
}

static int apply_merge(struct tree *t, struct tree_frame *frame)
{
	const struct yaml_node *from = frame->merge.value;

	if (!from)
		return 0;
	if (from->kind != YAML_SEQUENCE)
		return merge_mapping(t, frame, from);
	for (size_t i = 0; i < from->count; i++)
		if (merge_mapping(t, frame, from->items[i]) < 0)
			return -1;
	return 0;
}

static void close_node(struct tree *t, struct tree_frame *frame)
{
	struct yaml_node *node = frame->node;
	struct arena *arena = &t->yaml->arena;

	node->count = frame->count;
	if (!frame->count)
		return;
	if (node->kind == YAML_MAPPING) {
		node->pairs = arena_alloc_array(arena, frame->count, sizeof(*node->pairs));
		memcpy(node->pairs, frame->pairs, frame->count * sizeof(*node->pairs));
		return;
	}
	node->items = arena_alloc_array(arena, frame->count, sizeof(*node->items));
	memcpy(node->items, frame->items, frame->count * sizeof(*node->items));
}

int tree_end(struct tree *t)
{
	assert(t->depth > 0);
	struct tree_frame *frame = top(t);

	if (apply_merge(t, frame) < 0)
		return -1;
	close_node(t, frame);

	struct yaml_node *node = frame->node;
	struct str anchor = frame->anchor;
	frame_done(frame);
	t->depth--;
	if (remember_anchor(t, anchor, node) < 0)
		return -1;
	return add_node(t, node, node->at);
}
