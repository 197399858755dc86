#pragma once

/*
 * who.h - what the gateway says about who somebody is (/.pomerium/user, protocol.md 4.2)
 *
 * Ownership  who_done() releases what who_read() has filled in; a zeroed one is empty.
 * Limits     WHO_GROUPS_MAX groups are kept.
 */

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define WHO_PATH           "/.pomerium/user"
#define WHO_EXPIRES_HEADER "x-pomerium-session-expires"
#define WHO_GROUPS_MAX     1024

struct who {
	struct arena arena;
	struct str email;
	struct str name;
	struct str id;
	struct str *groups;
	size_t group_count;
	int64_t expires_unix; /* 0: not known, or never */
};

int who_read(struct str json, struct who *ret, struct err *e);
void who_done(struct who *who);

/* "alice@example.com", or what else there is. */
struct str who_name(const struct who *who);

/* For a person, and for a program. */
void who_print(const struct who *who, const char *gateway_name, FILE *out);
void who_print_json(const struct who *who, const char *gateway_name, FILE *out);
