#pragma once

/*
 * store_backend_suite.h - what session/store_backend.h promises, run against any backend
 */

#include <stdbool.h>

#include "session/store_backend.h"

/* How a backend learns what another one on the same database has changed. */
enum store_backend_news {
	STORE_BACKEND_SILENT, /* never: there is no other */
	STORE_BACKEND_GAPS,   /* on_gap, within two seconds */
	STORE_BACKEND_STAMPS, /* on_change of each row, within two seconds */
};

struct store_backend_suite {
	const char *name;
	/* Makes the database one without records. No backend is open. */
	void (*reset)(void *arg);
	/* Opens one (more) on the database, available at once. Fails the running cmocka test if it cannot. */
	struct store_backend *(*open)(void *arg);
	void *arg;
	bool is_durable; /* what is closed and opened again has everything; several may be open at once */
	enum store_backend_news news;
};

/* Runs every case as a cmocka test of the group suite->name. Returns how many failed, for main(). */
int store_backend_suite_run(const struct store_backend_suite *suite);
