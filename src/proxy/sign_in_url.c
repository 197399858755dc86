#include "proxy/sign_in_url.h"

#include "base/clock.h"
#include "session/signed_url.h"

struct str authenticate_authority(const struct exchange *x)
{
	struct str configured = x->snapshot->authenticate_authority;

	return str_is_empty(configured) ? x->facts.authority : configured;
}

bool is_on_authenticate_host(const struct exchange *x)
{
	return str_equal_nocase(authenticate_authority(x), x->facts.authority);
}

bool is_host_of_ours(const struct exchange *x, struct str host)
{
	struct route_host found = { 0 };
	struct authority login;

	(void)route_table_find_host(&x->snapshot->routes, host, &found);
	return found.is_owned ||
	       (authority_parse(authenticate_authority(x), false, &login, NULL) == 0 &&
		str_equal_nocase(login.host, host));
}

/*
 * Where a login may deliver its token. The Host of a request is whatever the client wrote: a link with a stranger's name
 * in it would carry the login of whoever follows it there. The callback is on every host, so the login's own serves too.
 */
static struct str delivery_authority(const struct exchange *x)
{
	struct authority here;

	if (is_on_authenticate_host(x) ||
	    (authority_parse(x->facts.authority, false, &here, NULL) == 0 &&
	     is_host_of_ours(x, here.host)))
		return x->facts.authority;
	return authenticate_authority(x);
}

/*
 * protocol.md 2.2, but better: the provider that all routes of a host have in common, so that a login asked for on a host
 * counts on its routes.
 */
const struct idp *authority_idp(const struct exchange *x, struct str authority)
{
	struct route_host host = { 0 };
	struct authority parsed;

	if (authority_parse(authority, false, &parsed, NULL) == 0)
		(void)route_table_find_host(&x->snapshot->routes, parsed.host, &host);
	return host.idp ? host.idp : x->snapshot->idps.global;
}

/* Of a tunnel, its route's. */
const struct idp *request_idp(const struct exchange *x)
{
	return x->route ? x->route->idp : authority_idp(x, x->facts.authority);
}

static int sign_base(struct exchange *x, struct str base, const struct query *params,
		     struct str *ret_url)
{
	struct buf url = BUF_INIT(URL_MAX);
	int result = signed_url_sign(x->snapshot->shared_key, base, params, clock_now_unix(), &url,
				     NULL);

	if (result == 0)
		*ret_url = arena_copy(&x->arena, buf_view(&url));
	buf_done(&url);
	return result;
}

int sign_url(struct exchange *x, struct str authority, struct str path, const struct query *params,
	     struct str *ret_url)
{
	return sign_base(
		x, arena_printf(&x->arena, "https://%.*s%.*s", STR_FMT(authority), STR_FMT(path)),
		params, ret_url);
}

int sign_in_url_for_request(struct exchange *x, struct str *ret_url)
{
	struct query params = { 0 };

	query_add(&params, STR("pomerium_redirect_uri"),
		  arena_printf(&x->arena, "https://%.*s%.*s", STR_FMT(delivery_authority(x)),
			       STR_FMT(x->facts.path)));
	query_add(&params, STR("pomerium_idp_id"), str_from(request_idp(x)->id));
	return sign_url(x, authenticate_authority(x), STR("/.pomerium/sign_in"), &params, ret_url);
}

int sign_in_url_for_program(struct exchange *x, struct str redirect_uri, struct str raw_query,
			    struct str *ret_url)
{
	struct query params = { 0 };

	query_add(&params, STR("pomerium_callback_uri"),
		  arena_printf(&x->arena, "https://%.*s/.pomerium/callback/?%.*s",
			       STR_FMT(delivery_authority(x)), STR_FMT(raw_query)));
	query_add(&params, STR("pomerium_idp_id"), str_from(request_idp(x)->id));
	query_add(&params, STR("pomerium_programmatic"), STR("true"));
	query_add(&params, STR("pomerium_redirect_uri"), redirect_uri);
	return sign_url(x, authenticate_authority(x), STR("/.pomerium/sign_in"), &params, ret_url);
}

int verify_request_url(struct exchange *x, struct query *ret, struct err *e)
{
	return signed_url_verify(x->snapshot->shared_key,
				 &(struct signed_url_parts){ x->facts.authority, x->request->path,
							     x->request->query },
				 clock_now_unix(), &x->arena, ret, e);
}
