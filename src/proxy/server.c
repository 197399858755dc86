#include "proxy/server.h"

#include <signal.h>
#include <stdio.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "identity/login_guard.h"
#include "io/file_set.h"
#include "io/loop.h"
#include "io/signals.h"
#include "proxy/audit_file.h"
#include "proxy/configuration.h"
#include "proxy/control.h"
#include "proxy/device_guard.h"
#include "proxy/listening.h"
#include "proxy/reload.h"
#include "proxy/reload_log.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "proxy/state_dir.h"
#include "proxy/upgrade.h"
#include "proxy/worker.h"

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2, 0 };

struct server {
	struct control control;
	struct config_source source;
	struct file_set *files; /* that were read, until the reload has them */
	struct login_guard *guard;
	struct device_guard *device_guard;
	struct signals *signals;
};

static void say(const char *text)
{
	(void)fprintf(stderr, "pomerium: %s\n",
		      text); /* nowhere to report a failure of standard error */
}

static int load_snapshot(struct server *server)
{
	struct control *control = &server->control;
	int64_t moment = file_set_moment();
	struct report report = { 0 };

	control->log = log_new(STDOUT_FILENO, log_form_for(STDOUT_FILENO), LOG_QUEUED, LOG_INFO);
	control->snapshot = configuration_load(&server->source, NULL, control->log, &report);
	server->files = file_set_new(report.files, report.file_count, NULL, moment);
	if (control->snapshot) {
		log_set_level(control->log, control->snapshot->config->logs.level);
		configuration_log_warnings(&report, control->log);
	} else {
		lifecycle_failed(&control->life, reload_first_problem(&report));
		configuration_show(&report,
				   server->source.path ? server->source.path : "the environment");
	}
	report_done(&report);
	return control->snapshot ? 0 : -1;
}

/* Every tunnel needs two descriptors: take what the system allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit serves as well */
}

static size_t count_processors(void)
{
	cpu_set_t set;
	size_t count = sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;

	return count < CONFIG_WORKERS_MAX ? count : CONFIG_WORKERS_MAX;
}

static int make_workers(struct server *server, struct listening *listening, struct err *e)
{
	struct control *control = &server->control;
	const struct worker_shared shared = {
		.log = control->log,
		.audit = audit_file_log(control->audit),
		.audit_file = audit_file_queue(control->audit),
		.store = control->store,
		.guard = server->guard,
		.device_guard = server->device_guard,
		.control = control,
		.deals = listening->is_activated,
	};

	control->workers = mem_alloc_array(listening->count, sizeof(struct worker *));
	for (size_t i = 0; i < listening->count; i++) {
		struct worker *worker = worker_new(&shared, control->snapshot,
						   listening_take(listening, i), e);

		if (!worker)
			return -1;
		control->workers[control->worker_count++] = worker;
	}
	return 0;
}

static int bind_workers(struct server *server, struct err *e)
{
	const struct config_listen *config = &server->control.snapshot->config->listen;
	size_t count = config->workers ? config->workers : count_processors();
	struct listening listening;
	int result;

	if (listening_open_given(&listening, server->control.life.given, &config->address, count,
				 e) < 0)
		return -1;
	server->control.address = listening.address;
	if (listening.is_activated)
		lifecycle_note_activated(&server->control, SOCKET_MAIN, &listening.address,
					 &config->address);
	result = make_workers(server, &listening, e);
	listening_done(&listening);
	return result;
}

static int start_workers(struct server *server, struct err *e)
{
	char address[ADDR_TEXT_MAX];
	struct log_line line;

	for (size_t i = 0; i < server->control.worker_count; i++)
		if (worker_start(server->control.workers[i], e) < 0)
			return -1;
	addr_format(&server->control.address, address);
	log_begin(server->control.log, &line, LOG_INFO, "proxy");
	log_cstr(&line, "addr", address);
	log_uint(&line, "workers", server->control.worker_count);
	log_uint(&line, "routes", server->control.snapshot->routes.count);
	log_end(&line, "listening");
	return 0;
}

static void on_signal(void *arg, int number)
{
	struct server *server = arg;

	if (number == SIGHUP) {
		reload_request(server->control.reload, "SIGHUP");
		return;
	}
	if (number == SIGUSR2) {
		upgrade_request(server->control.life.upgrade, "SIGUSR2");
		return;
	}
	shutdown_on_signal(server->control.life.shutdown, number);
}

static int server_start(struct server *server, const struct server_options *options, struct err *e)
{
	struct log_line line;

	mem_forbid_core_files();
	if (lifecycle_find(&server->control.life, e) < 0)
		return -1;
	server->source = (struct config_source){
		.path = options->config_path,
		.environment = (const char *const *)environ,
	};
	if (load_snapshot(server) < 0)
		return -1;
	log_begin(server->control.log, &line, LOG_INFO, NULL);
	log_cstr(&line, "version", POMERIUM_VERSION);
	log_end(&line, "cmd/pomerium");
	raise_descriptor_limit();
	server->guard = login_guard_new();
	server->device_guard = device_guard_new();
	if (control_start(&server->control, e) < 0)
		return -1;
	server->control.reload = reload_open(&server->control, &server->source,
					     TAKE(server->files));
	lifecycle_open(&server->control, options->argv);
	server->signals = signals_open(server->control.loop, signal_numbers, on_signal, server);
	if (bind_workers(server, e) < 0 || start_workers(server, e) < 0)
		return -1;
	return lifecycle_started(&server->control, e);
}

/* Whoever is in a hurry now would only leave something behind. */
static void ignore_signals(void)
{
	for (size_t i = 0; signal_numbers[i]; i++)
		(void)signal(signal_numbers[i], SIG_IGN); /* the numbers are good */
}

/* Workers first, so that nobody asks; then who answers; then the mailboxes the answers went to. */
static void server_done(struct server *server)
{
	struct control *control = &server->control;

	for (size_t i = 0; i < control->worker_count; i++)
		worker_stop(control->workers[i]);
	if (server->signals)
		signals_close(server->signals);
	ignore_signals();
	control_stop(control);
	for (size_t i = 0; i < control->worker_count; i++)
		worker_free(control->workers[i]);
	mem_free(control->workers);
	control_done(control);
	file_set_free(TAKE(server->files));
	login_guard_free(server->guard);
	device_guard_free(server->device_guard);
	log_free(control->log);
}

int server_run(const struct server_options *options)
{
	struct server server = { 0 };
	struct err e = { 0 };
	int result = server_start(&server, options, &e);

	if (result == 0)
		loop_run(server.control.loop);
	else
		lifecycle_failed(&server.control.life, e.text);
	server_done(&server);
	if (result < 0 && e.text[0]) /* problems of the configuration were told already */
		say(e.text);
	return result < 0 ? 1 : 0;
}
