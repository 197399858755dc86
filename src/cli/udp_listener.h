#pragma once

/*
 * udp_listener.h - a local UDP address; each address that sends to it gets a session (protocol.md 8.10)
 *
 * Ownership  The context and events are borrowed. The listener belongs to the caller.
 * Threads    One loop.
 * Errors     Of sessions: logged. After one that could not be opened its address is silent for UDP_RETRY_MS, so that a program
 *            that keeps sending does not ask the gateway with each packet.
 * Limits     UDP_SESSIONS_MAX sessions. If a further address comes, the one that has been silent longest is ended, provided
 *            that it was silent for UDP_SPARE_MS; else the packet is lost.
 */

#include "base/addr.h"
#include "base/err.h"

#define UDP_SESSIONS_MAX 1024
#define UDP_SPARE_MS     2000
#define UDP_RETRY_MS     2000

struct events;
struct local_tunnel_context;
struct udp_listener;

struct udp_listener *udp_listener_open(const struct local_tunnel_context *tunnels,
				       const struct addr *address, struct err *e);

void udp_listener_address(const struct udp_listener *l, struct addr *ret);

/* Ends all sessions. NULL is ignored. */
void udp_listener_close(struct udp_listener *l);
