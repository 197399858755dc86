#pragma once

/*
 * routes_list.h - what the gateway says the user may use (protocol.md 4.5)
 *
 * Members that are not known are ignored, those that are missing are empty. Control characters become '?': the texts go to
 * a terminal.
 *
 * Ownership  routes_list_done() releases everything.
 * Errors     ERR_PROTOCOL with a sentence.
 * Limits     ROUTES_LIST_BODY_MAX bytes of JSON.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define ROUTES_LIST_PATH     "/.pomerium/api/v1/routes"
#define ROUTES_LIST_BODY_MAX (16u << 20) /* other gateways send pictures along */

struct listed_route {
	struct str id;
	struct str name;
	struct str type; /* "tcp", "udp", "http", ... */
	struct str from;
	struct str description;
	struct str connect_command; /* empty for what is not opened with this program */
};

struct routes_list {
	struct listed_route *routes;
	size_t count;
	struct arena arena;
};

int routes_list_parse(struct str json, struct routes_list *ret, struct err *e);
void routes_list_done(struct routes_list *list);

/* From the last argument of its connect_command: the DESTINATION of tcp or udp; empty if there is none. */
struct str listed_route_destination(const struct listed_route *route);

/* By name or id, by destination, or by the first label of its host if that is the only one; NULL: none, or several. */
const struct listed_route *routes_list_find(const struct routes_list *list, struct str name);
