#pragma once

/*
 * login_target.h - whose login a command is about: a gateway, a destination behind one, or the gateway used last
 */

#include "base/err.h"

struct client;
struct destination;

/* argument may be NULL; pomerium_url, too: if it is given, it is the gateway. */
int login_target_find(const struct client *client, const char *argument, const char *pomerium_url,
		      struct destination *ret, struct err *e);
