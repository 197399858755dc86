#pragma once

/*
 * admin_drain.h - POST /drain: no more clients, as after SIGTERM
 */

struct control;
struct local_request;

void admin_drain(struct control *control, struct local_request *request);
