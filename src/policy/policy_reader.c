/*
 * policy_reader.c - what all readers share: where they are, and how they say that something is wrong
 */

#include <stdarg.h>
#include <stdio.h>

#include "policy/policy_parts.h"

#define SENTENCE_MAX 600

void reader_init(struct reader *r, struct policy *policy, const struct config_route *route,
		 struct report *report)
{
	*r = (struct reader){
		.policy = policy,
		.report = report,
		.path = BUF_INIT(POLICY_PATH_MAX),
	};
	(void)buf_append_str(&r->path, route->path); /* what does not fit is not shown */
	r->route_len = r->path.len;
}

void reader_done(struct reader *r)
{
	buf_done(&r->path);
}

static void reader_say(struct reader *r, enum report_severity severity, struct position at,
		       const char *sentence)
{
	report_add(r->report, severity, at, "%.*s: %s", STR_FMT(buf_view(&r->path)), sentence);
}

void reader_error(struct reader *r, struct position at, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut if too long */
	va_end(args);
	reader_say(r, REPORT_ERROR, at, sentence);
	r->mistake_count++;
}

void reader_warning(struct reader *r, struct position at, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut if too long */
	va_end(args);
	reader_say(r, REPORT_WARNING, at, sentence);
}

size_t reader_enter(struct reader *r, const char *format, ...)
{
	char step[POLICY_PATH_MAX];
	size_t mark = r->path.len;
	const char *text = step;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(step, sizeof(step), format, args); /* cut if too long */
	va_end(args);
	if (mark == 0 && step[0] == '.')
		text++;
	(void)buf_append_str(&r->path, str_from(text)); /* what does not fit is not shown */
	return mark;
}

void reader_leave(struct reader *r, size_t mark)
{
	buf_truncate(&r->path, mark);
}

struct position reader_keep(struct reader *r, struct position at)
{
	if (at.file && at.file != r->file) {
		r->file = at.file;
		r->file_copy = arena_copy_string(&r->policy->arena, str_from(at.file));
	}
	return (struct position){
		.file = at.file ? r->file_copy : NULL,
		.line = at.line,
		.column = at.column,
	};
}

const char *reader_name(const struct reader *r)
{
	struct str path = str_from_pos(buf_view(&r->path), r->route_len);

	if (path.len && path.at[0] == '.')
		path = str_from_pos(path, 1);
	return arena_copy_string(&r->policy->arena, path);
}

/* ---- operands as text ---- */

static void write_node(struct buf *out, const struct yaml_node *node);

static void write_items(struct buf *out, const struct yaml_node *node)
{
	(void)buf_append_char(out, '[');
	for (size_t i = 0; i < node->count && !out->is_overflown; i++) {
		(void)buf_append_str(out, i ? STR(", ") : STR(""));
		write_node(out, node->items[i]);
	}
	(void)buf_append_char(out, ']');
}

static void write_pairs(struct buf *out, const struct yaml_node *node)
{
	(void)buf_append_char(out, '{');
	for (size_t i = 0; i < node->count && !out->is_overflown; i++) {
		(void)buf_printf(out, "%s%.*s: ", i ? ", " : "", STR_FMT(node->pairs[i].written));
		write_node(out, node->pairs[i].value);
	}
	(void)buf_append_char(out, '}');
}

/* The buffer says in the end whether all of it had room. */
static void write_node(struct buf *out, const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_NULL:
		(void)buf_append_str(out, STR("null"));
		break;
	case YAML_SCALAR:
		(void)buf_printf(out, node->is_quoted ? "\"%.*s\"" : "%.*s", STR_FMT(node->text));
		break;
	case YAML_SEQUENCE:
		write_items(out, node);
		break;
	case YAML_MAPPING:
		write_pairs(out, node);
		break;
	}
}

struct str reader_keep_text(struct reader *r, struct buf *out)
{
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] < 0x20 || out->data[i] == 0x7f)
			out->data[i] = '?';
	struct str text = arena_printf(&r->policy->arena, "%.*s%s", STR_FMT(buf_view(out)),
				       out->is_overflown ? "..." : "");
	buf_done(out);
	return text;
}

struct str reader_text(struct reader *r, const struct yaml_node *node)
{
	struct buf out = BUF_INIT(POLICY_TEXT_MAX);

	write_node(&out, node);
	return reader_keep_text(r, &out);
}
