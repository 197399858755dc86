#include "proxy/lifecycle.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/admin.h"
#include "proxy/control.h"
#include "proxy/service_manager.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "proxy/upgrade.h"

static const char *const settings[] = {
	[SOCKET_MAIN] = "address",
	[SOCKET_HEALTH] = "health_check_addr",
	[SOCKET_REDIRECT] = "http_redirect_addr",
	[SOCKET_METRICS] = "metrics_address",
};

int lifecycle_find(struct lifecycle *life, struct err *e)
{
	life->started_unix = clock_now_unix();
	life->given = mem_alloc(sizeof(*life->given));
	life->predecessor.tell_fd = -1;
	if (given_sockets_receive(life->given, e) < 0)
		return -1;
	return predecessor_find(&life->predecessor, life->given, e);
}

void lifecycle_open(struct control *control, const char *const *argv)
{
	struct lifecycle *life = &control->life;

	life->shutdown = shutdown_new(control);
	life->upgrade = upgrade_new(control, argv);
	life->service_manager = service_manager_new(control);
}

/* ---- sockets ---- */

void lifecycle_note_activated(struct control *control, enum socket_purpose purpose,
			      const struct addr *bound, const struct addr *wanted)
{
	char bound_text[ADDR_TEXT_MAX];
	char wanted_text[ADDR_TEXT_MAX];
	struct log_line line;

	control->life.activated |= 1u << purpose;
	if (given_socket_fits(bound, wanted))
		return;
	addr_format(bound, bound_text);
	addr_format(wanted, wanted_text);
	log_begin(control->log, &line, LOG_WARN, "proxy");
	log_cstr(&line, "setting", settings[purpose]);
	log_cstr(&line, "configured", wanted_text);
	log_cstr(&line, "given", bound_text);
	log_end(&line, "the socket of the service manager serves instead of what is configured");
}

int lifecycle_take_socket(struct control *control, enum socket_purpose purpose,
			  const struct addr *wanted)
{
	struct given_sockets *given = control->life.given;
	struct addr bound;
	bool is_activated;
	int fd;

	if (!given)
		return -1;
	is_activated = given_sockets_count(given, purpose, true) > 0;
	fd = given_sockets_take(given, purpose, wanted, &bound);
	if (fd >= 0 && is_activated)
		lifecycle_note_activated(control, purpose, &bound, wanted);
	return fd;
}

static void warn_of_unused(struct control *control)
{
	const struct given_sockets *given = control->life.given;
	struct log_line line;

	for (size_t i = 0; i < given->count; i++) {
		enum socket_purpose purpose = given->items[i].purpose;

		if (given->items[i].fd < 0 || !given->items[i].is_activated)
			continue;
		log_begin(control->log, &line, LOG_WARN, "proxy");
		log_cstr(&line, "socket", socket_purpose_name(purpose));
		log_cstr(&line, "setting", settings[purpose]);
		log_end(&line, "a socket of the service manager is not used: without the setting "
			       "there is nothing to serve there");
	}
}

/* ---- telling ---- */

int lifecycle_started(struct control *control, struct err *e)
{
	struct lifecycle *life = &control->life;

	if (life->predecessor.pid != 0) {
		if (admin_take_over(control->admin, e) < 0)
			return -1;
		if (control->snapshot->config->storage.type == CONFIG_STORAGE_MEMORY)
			log_message(control->log, LOG_WARN, "upgrade",
				    "sessions are kept in memory: those of the process before are "
				    "not known here");
	}
	warn_of_unused(control);
	predecessor_tell_ready(&life->predecessor, life->given);
	given_sockets_done(life->given);
	mem_free(TAKE(life->given));
	service_manager_ready(life->service_manager);
	return 0;
}

void lifecycle_failed(struct lifecycle *life, const char *why)
{
	predecessor_tell_failed(&life->predecessor, why);
}

void lifecycle_close(struct lifecycle *life)
{
	if (life->given)
		given_sockets_done(life->given);
	mem_free(TAKE(life->given));
	upgrade_free(TAKE(life->upgrade));
	service_manager_free(TAKE(life->service_manager));
	shutdown_free(TAKE(life->shutdown));
}
