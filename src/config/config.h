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
#include "config/config_route.h"
#include "config/report.h"

#define CONFIG_FILE_MAX    (16u << 20)
#define CONFIG_ROUTES_MAX  100000
#define CONFIG_WORKERS_MAX 256
#define CONFIG_SECRET_SIZE 32
#define CONFIG_ISSUERS_MAX 256
#define CONFIG_PARAMS_MAX  32 /* idp_request_params */
#define CONFIG_CLAIMS_MAX  64 /* jwt_claims_headers */
#define CONFIG_SANS_MAX    256

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
	int64_t expire_s; /* cookie_expire: also the longest a session lasts */
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
	struct str signing_key_pem; /* empty: derived from the shared secret */
	struct position signing_key_at;
	struct config_pairs headers; /* header in lower case -> claim */
	bool issuer_is_uri;
	bool has_endpoint; /* runtime_flags.pomerium_jwt_endpoint */
};

struct config_metrics {
	bool has_address;
	struct addr address;
	struct str basic_auth;       /* "user:password"; empty: none. Secret */
	struct config_key_pair pair; /* certificate_pem empty: plain HTTP */
};

struct config_operator {
	struct str admin_socket; /* a path; empty: in the state directory */
	struct addr health_address;
	bool has_health_address; /* asked for, and not merely the default */
	bool tells_systemd;      /* health_check_systemd_disabled: false */
	struct config_metrics metrics;
};

/* Listeners and what is believed of who connects. */
struct config_listen {
	struct addr address;
	struct addr redirect_address; /* http_redirect_addr */
	bool has_redirect_address;
	bool is_plain;           /* insecure_server */
	bool use_proxy_protocol; /* required, then */
	bool matches_any_port;   /* runtime_flags.match_any_incoming_port */
	bool offers_http2;       /* codec_type: auto */
	uint32_t trusted_hops;   /* xff_num_trusted_hops */
	uint32_t workers;        /* 0: one per processor */
};

/* UINT64_MAX: no limit. */
struct config_limits {
	uint64_t max_tunnels;
	uint64_t max_connections;
	uint64_t max_handshakes; /* TLS handshakes at once */
};

/* 0: none */
struct config_timeouts {
	uint64_t read_ms;  /* timeout_read: until the tunnel is there */
	uint64_t idle_ms;  /* timeout_idle: a connection without request */
	uint64_t drain_ms; /* drain_timeout: what SIGTERM leaves to open tunnels; 0: nothing */
};

enum config_enforcement {
	CONFIG_ENFORCEMENT_POLICY_DEFAULT_DENY,
	CONFIG_ENFORCEMENT_POLICY,
	CONFIG_ENFORCEMENT_REJECT,
};

enum config_san_type {
	CONFIG_SAN_DNS,
	CONFIG_SAN_EMAIL,
	CONFIG_SAN_IP,
	CONFIG_SAN_URI,
	CONFIG_SAN_UPN, /* user_principal_name */
};

struct config_san_match {
	struct position at;
	enum config_san_type type;
	struct str pattern; /* compiles as base/pattern.h */
};

/* downstream_mtls (configuration.md 3.6) */
struct config_client_certificates {
	struct str ca_pem; /* empty: none asked for, unless a route has a CA of its own */
	struct position ca_at;
	struct str crl_pem;
	struct position crl_at;
	enum config_enforcement enforcement;
	const struct config_san_match *sans;
	size_t san_count;
	uint32_t max_verify_depth; /* 0: no limit */
};

struct config_tls {
	struct config_key_pair *key_pairs;
	size_t key_pair_count;
	struct str
		authority_pem; /* certificate_authority: trusted for outgoing TLS, beside the system's */
	struct position authority_at;
	struct config_client_certificates client_certificates;
};

struct config_keys {
	bool has_shared_secret;
	bool has_cookie_secret;
	uint8_t shared_secret[CONFIG_SECRET_SIZE];
	uint8_t cookie_secret[CONFIG_SECRET_SIZE];
};

struct config_users {
	const struct config_user *items; /* local_users and local_users_file together */
	size_t count;
};

struct config_logs {
	enum log_level level;
	bool has_access_lines;            /* by proxy_log_level */
	struct config_list access_fields; /* empty: the default ones */
	struct config_list authorize_fields;
	struct str audit_file; /* a path; empty: none */
	bool audit_may_drop;   /* audit_overflow: drop */
};

struct config {
	struct arena arena;            /* wiped as well: it holds client secrets */
	struct config_secret *secrets; /* private keys, in memory that is wiped */
	struct config_listen listen;
	struct config_limits limits;
	struct config_timeouts timeouts;
	struct config_tls tls;
	struct config_keys keys;

	struct str
		authenticate_service_url; /* empty: the login is on whatever host the request came to */
	enum config_idp idp_provider;
	struct config_idp_settings idp;
	struct config_users users;
	struct config_cookies cookies;
	struct config_list redirect_whitelist; /* programmatic_redirect_domain_whitelist */

	struct config_storage storage;
	struct config_assertion assertion;
	struct config_operator operator;
	struct config_logs logs;
	enum config_dns_family dns_family;
	bool watches_files; /* runtime_flags.config_hot_reload */
	bool lists_routes;  /* runtime_flags.routes_portal */

	const struct config_route *routes; /* policy, then routes, in file order */
	size_t route_count;
};

/* Where a configuration comes from: the variables win over the file, key by key (configuration.md 1). */
struct config_source {
	const char *path;               /* NULL: no file */
	const char *const *environment; /* "NAME=value", NULL-terminated; NULL: not looked at */
};

/*
 * Reads and checks the file, the variables and everything they refer to. Problems go to the report, all of them,
 * warnings too, and so do the names of all files that were read or should have been (report_files). What could be read
 * is given even if there were errors, for whoever goes on checking; NULL if it is not worth that.
 */
struct config *config_read(const struct config_source *source, struct report *report);

/*
 * config_read() of a file alone. Returns -1 if there was an error; e then has the first one and the count of the others.
 */
int config_load(const char *path, struct config **ret, struct report *report, struct err *e);

/* The same from memory, for tests and fuzzing; files it refers to are found relative to the current directory. */
int config_parse(struct str text, const char *file_name, struct config **ret, struct report *report,
		 struct err *e);

/* Wipes secrets. NULL is ignored. */
void config_free(struct config *config);

DEFINE_CLEANUP(struct config, config_free)
