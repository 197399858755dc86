#pragma once

/*
 * config_test_support.h - for the tests of this module
 */

#include <stdio.h>

#include "base/buf.h"
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
