/*
 * login_target.c - "https://host:port" is a gateway here; for tcp it is a destination on the gateway's own port
 *
 * So are host and host:port, unless a gateway is named beside them. With a path, or a scheme that only routes have, it is
 * a destination.
 */

#include "cli/login_target.h"

#include "base/url.h"
#include "cli/client.h"
#include "cli/destination.h"

static bool is_route(struct str text)
{
	struct err ignored;
	struct url url;

	if (str_starts_with_nocase(text, STR("tcp+")) || str_starts_with_nocase(text, STR("udp+")))
		return true;
	return url_parse(text, &url, &ignored) == 0 && url.path.len > 1;
}

int login_target_find(const struct client *client, const char *argument, const char *pomerium_url,
		      struct destination *ret, struct err *e)
{
	if (pomerium_url)
		return destination_parse_server(str_from(pomerium_url), ret, e);
	if (argument && is_route(str_from(argument)))
		return destination_parse(str_from(argument), NULL, ret, e);
	return client_find_server(client, argument, ret, e);
}
