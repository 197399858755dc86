/*
 * loader.c - a path is a chain of stack frames, written out only when there is something to say
 */

#include "config/loader.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_MAX 768

static void append_path(struct buf *out, const struct value_path *path)
{
	if (path->up)
		append_path(out, path->up);
	if (str_is_empty(path->key)) {
		(void)buf_printf(out, "[%zu]", path->index);
		return;
	}
	(void)buf_printf(out, "%s%.*s", out->len ? "." : "", STR_FMT(path->key));
}

void value_path_format(const struct value_path *path, char out[VALUE_PATH_TEXT_MAX])
{
	struct buf text = BUF_INIT(VALUE_PATH_TEXT_MAX - 1);

	if (path)
		append_path(&text, path); /* pieces that do not fit are left out */
	if (text.len)
		memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	buf_done(&text);
}

struct remark {
	enum report_severity severity;
	const struct value_path *path;
	struct position at;
	const char *separator;
};

static void say(struct loader *l, const struct remark *remark, const char *format, va_list args)
	PRINTF_LIKE(3, 0);

/* "environment: LOG_LEVEL" has named the setting already; but not which element of a list. */
static bool is_said_by_place(const struct remark *remark)
{
	return remark->at.line && !remark->at.column && remark->path &&
	       !str_is_empty(remark->path->key);
}

static void say(struct loader *l, const struct remark *remark, const char *format, va_list args)
{
	char sentence[SENTENCE_MAX];
	char path[VALUE_PATH_TEXT_MAX];

	(void)vsnprintf(sentence, sizeof(sentence), format, args); /* cut if too long */
	value_path_format(is_said_by_place(remark) ? NULL : remark->path, path);
	report_add(l->report, remark->severity, remark->at, "%s%s%s", path,
		   path[0] ? remark->separator : "", sentence);
}

void loader_value_error(struct loader *l, const struct value_path *path, struct position at,
			const char *format, ...)
{
	struct remark remark = { REPORT_ERROR, path, at, ": " };
	va_list args;

	va_start(args, format);
	say(l, &remark, format, args);
	va_end(args);
}

void loader_value_warning(struct loader *l, const struct value_path *path, struct position at,
			  const char *format, ...)
{
	struct remark remark = { REPORT_WARNING, path, at, ": " };
	va_list args;

	va_start(args, format);
	say(l, &remark, format, args);
	va_end(args);
}

void loader_key_error(struct loader *l, const struct value_path *path, struct position at,
		      const char *format, ...)
{
	struct remark remark = { REPORT_ERROR, path, at, " " };
	va_list args;

	va_start(args, format);
	say(l, &remark, format, args);
	va_end(args);
}

void loader_key_warning(struct loader *l, const struct value_path *path, struct position at,
			const char *format, ...)
{
	struct remark remark = { REPORT_WARNING, path, at, " " };
	va_list args;

	va_start(args, format);
	say(l, &remark, format, args);
	va_end(args);
}
