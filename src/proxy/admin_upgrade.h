#pragma once

/*
 * admin_upgrade.h - POST /upgrade: a new process takes over; answered when it has, or with why it has not
 */

struct control;
struct local_request;

void admin_upgrade_start(struct control *control, struct local_request *request);
