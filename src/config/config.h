#pragma once

/*
 * config.h - the configuration as plain data (configuration.md)
 *
 * One file, YAML or JSON by its extension. Everything is checked here: whoever gets a struct config need not doubt it.
 *
 * Ownership  config_load() gives a config that owns all it points to; release with config_free().
 * Threads    Loading blocks (files are read); the result is only read afterwards.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/url.h"
#include "config/report.h"

#define CONFIG_FILE_MAX    (16u << 20)
#define CONFIG_ROUTES_MAX  100000
#define CONFIG_WORKERS_MAX 256
#define CONFIG_SECRET_SIZE 32

struct config_list {
	const struct str *items;
	size_t count;
};

struct config_target {
	struct str host; /* without brackets; "localhost" has become "127.0.0.1" */
	uint16_t port;
	uint32_t weight; /* 0: none given */
	bool is_weighted;
};

/* A route that tunnels TCP. Names and targets are as strict as base/url.h; there is at least one of each. */
struct config_route {
	struct position at;
	struct str from; /* as written */
	struct str name;
	struct str description;
	const struct authority *names; /* what a CONNECT may ask for (protocol.md 1.6.1) */
	size_t name_count;
	const struct config_target *targets;
	size_t target_count;

	struct config_list allowed_users;
	struct config_list allowed_domains;
	struct config_list allowed_groups;
	bool allow_any_authenticated_user;
	bool allow_public_unauthenticated_access;
};

struct config_key_pair {
	struct str certificate_pem;
	struct str key_pem;
	const char *origin; /* "config.yaml:3:5: certificates[0]" */
};

struct config_user {
	struct position at;
	struct str email;
	struct str name;
	struct str id;
	struct str password_hash;
	struct config_list groups;
	bool disabled;
};

struct config_secret;

enum config_idp { CONFIG_IDP_NONE, CONFIG_IDP_LOCAL };

struct config {
	struct arena arena;
	struct config_secret *secrets; /* private keys, in memory that is wiped */
	struct addr address;
	uint32_t workers; /* 0: one per processor */

	struct config_key_pair *key_pairs;
	size_t key_pair_count;

	bool has_shared_secret;
	bool has_cookie_secret;
	uint8_t shared_secret[CONFIG_SECRET_SIZE];
	uint8_t cookie_secret[CONFIG_SECRET_SIZE];

	struct str
		authenticate_service_url; /* empty: the login is on whatever host the request came to */
	enum config_idp idp_provider;
	const struct config_user *users; /* local_users and local_users_file together */
	size_t user_count;

	int64_t cookie_expire_s;
	struct config_list redirect_whitelist; /* programmatic_redirect_domain_whitelist */
	enum log_level log_level;

	const struct config_route *routes; /* policy, then routes, in file order */
	size_t route_count;
};

/*
 * Reads and checks the file and everything it refers to. Problems go to the report, all of them, warnings
 * too. Returns -1 if there was an error; e then has the first one and the count of the others.
 */
int config_load(const char *path, struct config **ret, struct report *report, struct err *e);

/* The same from memory, for tests and fuzzing; files it refers to are found relative to the current directory. */
int config_parse(struct str text, const char *file_name, struct config **ret, struct report *report,
		 struct err *e);

/* Wipes secrets. NULL is ignored. */
void config_free(struct config *config);

DEFINE_CLEANUP(struct config, config_free)
