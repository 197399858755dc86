#include "proxy/endpoints.h"

#include "proxy/end_reasons.h"
#include "proxy/pages/page.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"

static const struct endpoint endpoint_rows[] = {
	{ "/ping", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_health },
	{ "/healthz", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_health },
	{ "/.well-known/pomerium", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_well_known },
	{ "/.well-known/pomerium/", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_well_known },
	{ "/.well-known/pomerium/jwks.json", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN,
	  endpoint_jwks },
	{ PAGE_STYLE_PATH, "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_style },
	{ "/.pomerium/api/v1/login", "GET", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_login_api },
	{ "/.pomerium/api/v1/device_authorization", "POST", PLACE_ANYWHERE, ACCESS_OPEN,
	  endpoint_device_authorization },
	{ "/.pomerium/api/v1/token", "POST", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_device_token },
	{ "/.pomerium/api/v1/sign_out", "POST", PLACE_ANYWHERE, ACCESS_OPEN,
	  endpoint_sign_out_api },
	{ TUNNEL_END_PATH, "GET", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_tunnel_end },
	{ "/.pomerium/callback/", "GET", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_callback },
	{ "/.pomerium/", "GET HEAD", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_user_page },
	{ "/.pomerium/user", "GET", PLACE_ANYWHERE, ACCESS_LOGIN, endpoint_user },
	{ "/.pomerium/jwt", "GET", PLACE_IF_JWT_FLAG, ACCESS_LOGIN, endpoint_jwt },
	{ "/.pomerium/api/v1/routes", "GET", PLACE_IF_ROUTES_FLAG, ACCESS_LOGIN, endpoint_routes },
	{ "/.pomerium/sign_out", "GET POST", PLACE_ANYWHERE, ACCESS_OPEN, endpoint_sign_out },
	{ "/.pomerium/signed_out", "GET", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_signed_out },
	{ "/.pomerium/sign_in", "GET POST", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_sign_in },
	{ "/.pomerium/local/sign_in", "GET POST", PLACE_AUTHENTICATE, ACCESS_OPEN,
	  endpoint_local_sign_in },
	{ "/.pomerium/device", "GET POST", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_device_page },
	{ "/oauth2/callback", "GET POST", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_oidc_callback },
	{ "/", "GET HEAD", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_authenticate_root },
	{ "/robots.txt", "GET HEAD", PLACE_AUTHENTICATE, ACCESS_OPEN, endpoint_robots },
};

/* Paths that differ by a trailing slash are sent to the listed form, but for these (protocol.md 4.2). */
static bool is_matched_exactly(struct str path)
{
	return str_starts_with(path, STR("/.pomerium/api/")) || !str_starts_with(path, STR("/."));
}

static bool is_served_here(const struct exchange *x, const struct endpoint *row)
{
	switch (row->place) {
	case PLACE_ANYWHERE:
		return true;
	case PLACE_AUTHENTICATE:
		/* The front page belongs to the login only where the login has a host of its own. */
		if (!str_starts_with(str_from(row->path), STR("/.")) &&
		    str_is_empty(x->snapshot->authenticate_authority))
			return false;
		return is_on_authenticate_host(x);
	case PLACE_IF_JWT_FLAG:
		return x->snapshot->config->assertion.has_endpoint;
	case PLACE_IF_ROUTES_FLAG:
		return x->snapshot->config->lists_routes;
	}
	return false;
}

static bool fits(struct str path, struct str pattern)
{
	struct str before = str_first(pattern, str_find(pattern, '*'));
	struct str after = str_from_pos(pattern, before.len + 1);
	struct str segment;

	if (before.len == pattern.len)
		return str_equal(path, pattern);
	if (!str_starts_with(path, before))
		return false;
	segment = str_from_pos(path, before.len);
	segment = str_first(segment, str_find(segment, '/'));
	return segment.len && str_equal(str_from_pos(path, before.len + segment.len), after);
}

static const struct endpoint *find(const struct exchange *x, struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(endpoint_rows); i++)
		if (fits(path, str_from(endpoint_rows[i].path)) &&
		    is_served_here(x, &endpoint_rows[i]))
			return &endpoint_rows[i];
	return NULL;
}

/* The listed form of a path with one slash too many or too few, or NULL. */
static const struct endpoint *find_other_slash(struct exchange *x, struct str path)
{
	if (is_matched_exactly(path))
		return NULL;
	if (str_ends_with(path, STR("/")))
		return find(x, str_first(path, path.len - 1));
	return find(x, arena_printf(&x->arena, "%.*s/", STR_FMT(path)));
}

static bool accepts_method(const struct endpoint *endpoint, struct str method)
{
	struct str rest = str_from(endpoint->methods);
	struct str name;

	while (str_cut(&rest, ' ', &name))
		if (str_equal(name, method))
			return true;
	return false;
}

/* "GET HEAD" as "GET, HEAD" */
static struct str with_commas(struct exchange *x, const char *methods)
{
	struct str rest = str_from(methods);
	struct str list = { 0 };
	struct str name;

	while (str_cut(&rest, ' ', &name))
		list = list.len
			       ? arena_printf(&x->arena, "%.*s, %.*s", STR_FMT(list), STR_FMT(name))
			       : name;
	return list;
}

static enum step refuse_method(struct exchange *x, const struct endpoint *endpoint)
{
	struct reply reply = { .status = 405, .body = STR("Method Not Allowed\n") };

	reply_header(&reply, STR("allow"), with_commas(x, endpoint->methods));
	reply_header(&reply, STR("content-type"), STR("text/plain; charset=utf-8"));
	return reply_send(x, &reply);
}

static struct str with_query(struct exchange *x, const char *path)
{
	if (str_is_empty(x->request->query))
		return str_from(path);
	return arena_printf(&x->arena, "%s?%.*s", path, STR_FMT(x->request->query));
}

enum step endpoints_select(struct exchange *x)
{
	struct str path = x->request->path;
	const struct endpoint *endpoint = find(x, path);
	const struct endpoint *other;

	if (endpoint && !accepts_method(endpoint, x->request->method))
		return refuse_method(x, endpoint);
	if (endpoint) {
		x->endpoint = endpoint;
		return STEP_NEXT;
	}
	other = find_other_slash(x, path);
	if (other)
		return respond_redirect(x, 301, with_query(x, other->path));
	if (str_starts_with(path, STR("/.pomerium/api/")))
		return respond_text(x, 404, STR("Not Found\n"));
	return respond_refusal(x, REFUSAL_ROUTE_NOT_FOUND);
}
