/*
 * events.c - one function per event, so that every text is in one place
 *
 * The lines about a tunnel carry "component" twice, as they always did; readers of JSON take the last one.
 */

#include "cli/events.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void events_init(struct events *events)
{
	enum log_level level = LOG_INFO;
	const char *wish = getenv("LOG_LEVEL");

	if (wish)
		(void)log_level_parse(str_from(wish), &level); /* an unknown level is no level */
	events->is_console = log_form_for(STDERR_FILENO) == LOG_CONSOLE;
	events->log = log_new(STDERR_FILENO, events->is_console ? LOG_CONSOLE : LOG_JSON,
			      LOG_DIRECT, level);
}

void events_done(struct events *events)
{
	log_free(events->log);
	events->log = NULL;
}

static void begin(const struct events *events, struct log_line *line, enum log_level level)
{
	log_begin(events->log, line, level, events->is_console ? "tcptunnel" : NULL);
	if (!events->is_console)
		log_cstr(line, "component", "tunnel");
}

static void begin_tunneler(const struct events *events, struct log_line *line, enum log_level level)
{
	begin(events, line, level);
	if (!events->is_console)
		log_cstr(line, "component", "http1tunneler");
}

void events_listening(const struct events *events, const char *address)
{
	char message[128];
	struct log_line line;

	begin(events, &line, LOG_INFO);
	if (events->is_console) {
		snprintf(message, sizeof(message), "listening on %s", address);
		log_end(&line, message);
		return;
	}
	log_cstr(&line, "addr", address);
	log_end(&line, "started tcp listener");
}

void events_proxy_running(const struct events *events, const char *address)
{
	char message[128];
	struct log_line line;

	begin(events, &line, LOG_INFO);
	if (!events->is_console)
		log_cstr(&line, "addr", address);
	snprintf(message, sizeof(message), "Proxy running at %s", address);
	log_end(&line, message);
}

void events_auth_required(const struct events *events, struct str url)
{
	struct log_line line;

	if (events->is_console)
		return; /* the address is printed for the person anyway */
	begin(events, &line, LOG_INFO);
	log_str(&line, "auth-url", url);
	log_end(&line, "auth required");
}

void events_connecting(const struct events *events)
{
	struct log_line line;

	begin_tunneler(events, &line, LOG_INFO);
	log_end(&line, "connecting");
}

void events_connected(const struct events *events)
{
	struct log_line line;

	begin_tunneler(events, &line, LOG_INFO);
	log_end(&line, "connected");
}

void events_disconnected(const struct events *events, const struct err *e)
{
	struct log_line line;

	begin_tunneler(events, &line, e ? LOG_ERROR : LOG_INFO);
	if (e)
		log_cstr(&line, "error", e->text);
	log_end(&line, "disconnected");
}

void events_failed(const struct events *events, const struct err *e)
{
	struct log_line line;

	begin(events, &line, LOG_ERROR);
	log_cstr(&line, "error", e->text);
	log_end(&line, "error serving local connection");
}

void events_warning(const struct events *events, const char *message, const struct err *e)
{
	struct log_line line;

	begin(events, &line, LOG_WARN);
	log_cstr(&line, "error", e->text);
	log_end(&line, message);
}

void events_notice(const struct events *events, const char *message)
{
	struct log_line line;

	begin(events, &line, LOG_INFO);
	log_end(&line, message);
}

static const char *signal_name(int number)
{
	if (number == SIGINT)
		return "INT";
	return number == SIGTERM ? "TERM" : "HUP";
}

void events_signal(const struct events *events, int number)
{
	struct log_line line;

	begin(events, &line, LOG_INFO);
	log_cstr(&line, "signal", signal_name(number));
	log_end(&line, "caught signal, quitting...");
}
