#pragma once

/*
 * reload_changes.h - what is different between two configurations, for the log and for whoever has asked for a reload
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct config;
struct snapshot;

/* Settings whose new value only counts after a restart. */
enum reload_restart {
	RESTART_STORAGE_TYPE = 1 << 0,
	RESTART_STORAGE_CONNECTION = 1 << 1,
	RESTART_WORKERS = 1 << 2,
	RESTART_HEALTH_ADDRESS = 1 << 3,
	RESTART_ADMIN_SOCKET = 1 << 4,
};

#define RESTART_COUNT 5

struct reload_changes {
	size_t routes;
	size_t routes_added;
	size_t routes_removed;
	bool has_new_address;
	bool has_new_certificates;
	bool has_new_users;
	bool has_new_secrets;
	unsigned restart; /* enum reload_restart: differ from what is running */
};

void reload_changes_find(const struct snapshot *before, const struct snapshot *after,
			 struct reload_changes *ret);

/* running: the configuration of the start. */
unsigned reload_restart_find(const struct config *running, const struct config *wanted);

/* The name of the setting with that bit. */
const char *reload_restart_name(unsigned bit);
