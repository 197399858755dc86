#pragma once

/*
 * metrics_text.h - the text format of Prometheus, version 0.0.4
 *
 * Ownership  Borrows the buffer.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct metrics_label {
	const char *name;
	struct str value; /* escaped here; what is not UTF-8 becomes '?' */
};

/* "# HELP", "# TYPE". type: "counter", "gauge", "histogram" */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);

/* One line. suffix may be "". Labels end with one without a name. */
void metrics_sample(struct buf *out, const char *name, const char *suffix,
		    const struct metrics_label *labels, uint64_t value);

/* The same for microseconds, written as seconds. */
void metrics_sample_seconds(struct buf *out, const char *name, const char *suffix,
			    uint64_t value_us);
