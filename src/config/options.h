#pragma once

/*
 * options.h - every setting there is, and the plain structs that the supported ones are read into
 *
 * Nothing here has been checked beyond its type; config.c, routes.c, users.c and key_files.c turn it into a struct config.
 */

#include "config/schema.h"
#include "config/value.h"

struct idp_options {
	struct text_value provider;
	struct text_value url;
	struct text_value client_id;
	struct text_value client_secret;
	struct text_value client_secret_file;
	struct list_value scopes;
	const struct yaml_node *request_params; /* a mapping, read by config_idp.c */
	struct text_value sign_out_url;
};

struct cookie_options {
	struct text_value name;
	struct text_value domain;
	struct text_value same_site;
	struct bool_value http_only;
};

struct storage_options {
	struct text_value type;
	struct text_value connection;
	struct text_value connection_file;
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

	struct text_value shared_secret;
	struct text_value shared_secret_file;
	struct text_value cookie_secret;
	struct text_value cookie_secret_file;

	struct text_value certificate_authority;
	struct text_value certificate_authority_file;
	struct text_value signing_key;
	struct text_value signing_key_file;

	struct text_value authenticate_service_url;
	struct idp_options idp;
	struct records_value local_users; /* struct user_options */
	struct text_value local_users_file;

	struct duration_value cookie_expire;
	struct list_value redirect_whitelist;
	struct text_value log_level;
	struct cookie_options cookies;
	struct storage_options storage;
	struct text_value admin_socket;
	struct text_value health_check_addr;
	struct flag_options flags;

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
	struct text_value idp_client_id;
	struct text_value idp_client_secret;
};

extern const struct schema options_schema;
extern const struct schema certificate_schema;
extern const struct schema user_schema;
extern const struct schema route_schema;
extern const struct schema runtime_flags_schema;
