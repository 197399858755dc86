#pragma once

/*
 * redirect_listener.h - http_redirect_addr: whoever comes in plain HTTP is sent to https
 *
 * To the same host without its port, with path and query as they are. One answer, then the connection ends. What is no
 * request for a host gets 400. Where use_proxy_protocol is set, a header is required here as well.
 *
 * Ownership  Part of the control.
 * Threads    That of the control's loop.
 * Limits     REDIRECT_CONNECTIONS_MAX; whoever comes then is reset. REDIRECT_TIMEOUT_MS for header and request.
 */

#include <stdbool.h>

#include "base/err.h"

#define REDIRECT_CONNECTIONS_MAX 1024
#define REDIRECT_TIMEOUT_MS      10000
#define REDIRECT_TARGET_MAX      8192 /* path and query; beyond it the answer is 414 */

struct config_listen;
struct control;
struct redirect_listener;

/* Listens at nothing yet. */
struct redirect_listener *redirect_listener_new(struct control *control);

/* Where it listens, borrowed; -1: nowhere. */
int redirect_listener_fd(const struct redirect_listener *r);

/* Nobody new comes in. */
void redirect_listener_stop(struct redirect_listener *r);

/* NULL is ignored. */
void redirect_listener_free(struct redirect_listener *r);

/* What a new configuration changes. Zero is no change. */
struct redirect_change {
	bool is_one;
	int socket; /* -1: there is to be no listener */
};

/* All that can fail. Then either commit or discard. */
int redirect_listener_prepare(struct redirect_listener *r, const struct config_listen *next,
			      struct redirect_change *ret, struct err *e);
void redirect_listener_commit(struct redirect_listener *r, const struct config_listen *next,
			      struct redirect_change *change);
void redirect_change_discard(struct redirect_change *change);
