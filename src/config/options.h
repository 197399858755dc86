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

struct operator_options {
	struct text_value admin_socket;
	struct text_value health_check_addr;
};

struct flag_options {
	struct bool_value pomerium_jwt_endpoint;
	struct bool_value refresh_session_at_id_token_expiration;
};

struct options {
	const char *file; /* its name, for problems that have no place in it */
	struct text_value address;
	struct number_value workers;

	struct records_value certificates; /* struct certificate_options */
	struct text_value certificate;
	struct text_value certificate_key;
	struct text_value certificate_file;
	struct text_value certificate_key_file;
	struct sourced_value certificate_authority;

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
	struct text_value log_level;

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

struct route_options {
	struct position at;
	struct text_value from;
	struct list_value to;
	struct text_value name;
	struct text_value description;
	struct list_value allowed_users;
	struct list_value allowed_domains;
	struct list_value allowed_groups;
	struct bool_value allow_any_authenticated_user;
	struct bool_value allow_public_unauthenticated_access;
	struct route_idp_options idp;
};

extern const struct schema options_schema;
extern const struct schema certificate_schema;
extern const struct schema user_schema;
extern const struct schema issuer_schema;
extern const struct schema route_schema;
extern const struct schema runtime_flags_schema;
