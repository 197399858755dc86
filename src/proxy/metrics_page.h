#pragma once

/*
 * metrics_page.h - the text of /metrics: one row per metric
 *
 * Threads    That of the control loop; what it reads is atomic or locked.
 */

#include "base/buf.h"

struct control;

/* out overflows if there is no room. */
void metrics_page_write(const struct control *control, struct buf *out);
