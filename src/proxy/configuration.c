#include "proxy/configuration.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/state_dir.h"

void configuration_show(const struct report *report, const char *path)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct report_problem *problem = &report->problems[i];

		(void)fprintf(stderr, "pomerium: %s%s\n",
			      problem->severity == REPORT_WARNING ? "warning: " : "",
			      problem->text);
	}
	if (report->count > 1)
		(void)fprintf(stderr, "pomerium: configuration rejected: %zu error%s in %s\n",
			      report->error_count, report->error_count == 1 ? "" : "s", path);
}

void configuration_log_warnings(const struct report *report, struct log *log)
{
	for (size_t i = 0; i < report->count; i++) {
		struct err e = { 0 };

		if (report->problems[i].severity != REPORT_WARNING)
			continue;
		(void)err_set(&e, ERR_CONFIG, "%s", report->problems[i].text);
		log_error(log, LOG_WARN, "config", "configuration", &e);
	}
}

static void log_kept_secret(struct log *log, const char *name, bool is_created)
{
	struct log_line line;
	struct buf path = BUF_INIT(4096);

	(void)state_dir_path(&path, NULL);
	log_begin(log, &line, LOG_WARN, "config");
	log_cstr(&line, "setting", name);
	log_str(&line, "state-directory", buf_view(&path));
	log_end(&line, is_created
			       ? "secret is not set: one was made and kept in the state directory"
			       : "secret is not set: the one in the state directory is used");
	buf_done(&path);
}

/* extensions.md 1: created once and kept, not made up anew at every start. */
static void complete_secret(struct log *log, const char *name, bool *has_secret, uint8_t *secret,
			    struct report *report)
{
	struct err e = { 0 };
	bool is_created;

	if (*has_secret)
		return;
	if (state_dir_secret(name, secret, &is_created, &e) < 0) {
		report_add(report, REPORT_ERROR, (struct position){ 0 },
			   "%s is not set, and keeping one failed: %s", name, e.text);
		return;
	}
	*has_secret = true;
	if (log)
		log_kept_secret(log, name, is_created);
}

/*
 * What the start may read, a reload may not: a file that is empty means the defaults, and of a gateway that runs, that somebody is
 * about to write; and a pipe would be waited for without end.
 */
static bool can_be_read_again(const char *path, struct report *report)
{
	const struct position at = { .file = path, .line = 1, .column = 1 };
	struct stat st;

	if (!path || stat(path, &st) < 0 || S_ISDIR(st.st_mode)) /* config_read() tells */
		return true;
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		return true;
	report_add_file(report, path);
	report_add(report, REPORT_ERROR, at, "%s",
		   S_ISREG(st.st_mode) ? "the file is empty"
				       : "it is no regular file, and so cannot be read again");
	return false;
}

struct snapshot *configuration_load(const struct config_source *source,
				    const struct snapshot *previous, struct log *log,
				    struct report *report)
{
	struct config *config;
	struct config_keys *keys;

	if (previous && !can_be_read_again(source->path, report))
		return NULL;
	config = config_read(source, report);
	if (!config)
		return NULL;
	if (previous)
		log = NULL; /* of secrets that were made up, the start has told */
	keys = &config->keys;
	if (!report->error_count) {
		complete_secret(log, "shared_secret", &keys->has_shared_secret, keys->shared_secret,
				report);
		complete_secret(log, "cookie_secret", &keys->has_cookie_secret, keys->cookie_secret,
				report);
	}
	return snapshot_new(config, previous, report);
}
