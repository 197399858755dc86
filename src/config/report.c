/*
 * report.c - problems are kept as finished lines; beyond the maximum they are only counted
 */

#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

#define PROBLEM_TEXT_MAX 2048

/* Text from the file is quoted in messages: nothing that moves a terminal's cursor gets through. */
static void defuse(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static char *format_problem(struct position at, const char *format, va_list args) PRINTF_LIKE(2, 0);

static char *format_problem(struct position at, const char *format, va_list args)
{
	struct buf line = BUF_INIT(PROBLEM_TEXT_MAX);
	char text[PROBLEM_TEXT_MAX / 2];

	(void)vsnprintf(text, sizeof(text), format, args); /* a cut sentence is still a sentence */
	defuse(text);
	if (at.file)
		(void)buf_printf(&line, "%.*s:", 512, at.file);
	if (at.file && at.line)
		(void)buf_printf(&line, "%u:%u:", at.line, at.column);
	(void)buf_printf(&line, "%s%s", at.file ? " " : "", text);
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
	for (size_t i = 0; i < r->file_count; i++)
		if (strcmp(r->files[i], path) == 0)
			return;
	if (r->file_count == REPORT_FILES_MAX)
		return;
	if (!r->files)
		r->files = mem_alloc_array(REPORT_FILES_MAX, sizeof(*r->files));
	r->files[r->file_count++] = mem_copy_string(path);
}

void report_done(struct report *r)
{
	for (size_t i = 0; i < r->file_count; i++)
		mem_free(r->files[i]);
	mem_free(r->files);
	for (size_t i = 0; i < r->count; i++)
		mem_free(r->problems[i].text);
	mem_free(r->problems);
	*r = (struct report){ 0 };
}
