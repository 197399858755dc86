#pragma once

/*
 * service_manager.h - what systemd is told of our life (sd_notify(3))
 *
 * One datagram each to the socket that NOTIFY_SOCKET names; without that, or with health_check_systemd_disabled, nothing.
 * While WATCHDOG_USEC is set it is told twice within that time that we are well, which means: that this loop turns, and
 * that every worker's loop has turned since the last time.
 *
 * Ownership  Part of the control.
 * Threads    That of the control's loop.
 */

#include <sys/types.h>

struct control;
struct service_manager;

/* Takes what it needs from the environment. */
struct service_manager *service_manager_new(struct control *control);

/* When nothing comes from the workers any more. NULL is ignored. */
void service_manager_free(struct service_manager *m);

/* We serve: at first, and after each reload. Begins with the watchdog. Who is about to end says neither this nor the next. */
void service_manager_ready(struct service_manager *m);
void service_manager_reloading(struct service_manager *m);

/* We are about to end; how many tunnels there are. */
void service_manager_stopping(struct service_manager *m);

/* Another process is the service now. It is the one that tells from here on. */
void service_manager_hand_over(struct service_manager *m, pid_t successor);
