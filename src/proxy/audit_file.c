#include "proxy/audit_file.h"

#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "config/config.h"

struct audit_file {
	struct log *log; /* of the gateway */
	struct log_file *file;
	struct log *records;
};

/* On the writer's thread. */
static void on_problem(void *arg, const struct err *e)
{
	struct audit_file *a = arg;

	if (e)
		log_error(a->log, LOG_ERROR, "audit",
			  "the audit file cannot be written: records are kept and tried again", e);
	else
		log_message(a->log, LOG_INFO, "audit", "the audit file can be written again");
}

struct audit_file *audit_file_new(struct log *log, struct err *e)
{
	struct audit_file *a = mem_alloc(sizeof(*a));

	a->log = log;
	a->file = log_file_new(on_problem, a, e);
	if (!a->file) {
		mem_free(a);
		return NULL;
	}
	a->records = log_new_to_file(a->file, LOG_INFO);
	return a;
}

void audit_file_free(struct audit_file *a)
{
	if (!a)
		return;
	log_free(a->records);
	log_file_free(a->file);
	mem_free(a);
}

int audit_file_prepare(const struct config_logs *logs, int *ret_fd, struct err *e)
{
	int fd = -1;

	if (!str_is_empty(logs->audit_file)) {
		_cleanup_(mem_freep) char *path = str_copy(logs->audit_file);

		fd = log_file_open(path, e);
		if (fd < 0)
			return err_wrap(e, "audit_log_file");
	}
	*ret_fd = fd;
	return 0;
}

void audit_file_commit(struct audit_file *a, int fd)
{
	log_file_use(a->file, fd);
}

struct log *audit_file_log(const struct audit_file *a)
{
	return a->records;
}

struct log_file *audit_file_queue(const struct audit_file *a)
{
	return a->file;
}
