#include "proxy/login_cookies.h"

#include "base/clock.h"
#include "http/cookie.h"
#include "jose/jws.h"

#define CALLBACK_PATH      "/oauth2/callback"
#define COOKIE_MAX         (JWS_MAX + 1024)
#define CSRF_COOKIE_LIFE_S (12 * 60 * 60)
#define PKCE_COOKIE_LIFE_S (5 * 60)

struct str login_cookie_name(struct exchange *x, enum login_cookie cookie)
{
	struct str name = x->snapshot->config->cookies.name;

	switch (cookie) {
	case LOGIN_COOKIE_SESSION:
		break;
	case LOGIN_COOKIE_AUTHENTICATE:
		return arena_printf(&x->arena, "%.*s_authenticate", STR_FMT(name));
	case LOGIN_COOKIE_CSRF:
		return arena_printf(&x->arena, "%.*s_csrf", STR_FMT(name));
	}
	return name;
}

struct str pkce_cookie_name(struct exchange *x, struct str login_id)
{
	return arena_printf(&x->arena, "%.*s_pkce_%.*s", STR_FMT(x->snapshot->config->cookies.name),
			    STR_FMT(login_id));
}

static struct str format(struct exchange *x, const struct set_cookie *cookie)
{
	struct buf text = BUF_INIT(COOKIE_MAX);
	struct str result;

	(void)set_cookie_format(cookie, &text);
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done_secret(&text);
	return result;
}

static struct str format_clear(struct exchange *x, const struct set_cookie *cookie)
{
	struct buf text = BUF_INIT(COOKIE_MAX);
	struct str result;

	(void)set_cookie_format_clear(cookie, clock_now_unix(), &text);
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return result;
}

/* What those of a session share; the others belong to one host. */
static struct set_cookie attributes(struct exchange *x, enum login_cookie cookie)
{
	const struct config_cookies *settings = &x->snapshot->config->cookies;

	if (cookie == LOGIN_COOKIE_CSRF)
		return (struct set_cookie){
			.name = login_cookie_name(x, cookie),
			.path = STR("/"),
			.same_site = STR("Strict"),
			.http_only = true,
		};
	return (struct set_cookie){
		.name = login_cookie_name(x, cookie),
		.path = STR("/"),
		.domain = settings->domain,
		.same_site = settings->same_site,
		.http_only = settings->http_only,
	};
}

static struct set_cookie pkce_attributes(struct exchange *x, struct str login_id)
{
	return (struct set_cookie){
		.name = pkce_cookie_name(x, login_id),
		.path = STR(CALLBACK_PATH),
		.same_site = STR("Lax"),
		.http_only = true,
	};
}

struct str login_cookie(struct exchange *x, enum login_cookie cookie, struct str token)
{
	struct set_cookie c = attributes(x, cookie);

	c.value = token;
	c.expires_unix = clock_now_unix() + x->snapshot->config->cookies.expire_s;
	return format(x, &c);
}

struct str csrf_cookie(struct exchange *x, struct str token)
{
	struct set_cookie c = attributes(x, LOGIN_COOKIE_CSRF);

	c.value = token;
	c.expires_unix = clock_now_unix() + CSRF_COOKIE_LIFE_S;
	return format(x, &c);
}

struct str pkce_cookie(struct exchange *x, struct str login_id, struct str value)
{
	struct set_cookie c = pkce_attributes(x, login_id);

	c.value = value;
	c.expires_unix = clock_now_unix() + PKCE_COOKIE_LIFE_S;
	return format(x, &c);
}

struct str cleared_cookie(struct exchange *x, enum login_cookie cookie)
{
	const struct set_cookie c = attributes(x, cookie);

	return format_clear(x, &c);
}

struct str cleared_pkce_cookie(struct exchange *x, struct str login_id)
{
	const struct set_cookie c = pkce_attributes(x, login_id);

	return format_clear(x, &c);
}
