/*
 * GET /.pomerium/api/v1/login (protocol.md 3.1): where a program's user has to go to log in. Creates no state.
 */

#include "base/url.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"

/* Exact, with regard to case; "localhost" stands for every loopback address. */
static bool is_whitelisted(const struct config *config, struct str host)
{
	for (size_t i = 0; i < config->redirect_whitelist.count; i++) {
		struct str entry = config->redirect_whitelist.items[i];

		if (str_equal(entry, host))
			return true;
		if (str_equal(entry, STR("localhost")) && host_is_loopback(host))
			return true;
	}
	return false;
}

static bool is_http(struct str scheme)
{
	return str_equal(scheme, STR("http")) || str_equal(scheme, STR("https"));
}

enum step endpoint_login_api(struct exchange *x)
{
	struct query query;
	struct str redirect_uri;
	struct str location;
	struct url url;

	if (query_parse(x->request->query, &x->arena, &query, NULL) < 0)
		return respond_error(x, 400, STR("The query of this request is broken."));
	if (!query_get(&query, STR("pomerium_redirect_uri"), &redirect_uri))
		return respond_text(x, 404, STR("Not Found\n"));
	if (url_parse(redirect_uri, &url, NULL) < 0)
		return respond_error(x, 400, STR("pomerium_redirect_uri is not an absolute URL."));
	if (!is_http(url.scheme) || !is_whitelisted(x->snapshot->config, url.authority.host))
		return respond_error(
			x, 400,
			STR("pomerium_redirect_uri leads to a host that is not allowed here."));
	if (sign_in_url_for_program(x, redirect_uri, x->request->query, &location) < 0)
		return respond_error(x, 400, STR("pomerium_redirect_uri is too long."));
	return respond_text(x, 200, location);
}
