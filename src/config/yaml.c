/*
 * yaml.c - libfyaml's events, made into a tree
 *
 * The only file that knows libfyaml. Its event interface is used, not its documents, because only there
 * every value keeps its place and aliases can be counted before they are followed. The library stops
 * silently at bytes that are not text, so the whole file is checked for those first. It is told
 * to collect its messages: it never prints.
 */

#include "config/yaml.h"

#include <libfyaml.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "base/utf8.h"
#include "config/yaml_tree.h"

/* An escape of two bytes can become a character of three, and a key is kept twice (written, lower case). */
#define TEXT_GROWTH_MAX 3

struct reader {
	struct fy_diag *diag;
	struct fy_parser *parser;
	struct tree tree;
	bool is_over;
	unsigned document_count;
};

static bool is_text(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return c != 0x7f;
}

int yaml_check_bytes(struct str text, const char *file, struct report *report)
{
	struct position at = { .file = file, .line = 1, .column = 1 };

	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		size_t len = utf8_decode(str_from_pos(text, i), &c);

		if (!len) {
			report_add(report, REPORT_ERROR, at, "this is not UTF-8 text");
			return -1;
		}
		if (!is_text(c)) {
			report_add(report, REPORT_ERROR, at, "control characters are not allowed");
			return -1;
		}
		at.column++;
		if (c == '\n') {
			at.line++;
			at.column = 1;
		}
		i += len;
	}
	return 0;
}

static struct position position_of(const struct reader *r, const struct fy_mark *mark,
				   bool has_sign)
{
	struct position at = { .file = r->tree.file };

	if (!mark)
		return at;
	at.line = (unsigned)mark->line + 1;
	/* the library points behind the sign that begins the value: a quote, or the * of an alias */
	at.column = (unsigned)mark->column + (has_sign && mark->column > 0 ? 0 : 1);
	return at;
}

static struct str token_text(struct fy_token *token)
{
	size_t len = 0;
	const char *at = token ? fy_token_get_text(token, &len) : NULL;

	return str_of(at, at ? len : 0);
}

/* Only tags that change nothing are understood; a !custom tag asks for something nobody would do. */
static int check_tag(struct reader *r, struct fy_token *tag, const char *allowed,
		     struct position at)
{
	if (!tag)
		return 0;
	struct str text = token_text(tag);
	if (str_equal(text, str_from(allowed)) || str_equal(text, STR("!")))
		return 0;
	report_add(r->tree.report, REPORT_ERROR, at, "the tag %.*s is not supported",
		   STR_FMT(text));
	return -1;
}

/* Escapes can make bytes that the file itself may not hold. */
static int check_characters(struct reader *r, struct str text, struct position at)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.at[i] >= 0x80 || is_text((unsigned char)text.at[i]))
			continue;
		report_add(r->tree.report, REPORT_ERROR, at, "control characters are not allowed");
		return -1;
	}
	return 0;
}

static int read_scalar(struct reader *r, struct fy_event *event)
{
	enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
	bool has_quotes = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	struct tree_scalar scalar = {
		.at = position_of(r, fy_event_start_mark(event), has_quotes),
		.text = token_text(event->scalar.value),
		.anchor = token_text(event->scalar.anchor),
		.is_quoted = style != FYSS_PLAIN || event->scalar.tag,
	};

	if (check_tag(r, event->scalar.tag, "tag:yaml.org,2002:str", scalar.at) < 0 ||
	    check_characters(r, scalar.text, scalar.at) < 0)
		return -1;
	return tree_scalar(&r->tree, &scalar);
}

static int read_sequence(struct reader *r, struct fy_event *event)
{
	struct position at = position_of(r, fy_event_start_mark(event), false);

	if (check_tag(r, event->sequence_start.tag, "tag:yaml.org,2002:seq", at) < 0)
		return -1;
	return tree_begin(&r->tree, YAML_SEQUENCE, token_text(event->sequence_start.anchor), at);
}

static int read_mapping(struct reader *r, struct fy_event *event)
{
	struct position at = position_of(r, fy_event_start_mark(event), false);

	if (check_tag(r, event->mapping_start.tag, "tag:yaml.org,2002:map", at) < 0)
		return -1;
	return tree_begin(&r->tree, YAML_MAPPING, token_text(event->mapping_start.anchor), at);
}

static size_t report_diagnostics(struct reader *r)
{
	void *iterator = NULL;
	size_t count = 0;
	struct fy_diag_error *error;

	while ((error = fy_diag_errors_iterate(r->diag, &iterator))) {
		struct position at = {
			.file = r->tree.file,
			.line = error->line > 0 ? (unsigned)error->line : 1,
			.column = error->column > 0 ? (unsigned)error->column : 1,
		};
		report_add(r->tree.report, REPORT_ERROR, at, "%s", error->msg);
		count++;
	}
	return count;
}

/* Said at the first value of the second document: its beginning may be implicit and then has no place. */
static int refuse_document(struct reader *r, struct fy_event *event)
{
	if (!report_diagnostics(r))
		report_add(r->tree.report, REPORT_ERROR,
			   position_of(r, fy_event_start_mark(event), false),
			   "this is in a second document; only one is allowed");
	return -1;
}

static int read_event(struct reader *r, struct fy_event *event)
{
	if (r->document_count > 1)
		return refuse_document(r, event);
	switch (event->type) {
	case FYET_SCALAR:
		return read_scalar(r, event);
	case FYET_ALIAS:
		return tree_alias(&r->tree, token_text(event->alias.anchor),
				  position_of(r, fy_event_start_mark(event), true));
	case FYET_SEQUENCE_START:
		return read_sequence(r, event);
	case FYET_MAPPING_START:
		return read_mapping(r, event);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		return tree_end(&r->tree);
	case FYET_DOCUMENT_START:
		r->document_count++;
		return 0;
	case FYET_STREAM_END:
		r->is_over = true;
		return 0;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_DOCUMENT_END:
		return 0;
	}
	return 0;
}

static void report_syntax(struct reader *r)
{
	if (!report_diagnostics(r))
		report_add(r->tree.report, REPORT_ERROR, (struct position){ .file = r->tree.file },
			   "the file cannot be read to its end");
}

static int read_events(struct reader *r, struct str text)
{
	if (fy_parser_set_string(r->parser, text.at, text.len) < 0) {
		report_syntax(r);
		return -1;
	}
	while (!r->is_over) {
		struct fy_event *event = fy_parser_parse(r->parser);

		if (!event) {
			report_syntax(r);
			return -1;
		}
		int result = read_event(r, event);
		fy_parser_event_free(r->parser, event);
		if (result < 0)
			return -1;
	}
	/* what the library only warns of, it skips with everything behind it */
	return report_diagnostics(r) ? -1 : 0;
}

static void reader_init(struct reader *r, enum yaml_form form)
{
	struct fy_diag_cfg diag_options;

	fy_diag_cfg_default(&diag_options);
	diag_options.fp = NULL;
	diag_options.level = FYET_ERROR;
	r->diag = fy_diag_create(&diag_options);
	if (!r->diag)
		abort(); /* out of memory, as in base/mem.h */
	fy_diag_set_collect_errors(r->diag, true);

	struct fy_parse_cfg options = {
		.search_path = "",
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
			 (form == YAML_FORM_JSON ? FYPCF_JSON_FORCE : FYPCF_JSON_NONE),
		.diag = r->diag,
	};
	r->parser = fy_parser_create(&options);
	if (!r->parser)
		abort();
}

static void reader_done(struct reader *r)
{
	tree_done(&r->tree);
	fy_parser_destroy(r->parser);
	fy_diag_destroy(r->diag);
}

int yaml_parse(struct str text, const char *file_name, enum yaml_form form, struct yaml **ret,
	       struct report *report)
{
	if (yaml_check_bytes(text, file_name, report) < 0)
		return -1;

	_cleanup_(yaml_freep) struct yaml *yaml = mem_alloc(sizeof(*yaml));
	buf_init(&yaml->text, text.len * TEXT_GROWTH_MAX + 1);
	(void)buf_reserve(&yaml->text,
			  text.len * TEXT_GROWTH_MAX + 1); /* never beyond its maximum */
	if (str_is_empty(str_trim(text))) {
		*ret = TAKE(yaml);
		return 0;
	}

	struct reader *r = mem_alloc(sizeof(*r));
	reader_init(r, form);
	tree_init(&r->tree, yaml, file_name, report);
	int result = read_events(r, text);
	reader_done(r);
	mem_free(r);
	if (result == 0)
		*ret = TAKE(yaml);
	return result;
}

void yaml_free(struct yaml *yaml)
{
	if (!yaml)
		return;
	buf_done_secret(&yaml->text);
	arena_done(&yaml->arena);
	mem_free(yaml);
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
	return yaml->root;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, struct str key)
{
	for (size_t i = 0; mapping->kind == YAML_MAPPING && i < mapping->count; i++)
		if (str_equal(mapping->pairs[i].key, key))
			return mapping->pairs[i].value;
	return NULL;
}

const struct yaml_node *yaml_copy_node(const struct yaml_node *node, struct arena *arena)
{
	struct yaml_node *copy = arena_alloc(arena, sizeof(*copy));

	*copy = *node;
	copy->text = arena_copy(arena, node->text);
	if (node->kind == YAML_MAPPING && node->count) {
		copy->pairs = arena_alloc_array(arena, node->count, sizeof(*copy->pairs));
		for (size_t i = 0; i < node->count; i++)
			copy->pairs[i] = (struct yaml_pair){
				.key = arena_copy(arena, node->pairs[i].key),
				.written = arena_copy(arena, node->pairs[i].written),
				.at = node->pairs[i].at,
				.value = yaml_copy_node(node->pairs[i].value, arena),
			};
	}
	if (node->kind == YAML_SEQUENCE && node->count) {
		copy->items = arena_alloc_array(arena, node->count, sizeof(*copy->items));
		for (size_t i = 0; i < node->count; i++)
			copy->items[i] = yaml_copy_node(node->items[i], arena);
	}
	return copy;
}

uint64_t yaml_digest(const struct yaml_node *node)
{
	const uint64_t kind[2] = { node->kind, node->is_quoted };
	uint64_t digest = siphash24(kind, node->text);

	for (size_t i = 0; i < node->count; i++) {
		bool is_mapping = node->kind == YAML_MAPPING;
		uint64_t below = yaml_digest(is_mapping ? node->pairs[i].value : node->items[i]);
		const uint64_t chain[2] = { digest, below };

		digest = siphash24(chain, is_mapping ? node->pairs[i].written : STR(""));
	}
	return digest;
}
