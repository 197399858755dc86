#pragma once

/*
 * admin_reload.h - POST /reload: reads the configuration again, and says what came of it
 *
 * 200: what has changed, and what was warned of. 422: every problem of the configuration. 409: what could not be made of a
 * good one. 503: the gateway is only just starting.
 */

struct control;
struct local_request;

/* Answers later. */
void admin_reload_start(struct control *control, struct local_request *request);
