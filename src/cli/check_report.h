#pragma once

/*
 * check_report.h - what `check` has found, step by step, for people and for programs
 *
 * The steps are in the order in which things happen; the first that fails is the last of the report.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/exit_status.h"

enum check_step {
	CHECK_PROXY,   /* to the gateway */
	CHECK_NAME,    /* of the gateway */
	CHECK_ADDRESS, /* a TCP connection to it */
	CHECK_TLS,
	CHECK_GATEWAY, /* is it one? */
	CHECK_ROUTE,
	CHECK_LOGIN,
	CHECK_POLICY,
	CHECK_UPSTREAM,
	CHECK_STEPS,
};

struct check_line {
	enum check_step step;
	bool is_good;
	char text[ERR_TEXT_MAX];
};

struct check_report {
	struct check_line lines[CHECK_STEPS];
	size_t count;
	enum exit_status status;
};

void check_report_good(struct check_report *report, enum check_step step, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Nothing may follow. */
void check_report_bad(struct check_report *report, enum check_step step, enum exit_status status,
		      const struct err *e);

/* "  ok  tls       TLSv1.3, ..." */
void check_report_text(const struct check_report *report, struct buf *out);

/* {"destination":"...","gateway":"...","ok":false,"failed":"tls","steps":[{"step":"name","ok":true,"text":"..."},...]} */
void check_report_json(const struct check_report *report, const char *destination,
		       const char *gateway, struct buf *out);
