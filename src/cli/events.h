#pragma once

/*
 * events.h - the lines the client writes to standard error (protocol.md 8.4, 9.6; extensions.md 9)
 *
 * JSON lines for programs, with the texts that scripts look for; on a terminal lines for a person.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

struct events {
	struct log *log;
	bool is_console;
};

/* To standard error; the environment's LOG_LEVEL and LOG_FORMAT count. */
void events_init(struct events *events);
void events_done(struct events *events);

void events_listening(const struct events *events, const char *address);
/* The same of the local proxy. */
void events_proxy_running(const struct events *events, const char *address);
void events_auth_required(const struct events *events, struct str url);
void events_connecting(const struct events *events);
void events_connected(const struct events *events);

/* e NULL: an orderly end. */
void events_disconnected(const struct events *events, const struct err *e);

void events_failed(const struct events *events, const struct err *e);
void events_warning(const struct events *events, const char *message, const struct err *e);
void events_notice(const struct events *events, const char *message);
void events_signal(const struct events *events, int number);
