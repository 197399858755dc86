#pragma once

/*
 * config_route.h - one route of the configuration as plain data (configuration.md 4 to 7)
 *
 * Part of config.h, which includes it; what is said there holds here. All it points to belongs to the configuration.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/url.h"
#include "config/report.h"

#define CONFIG_CHECKS_MAX 8 /* health checks of one route */

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
	CONFIG_HOP_UDP, /* udp://host:port: packets; all targets of a UDP route and no others */
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
	struct position custom_ca_at;
	struct str client_certificate_pem;
	struct position client_certificate_at;
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

/* A route that tunnels TCP or UDP. Names and targets are as strict as base/url.h; there is at least one target. */
struct config_route {
	struct position at;
	uint64_t digest; /* of what is written in it, the contents of files left out */
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
	bool is_udp;

	struct config_access access;
	struct config_route_idp idp;
	struct config_upstream upstream;
	struct config_lifetime lifetime;
	struct str client_ca_pem; /* tls_downstream_client_ca(_file); empty: the global one */
	struct position client_ca_at;
};
