#include "cli/events_udp.h"

#include <stdio.h>

#include "base/addr.h"
#include "cli/events.h"

#define MESSAGE_MAX 128

static void begin(const struct events *events, struct log_line *line, enum log_level level)
{
	log_begin(events->log, line, level, events->is_console ? "udptunnel" : NULL);
	if (!events->is_console)
		log_cstr(line, "component", "tunnel");
}

void events_udp_listening(const struct events *events, const struct addr *wish,
			  const struct addr *got)
{
	char wish_text[ADDR_TEXT_MAX];
	char got_text[ADDR_TEXT_MAX];
	char message[MESSAGE_MAX];
	struct log_line line;

	addr_format(wish, wish_text);
	addr_format(got, got_text);
	begin(events, &line, LOG_INFO);
	if (events->is_console) {
		(void)snprintf(message, sizeof(message), "listening on %s", got_text);
		log_end(&line, message);
		return;
	}
	log_cstr(&line, "listener-addr", wish_text);
	log_cstr(&line, "addr", got_text);
	log_end(&line, "starting udp listener");
	begin(events, &line, LOG_INFO);
	log_end(&line, "starting udp session manager");
}

void events_udp_session(const struct events *events, const struct addr *source, bool begins)
{
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format(source, text);
	begin(events, &line, LOG_INFO);
	log_cstr(&line, "addr", text);
	log_end(&line, begins ? "starting udp session" : "stopped udp session");
}

void events_udp_full(const struct events *events, size_t count)
{
	struct log_line line;

	begin(events, &line, LOG_WARN);
	log_uint(&line, "sessions", count);
	log_end(&line, "packets of further addresses are lost: all sessions are in use");
}
