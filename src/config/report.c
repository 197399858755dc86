/*
 * report.c - problems are kept as finished lines; beyond the maximum they are only counted
 */

#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

#define PROBLEM_TEXT_MAX    2048
#define FILE_NAME_SHOWN_MAX 512

/* Text from the file is quoted in messages: nothing that moves a terminal's cursor gets through. */
static void defuse(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void position_format(struct position at, char out[POSITION_TEXT_MAX])
{
	int len = snprintf(out, POSITION_TEXT_MAX, "%.*s", FILE_NAME_SHOWN_MAX,
			   at.file ? at.file : "");

	if (len > 0 && at.line && at.column)
		(void)snprintf(out + len, POSITION_TEXT_MAX - (size_t)len, ":%u:%u", at.line,
			       at.column);
}

static char *format_problem(struct position at, const char *format, va_list args) PRINTF_LIKE(2, 0);

static char *format_problem(struct position at, const char *format, va_list args)
{
	struct buf line = BUF_INIT(PROBLEM_TEXT_MAX);
	char text[PROBLEM_TEXT_MAX / 2];
	char place[POSITION_TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), format, args); /* a cut sentence is still a sentence */
	defuse(text);
	position_format(at, place);
	(void)buf_printf(&line, "%s%s%s", place, place[0] ? ": " : "", text);
	return buf_take_string(&line);
}

/* Errors decide: when there is no room left, the last warning makes some. */
static bool drop_warning(struct report *r)
{
	for (size_t i = r->count; i-- > 0;) {
		if (r->problems[i].severity != REPORT_WARNING)
			continue;
		mem_free(r->problems[i].text);
		r->count--;
		memmove(&r->problems[i], &r->problems[i + 1],
			(r->count - i) * sizeof(*r->problems));
		return true;
	}
	return false;
}

void report_add(struct report *r, enum report_severity severity, struct position at,
		const char *format, ...)
{
	if (severity == REPORT_ERROR)
		r->error_count++;
	else
		r->warning_count++;
	if (r->count == REPORT_PROBLEMS_MAX && (severity != REPORT_ERROR || !drop_warning(r)))
		return;
	if (!r->problems)
		r->problems = mem_alloc_array(REPORT_PROBLEMS_MAX, sizeof(*r->problems));

	va_list args;
	va_start(args, format);
	r->problems[r->count++] = (struct report_problem){
		.severity = severity,
		.text = format_problem(at, format, args),
	};
	va_end(args);
}

void report_add_file(struct report *r, const char *path)
{
	struct str name = str_from(path);

	if (map_get(&r->file_names, name) || r->file_count == REPORT_FILES_MAX)
		return;
	if (!r->file_count)
		map_init(&r->file_names);
	if (!r->files)
		r->files = mem_alloc_array(REPORT_FILES_MAX, sizeof(*r->files));
	char *copy = mem_copy_string(path);
	r->files[r->file_count++] = copy;
	(void)map_put(&r->file_names, name, copy); /* it was not there */
}

void report_done(struct report *r)
{
	for (size_t i = 0; i < r->file_count; i++)
		mem_free(r->files[i]);
	mem_free(r->files);
	map_done(&r->file_names);
	for (size_t i = 0; i < r->count; i++)
		mem_free(r->problems[i].text);
	mem_free(r->problems);
	*r = (struct report){ 0 };
}
