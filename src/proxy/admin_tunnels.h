#pragma once

/*
 * admin_tunnels.h - the operator looks at open tunnels and closes them
 */

#include "proxy/admin_job.h"

struct worker;

/*
 * On the worker's thread: writes a row of each open tunnel that fits, or closes or counts it if the filter says so.
 * Returns how many were closed or counted.
 */
size_t admin_visit_tunnels(struct worker *worker, const struct tunnel_filter *filter,
			   struct admin_table *table);

/* GET /tunnels, DELETE /tunnels/ID, DELETE /tunnels?user=EMAIL: the job's filter is set. */
void admin_tunnels_list(struct admin_job *job);
void admin_tunnels_close(struct admin_job *job);
