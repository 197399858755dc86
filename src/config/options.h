#pragma once

/*
 * options.h - every setting there is, and the plain structs that the supported ones are read into
 *
 * Nothing here has been checked beyond its type; config.c and the files of its parts turn it into a struct config.
 */

#include "config/schema.h"
#include "config/value.h"

/* A text that may be in a file of its own. */
struct sourced_value {
	struct text_value text;
	struct text_value file;
};

struct idp_options {
	struct text_value provider;
	struct text_value url;
	struct text_value client_id;
	struct sourced_value client_secret;
	struct list_value scopes;
	struct map_value request_params;
	struct list_value access_token_audiences;
	struct text_value bearer_token_format;
	struct named_value issuers; /* identity_providers: struct issuer_options */
	struct text_value sign_out_url;
};

struct cookie_options {
	struct text_value name;
	struct text_value domain;
	struct bool_value http_only;
	struct text_value same_site;
	struct duration_value expire;
};

struct storage_options {
	struct text_value type;
	struct sourced_value connection;
};

struct assertion_options {
	struct map_value headers; /* whichever form jwt_claims_headers has: header -> claim */
	struct text_value issuer_format;
	struct sourced_value signing_key;
};

struct metrics_options {
	struct text_value address;
	struct text_value basic_auth;
	struct sourced_value certificate;
	struct sourced_value key;
};

struct operator_options {
	struct text_value admin_socket;
	struct text_value health_check_addr;
	struct bool_value systemd_disabled;
	struct metrics_options metrics;
};

struct listen_options {
	struct text_value address;
	struct text_value redirect_address;
	struct bool_value is_plain;
	struct bool_value use_proxy_protocol;
	struct number_value trusted_hops;
	struct number_value workers;
	struct text_value codec_type;
	struct text_value services;
};

struct limit_options {
	struct number_value max_tunnels;
	struct number_value max_connections;
	struct number_value max_handshakes;
};

struct timeout_options {
	struct duration_value read;
	struct duration_value write;
	struct duration_value idle;
	struct duration_value drain;
};

struct breaker_options {
	struct number_value max_connections;
	struct number_value max_pending_requests;
};

struct client_certificate_options {
	struct sourced_value ca;
	struct sourced_value crl;
	struct text_value enforcement;
	const struct yaml_node *alternative_names; /* match_subject_alt_names */
	struct number_value max_verify_depth;
};

struct log_options {
	struct text_value level;
	struct text_value proxy_level;
	struct list_value access_fields;
	struct list_value authorize_fields;
	struct text_value audit_file;
	struct text_value audit_overflow;
};

struct flag_options {
	struct bool_value config_hot_reload;
	struct bool_value match_any_incoming_port;
	struct bool_value pomerium_jwt_endpoint;
	struct bool_value refresh_session_at_id_token_expiration;
	struct bool_value routes_portal;
};

struct server_certificate_options {
	struct records_value pairs; /* struct certificate_options */
	struct sourced_value certificate;
	struct sourced_value key;
	struct sourced_value authority;
};

struct options {
	const char *file; /* its name, for problems that have no place in it */
	struct listen_options listen;
	struct limit_options limits;
	struct timeout_options timeouts;
	struct breaker_options breakers;
	struct text_value reauthorization;

	struct server_certificate_options certificates;
	struct client_certificate_options client_certificates;
	struct sourced_value shared_secret;
	struct sourced_value cookie_secret;

	struct text_value authenticate_service_url;
	struct idp_options idp;
	struct records_value local_users; /* struct user_options */
	struct text_value local_users_file;

	struct cookie_options cookies;
	struct list_value redirect_whitelist;
	struct storage_options storage;
	struct assertion_options assertion;
	struct operator_options operator;
	struct flag_options flags;
	struct log_options logs;
	struct text_value dns_family;

	/* lists of routes, read by routes.c: what a route may hold depends on what kind of route it is */
	const struct yaml_node *policy;
	const struct yaml_node *routes;
};

struct certificate_options {
	struct position at;
	struct text_value cert;
	struct text_value key;
};

struct user_options {
	struct position at;
	struct text_value email;
	struct text_value name;
	struct text_value id;
	struct text_value password_hash;
	struct list_value groups;
	struct bool_value disabled;
};

struct issuer_options {
	struct text_value issuer;
	struct text_value jwks_url;
	struct list_value supported_algs;
	struct list_value audiences;
};

struct route_idp_options {
	struct text_value client_id;
	struct text_value client_secret;
	struct text_value bearer_token_format;
	struct list_value issuers; /* identity_providers: names */
	struct list_value access_token_audiences;
};

struct route_access_options {
	struct list_value allowed_users;
	struct list_value allowed_domains;
	struct list_value allowed_groups;
	const struct yaml_node *allowed_idp_claims;
	const struct yaml_node *policy;
	struct bool_value allow_any_authenticated_user;
	struct bool_value allow_public_unauthenticated_access;
};

struct health_check_options {
	struct position at;
	struct duration_value timeout;
	struct duration_value interval;
	struct number_value unhealthy_threshold;
	struct number_value healthy_threshold;
	const struct yaml_node *tcp; /* tcp_health_check */
	const struct yaml_node *http;
	const struct yaml_node *grpc;
};

/* What a TCP health check sends or expects: one of them. */
struct payload_options {
	struct position at;
	struct text_value text;   /* in hexadecimal */
	struct text_value binary; /* in base64 */
};

struct tcp_check_options {
	struct payload_options send;
	struct records_value receive; /* struct payload_options */
};

struct route_tls_options {
	struct bool_value skip_verify;
	struct text_value server_name;
	struct text_value upstream_server_name;
	struct sourced_value custom_ca;
	struct sourced_value client_certificate;
	struct sourced_value client_key;
};

struct route_upstream_options {
	struct text_value balancing;
	struct text_value proxy_header;
	struct breaker_options breakers;
	struct records_value checks; /* struct health_check_options */
	struct number_value panic_percent;
	struct route_tls_options tls;
};

struct route_lifetime_options {
	struct duration_value timeout;
	struct duration_value idle_timeout;
	struct number_value max_tunnels;
	struct text_value reauthorization;
};

struct route_options {
	struct position at;
	struct text_value from;
	struct list_value to;
	struct text_value name;
	struct text_value description;
	struct list_value depends_on;
	struct route_access_options access;
	struct route_idp_options idp;
	struct route_upstream_options upstream;
	struct route_lifetime_options lifetime;
	struct sourced_value client_ca;
};

extern const struct schema options_schema;
extern const struct schema certificate_schema;
extern const struct schema user_schema;
extern const struct schema issuer_schema;
extern const struct schema route_schema;
extern const struct schema runtime_flags_schema;
extern const struct schema breakers_schema;
extern const struct schema client_certificates_schema;
extern const struct schema health_check_schema;
extern const struct schema tcp_check_schema;
extern const struct schema payload_schema;
