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
#define CONFIG_ISSUERS_MAX 256
#define CONFIG_PARAMS_MAX  32 /* idp_request_params */
#define CONFIG_CLAIMS_MAX  64 /* jwt_claims_headers */

struct config_list {
	const struct str *items;
	size_t count;
};

struct config_pair {
	struct str name;
	struct str value;
};

struct config_pairs {
	const struct config_pair *items;
	size_t count;
};

/* What "Authorization: Bearer X" of a program is (protocol.md 2.3). */
enum config_bearer {
	CONFIG_BEARER_DEFAULT, /* not looked at */
	CONFIG_BEARER_ACCESS_TOKEN,
	CONFIG_BEARER_IDENTITY_TOKEN,
	CONFIG_BEARER_JWT, /* issued by one of identity_providers */
};

/* One of identity_providers: who issues tokens to machines. */
struct config_issuer {
	struct position at;
	struct str name; /* in lower case, without '/' */
	struct str issuer;
	struct str jwks_url;           /* empty: from the issuer's discovery document */
	struct config_list algorithms; /* "ES256"; at least one */
	struct config_list audiences;  /* at least one */
};

/* What a route has of its own; the global values are filled in where it has none. */
struct config_route_idp {
	struct str client_id; /* empty: the global client */
	struct str client_secret;
	enum config_bearer bearer;
	const struct config_issuer *const *issuers; /* at least one if bearer is JWT, else none */
	size_t issuer_count;
	const struct config_list *access_token_audiences; /* NULL: not checked */
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

	struct config_route_idp idp;
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

enum config_idp {
	CONFIG_IDP_NONE,
	CONFIG_IDP_LOCAL,
	CONFIG_IDP_EXTERNAL, /* authenticate_service_url is set */
};

/* Names and texts are as the provider's row wants them: what is empty has the provider's default. */
struct config_idp_settings {
	struct str provider_name; /* "oidc"; empty: none */
	struct str url;       /* the issuer, as written; never empty where the provider has none */
	struct str client_id; /* never empty for an external provider */
	struct str client_secret; /* empty: a public client */
	struct config_list scopes;
	struct config_pairs request_params;
	const struct config_list *access_token_audiences; /* NULL: not checked */
	enum config_bearer bearer;
	const struct config_issuer *issuers; /* identity_providers */
	size_t issuer_count;
	struct str sign_out_url; /* signout_redirect_url; empty: our own page */
	bool refresh_at_id_token_expiration;
};

struct config_cookies {
	struct str name;
	struct str domain;    /* without a leading dot; empty: host-only */
	struct str same_site; /* "Strict", "Lax", "None" or empty */
	bool http_only;
};

enum config_storage_type { CONFIG_STORAGE_FILE, CONFIG_STORAGE_MEMORY, CONFIG_STORAGE_POSTGRES };

struct config_storage {
	enum config_storage_type type;
	/* file: a directory, or empty for the state directory; postgres: what libpq takes; no NUL inside */
	struct str connection;
};

/* The signed assertion of who somebody is. */
struct config_assertion {
	struct str signing_key_pem;  /* empty: derived from the shared secret */
	struct config_pairs headers; /* header in lower case -> claim */
	bool issuer_is_uri;
	bool has_endpoint; /* runtime_flags.pomerium_jwt_endpoint */
};

struct config_operator {
	struct str admin_socket; /* a path; empty: in the state directory */
	struct addr health_address;
	bool has_health_address; /* asked for, and not merely the default */
};

struct config {
	struct arena arena;            /* wiped as well: it holds client secrets */
	struct config_secret *secrets; /* private keys, in memory that is wiped */
	struct addr address;
	uint32_t workers; /* 0: one per processor */

	struct config_key_pair *key_pairs;
	size_t key_pair_count;
	struct str certificate_authority_pem; /* trusted for outgoing TLS, beside the system's */

	bool has_shared_secret;
	bool has_cookie_secret;
	uint8_t shared_secret[CONFIG_SECRET_SIZE];
	uint8_t cookie_secret[CONFIG_SECRET_SIZE];

	struct str
		authenticate_service_url; /* empty: the login is on whatever host the request came to */
	enum config_idp idp_provider;
	struct config_idp_settings idp;
	const struct config_user *users; /* local_users and local_users_file together */
	size_t user_count;

	int64_t cookie_expire_s;
	struct config_cookies cookies;
	struct config_list redirect_whitelist; /* programmatic_redirect_domain_whitelist */
	struct config_storage storage;
	struct config_assertion assertion;
	struct config_operator operator;
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
