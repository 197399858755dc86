#include "proxy/command_load.h"

#include <stdio.h>
#include <unistd.h>

struct snapshot *command_load(const char *path, struct report *report)
{
	struct config *config = config_read(
		&(struct config_source){
			.path = path,
			.environment = (const char *const *)environ,
		},
		report);

	if (!config)
		return NULL;
	config->keys.has_shared_secret = true;
	config->keys.has_cookie_secret = true;
	return snapshot_new(config, NULL, report);
}

void command_show_problems(const struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		bool is_warning = report->problems[i].severity == REPORT_WARNING;

		(void)fprintf(stderr, "%s%s\n", is_warning ? "warning: " : "",
			      report->problems[i].text);
	}
	size_t count = report->error_count + report->warning_count;
	if (count > report->count)
		(void)fprintf(stderr, "and %zu more\n", count - report->count);
}
