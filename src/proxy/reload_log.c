#include "proxy/reload_log.h"

#include "base/log.h"
#include "config/report.h"
#include "proxy/configuration.h"
#include "proxy/reload.h"
#include "proxy/reload_changes.h"

/* A line that names all of two hundred problems would be cut in the middle of one. */
#define PROBLEMS_IN_LINE_MAX 20

const char *reload_first_problem(const struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->problems[i].severity == REPORT_ERROR)
			return report->problems[i].text;
	return "";
}

static void log_problems(struct log_line *line, const struct report *report)
{
	struct str texts[PROBLEMS_IN_LINE_MAX];
	size_t count = 0;

	for (size_t i = 0; i < report->count && count < PROBLEMS_IN_LINE_MAX; i++)
		if (report->problems[i].severity == REPORT_ERROR)
			texts[count++] = str_from(report->problems[i].text);
	log_uint(line, "error-count", report->error_count);
	if (report->error_count > 1)
		log_str_list(line, "errors", texts, count);
}

static void log_failure(struct log *log, const char *why, const struct reload_outcome *outcome)
{
	struct log_line line;

	log_begin(log, &line, LOG_ERROR, "config");
	log_cstr(&line, "cause", why);
	if (outcome->error) {
		log_cstr(&line, "error", outcome->error->text);
	} else {
		log_cstr(&line, "error", reload_first_problem(outcome->report));
		log_problems(&line, outcome->report);
	}
	log_end(&line, "configuration rejected: the one before stays in force");
}

static void log_success(struct log *log, const char *why, const struct reload_changes *changes)
{
	struct log_line line;

	log_begin(log, &line, LOG_INFO, "config");
	log_cstr(&line, "cause", why);
	log_uint(&line, "routes", changes->routes);
	log_uint(&line, "routes-added", changes->routes_added);
	log_uint(&line, "routes-removed", changes->routes_removed);
	log_uint(&line, "routes-changed", changes->routes_changed);
	log_bool(&line, "new-address", changes->has_new_address);
	log_bool(&line, "new-certificates", changes->has_new_certificates);
	log_bool(&line, "new-users", changes->has_new_users);
	log_bool(&line, "new-keys", changes->has_new_keys);
	log_end(&line, "configuration reloaded");
}

void reload_log(struct log *log, const char *why, const struct reload_outcome *outcome)
{
	if (!outcome->is_good) {
		log_failure(log, why, outcome);
		return;
	}
	configuration_log_warnings(outcome->report, log);
	log_success(log, why, outcome->changes);
}

void reload_log_restart(struct log *log, unsigned settings)
{
	struct str names[RESTART_SETTING_COUNT];
	struct log_line line;
	size_t count = 0;

	for (unsigned i = 0; i < RESTART_SETTING_COUNT; i++)
		if (settings & 1u << i)
			names[count++] = str_from(restart_setting_name(1u << i));
	if (!count)
		return;
	log_begin(log, &line, LOG_WARN, "config");
	log_str_list(&line, "settings", names, count);
	log_end(&line, "these settings keep their value until the gateway is restarted");
}
