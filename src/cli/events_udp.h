#pragma once

/*
 * events_udp.h - the lines of pomerium-cli udp (protocol.md 8.10); see events.h
 */

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct events;

/* wish: as it was asked for, with port 0 if any will do; got: as it is. */
void events_udp_listening(const struct events *events, const struct addr *wish,
			  const struct addr *got);

/* A session of that local address begins or has ended. */
void events_udp_session(const struct events *events, const struct addr *source, bool begins);

/* There is no room for a further one. */
void events_udp_full(const struct events *events, size_t count);
