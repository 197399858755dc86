#include "cli/check_report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"

static const char *const names[CHECK_STEPS] = {
	[CHECK_PROXY] = "proxy", [CHECK_NAME] = "name",       [CHECK_ADDRESS] = "address",
	[CHECK_TLS] = "tls",     [CHECK_GATEWAY] = "gateway", [CHECK_ROUTE] = "route",
	[CHECK_LOGIN] = "login", [CHECK_POLICY] = "policy",   [CHECK_UPSTREAM] = "upstream",
};

static const struct check_line *last_of(const struct check_report *report)
{
	return report->count > 0 ? &report->lines[report->count - 1] : NULL;
}

static struct check_line *add(struct check_report *report, enum check_step step, bool is_good)
{
	const struct check_line *last = last_of(report);
	struct check_line *line = &report->lines[report->count];

	assert(report->count < CHECK_STEPS && (!last || (last->is_good && last->step < step)));
	report->count++;
	line->step = step;
	line->is_good = is_good;
	return line;
}

void check_report_good(struct check_report *report, enum check_step step, const char *format, ...)
{
	struct check_line *line = add(report, step, true);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line->text, sizeof(line->text), format, args); /* cut like every sentence */
	va_end(args);
}

void check_report_bad(struct check_report *report, enum check_step step, enum exit_status status,
		      const struct err *e)
{
	struct check_line *line = add(report, step, false);

	(void)snprintf(line->text, sizeof(line->text), "%s", e->text); /* as long as that */
	report->status = status;
}

void check_report_text(const struct check_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->count; i++)
		(void)buf_printf(out, "%-6s  %-8s  %s\n",
				 report->lines[i].is_good ? "ok" : "FAILED",
				 names[report->lines[i].step],
				 report->lines[i].text); /* the caller has room for all */
}

void check_report_json(const struct check_report *report, const char *destination,
		       const char *gateway, struct buf *out)
{
	struct json_writer json = { .out = out };
	const struct check_line *last = last_of(report);

	json_object_begin(&json);
	json_key(&json, STR("destination"));
	json_text(&json, str_from(destination));
	json_key(&json, STR("gateway"));
	json_text(&json, str_from(gateway));
	json_key(&json, STR("ok"));
	json_bool(&json, last && last->is_good);
	json_key(&json, STR("failed"));
	json_text(&json, str_from(last && !last->is_good ? names[last->step] : ""));
	json_key(&json, STR("steps"));
	json_array_begin(&json);
	for (size_t i = 0; i < report->count; i++) {
		json_object_begin(&json);
		json_key(&json, STR("step"));
		json_text(&json, str_from(names[report->lines[i].step]));
		json_key(&json, STR("ok"));
		json_bool(&json, report->lines[i].is_good);
		json_key(&json, STR("text"));
		json_text(&json, str_from(report->lines[i].text));
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	(void)buf_append_char(out, '\n'); /* seen by the caller: is_overflown */
}
