#pragma once

/*
 * reload_changes.h - what is different between two configurations, for the log and for whoever has asked for a reload
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"
#include "config/config.h"

struct snapshot;

/* ---- what takes effect ---- */

struct reload_changes {
	size_t routes;
	size_t routes_added;
	size_t routes_removed;
	size_t routes_changed; /* in what is written there */
	bool has_new_address;
	bool has_new_certificates;
	bool has_new_users;
	bool has_new_keys; /* shared_secret, cookie_secret */
	bool has_new_log_level;
};

/* Routes are told apart by where they lead from and to. */
void reload_changes_find(const struct snapshot *before, const struct snapshot *after,
			 struct reload_changes *ret);

/* ---- what needs a restart ---- */

/* Bits. */
enum restart_setting {
	RESTART_STORAGE_TYPE = 1 << 0,
	RESTART_STORAGE_CONNECTION = 1 << 1,
	RESTART_WORKERS = 1 << 2,
	RESTART_HEALTH_ADDRESS = 1 << 3,
	RESTART_ADMIN_SOCKET = 1 << 4,
};

#define RESTART_SETTING_COUNT 5

/* Of the configuration that the process has begun with; copies. */
struct restart_settings {
	enum config_storage_type storage_type;
	char *storage_connection; /* may have a password */
	char *admin_socket;
	struct addr health_address;
	uint32_t workers;
};

void restart_settings_init(struct restart_settings *s, const struct config *config);
void restart_settings_done(struct restart_settings *s);

/* Those that the configuration wants to be others: a set of bits. */
unsigned restart_settings_compare(const struct restart_settings *running,
				  const struct config *wanted);

const char *restart_setting_name(enum restart_setting setting);
