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
#define CONFIG_SANS_MAX    256
#define CONFIG_CHECKS_MAX  8 /* health checks of one route */

struct yaml_node;

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

enum config_hop {
	CONFIG_HOP_TCP,         /* tcp://host:port: raw bytes */
	CONFIG_HOP_UNIX,        /* unix:///path: raw bytes */
	CONFIG_HOP_HTTP_PROXY,  /* http://host:port: CONNECT to another proxy */
	CONFIG_HOP_HTTPS_PROXY, /* https://host:port: the same inside TLS */
};

struct config_target {
	enum config_hop hop;
	struct str host; /* without brackets; "localhost" has become "127.0.0.1". UNIX: the path */
	uint16_t port;   /* UNIX: 0 */
	uint32_t weight; /* 0: none given */
	bool is_weighted;
};

/* Who may (policy-language.md 13, 1). Nodes are copies that keep their positions. */
struct config_access {
	struct config_list allowed_users;
	struct config_list allowed_domains;
	struct config_list allowed_groups;
	const struct yaml_node
		*allowed_idp_claims;    /* a mapping of claims to lists or scalars; or NULL */
	const struct yaml_node *policy; /* PPL: a mapping or a list; or NULL. Shape not checked */
	bool allow_any_authenticated_user;
	bool allow_public_unauthenticated_access;
};

/* circuit_breaker_thresholds; UINT64_MAX: no limit. Those that mean nothing for tunnels are accepted and left out. */
struct config_breakers {
	uint64_t max_connections;
	uint64_t max_pending; /* dials that have not connected yet */
};

enum config_balancing {
	CONFIG_BALANCING_ROUND_ROBIN,
	CONFIG_BALANCING_LEAST_REQUEST,
	CONFIG_BALANCING_RANDOM,
	CONFIG_BALANCING_RING_HASH, /* by session, else by source address */
	CONFIG_BALANCING_MAGLEV,
};

/* A TCP health check (health_checks[]); what it sends and expects is empty for a mere connection. */
struct config_health_check {
	uint64_t timeout_ms;
	uint64_t interval_ms;
	uint32_t unhealthy_threshold;
	uint32_t healthy_threshold;
	struct str send;
	struct config_list receive;
};

enum config_dns_family {
	CONFIG_DNS_V4_PREFERRED,
	CONFIG_DNS_AUTO, /* IPv6 first */
	CONFIG_DNS_V4_ONLY,
	CONFIG_DNS_V6_ONLY,
	CONFIG_DNS_ALL, /* both raced */
};

enum config_proxy_header {
	CONFIG_PROXY_HEADER_NONE,
	CONFIG_PROXY_HEADER_V1,
	CONFIG_PROXY_HEADER_V2
};

/* TLS to a proxy behind us: only for CONFIG_HOP_HTTPS_PROXY (configuration.md 7.4). */
struct config_upstream_tls {
	bool skip_verify;
	struct str server_name; /* empty: the host of the target */
	struct str custom_ca_pem;
	struct str client_certificate_pem;
	struct str client_key_pem;
};

struct config_upstream {
	enum config_balancing balancing;
	enum config_proxy_header proxy_header;
	struct config_breakers breakers; /* global and route values merged */
	const struct config_health_check *checks;
	size_t check_count;
	uint32_t panic_percent; /* healthy_panic_threshold */
	struct config_upstream_tls tls;
};

struct config_lifetime {
	uint64_t
		timeout_ms; /* whole tunnel: the route's timeout or timeout_write, the shorter; 0: none */
	uint64_t idle_ms;     /* idle_timeout; 0: none */
	uint64_t max_tunnels; /* of this route; UINT64_MAX: no limit */
	bool reauthorize;     /* tunnel_reauthorization: close */
};

/* A route that tunnels TCP. Names and targets are as strict as base/url.h; there is at least one target. */
struct config_route {
	struct position at;
	struct str path; /* "routes[2]", for messages */
	struct str from; /* as written */
	struct str name;
	struct str description;
	const struct authority *
		names; /* what a CONNECT may ask for (protocol.md 1.6.1); none if there is a wildcard */
	size_t name_count;
	struct str wildcard; /* "*.example.com:22" as written; empty: none */
	const struct config_target *targets;
	size_t target_count;

	struct config_access access;
	struct config_route_idp idp;
	struct config_upstream upstream;
	struct config_lifetime lifetime;
	struct str client_ca_pem; /* tls_downstream_client_ca(_file); empty: the global one */
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
	struct str signing_key_pem;  /* empty: derived from the shared secret */
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
	struct str crl_pem;
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
