#pragma once

/*
 * options.h - the flags of the command line (protocol.md 8.2)
 *
 * One table says what there is; parsing and help are made from it. "--name value" and "--name=value", flags may follow
 * arguments, "--" ends them, the last of several wins unless the flag has a list.
 *
 * Ownership  Everything points into argv.
 * Errors     ERR_CONFIG with one sentence. A value is never part of it: it may be a secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

#define OPTIONS_ARGUMENTS_MAX 64
#define OPTIONS_LIST_MAX      32 /* values of a flag that may be repeated */

enum option_group {
	OPTION_GROUP_TUNNEL = 1,
	OPTION_GROUP_TLS = 2,
	OPTION_GROUP_BROWSER = 4,
	OPTION_GROUP_SERVICE_ACCOUNT = 8,
	OPTION_GROUP_JSON = 16,
	OPTION_GROUP_SEVERAL = 32,  /* connect */
	OPTION_GROUP_PROXY = 64,    /* proxy */
	OPTION_GROUP_GATEWAY = 128, /* login, logout, whoami */
	OPTION_GROUP_UDP = 256,     /* udp */
};

struct options {
	bool wants_help; /* nothing else was checked then */
	bool disable_tls_verification;
	bool json;
	bool all;
	bool no_browser;
	const char *alternate_ca_path;
	const char *ca_cert;
	const char *client_cert;
	const char *client_key;
	const char *browser_cmd;
	const char *service_account;
	const char *service_account_file;
	const char *listen;
	const char *idle_timeout;
	const char *pomerium_url;
	const char *proxy_domains[OPTIONS_LIST_MAX + 1]; /* NULL behind the last */
	const char *transport;
	const char *proxy;
	const char *arguments[OPTIONS_ARGUMENTS_MAX];
	size_t argument_count;
};

/* argv begins behind the command's name. Only flags of the groups (or-ed) are known. */
int options_parse(unsigned groups, int argc, char *const *argv, struct options *ret, struct err *e);

struct option_text {
	const char *name;
	const char *value_name; /* NULL: yes or no */
	const char *help;
};

/* One flag of the groups per call; the position begins as 0. False: there is no further one. */
bool options_next(unsigned groups, size_t *position, struct option_text *ret);

/* The lines of the help about the flags of those groups. */
void options_print_help(unsigned groups, FILE *out);
