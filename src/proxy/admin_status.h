#pragma once

/*
 * admin_status.h - GET /status: how the gateway is
 */

#include "proxy/admin_table.h"

struct control;

void admin_status_write(const struct control *control, struct admin_table *t);
