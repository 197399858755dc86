#pragma once

/*
 * config_testing.h - for the tests of this module
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"

/* "E c.yaml:1:1: ...\nW ...\n"; release with mem_free(). */
static inline char *report_text(const struct report *report)
{
	struct buf text = BUF_INIT(1u << 20);

	for (size_t i = 0; i < report->count; i++)
		(void)buf_printf(&text, "%s %s\n",
				 report->problems[i].severity == REPORT_ERROR ? "E" : "W",
				 report->problems[i].text);
	return buf_take_string(&text);
}

/* Parses and hands over what was reported. NULL: refused. */
static inline struct config *parse_text(struct str text, const char *name, char **ret_report)
{
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	(void)config_parse(text, name, &config, &report, &e);
	*ret_report = report_text(&report);
	report_done(&report);
	return config;
}

static inline void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len)
		assert_memory_equal(s.at, expected, s.len);
}

/* A text nothing is to be said about. */
static inline struct config *parse_good(const char *text)
{
	char *report;
	struct config *config = parse_text(str_from(text), "c.yaml", &report);

	assert_string_equal(report, "");
	assert_non_null(config);
	mem_free(report);
	return config;
}

/* Parses and compares what was reported; refused is exactly what has an error. */
static inline void assert_report(const char *text, const char *expected)
{
	char *report;
	struct config *config = parse_text(str_from(text), "c.yaml", &report);

	assert_string_equal(report, expected);
	assert_int_equal(config == NULL, report[0] == 'E' || strstr(report, "\nE ") != NULL);
	mem_free(report);
	config_free(config);
}

/* A folder of its own for a test that needs files; fixtures of cmocka. */
struct folder {
	char path[64];
};

static inline int folder_setup(void **state)
{
	struct folder *folder = mem_alloc(sizeof(*folder));

	(void)snprintf(folder->path, sizeof(folder->path), "/tmp/config_test.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	*state = folder;
	return 0;
}

static inline int folder_teardown(void **state)
{
	struct folder *folder = *state;
	DIR *directory = opendir(folder->path);
	const struct dirent *entry;
	char path[400];

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder->path, entry->d_name);
		(void)remove(path); /* "." and ".." stay */
	}
	(void)closedir(directory);
	assert_int_equal(rmdir(folder->path), 0);
	mem_free(folder);
	return 0;
}

static inline void folder_write(const struct folder *folder, const char *name, const char *text)
{
	char path[128];
	struct err e;

	(void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(file_create(path, str_from(text), 0600, &e), 0);
}

/* Every % in the text stands for the folder. NULL: refused. */
static inline struct config *parse_in(const struct folder *folder, const char *text,
				      const char *expected)
{
	struct buf full = BUF_INIT(100000);
	char *report;

	for (; *text; text++)
		if (*text == '%')
			(void)buf_append_str(&full, str_from(folder->path));
		else
			(void)buf_append_char(&full, *text);
	struct config *config = parse_text(buf_view(&full), "c.yaml", &report);
	assert_string_equal(report, expected);
	mem_free(report);
	buf_done(&full);
	return config;
}
