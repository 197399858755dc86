#include "proxy/login_cookies.h"

#include "base/clock.h"
#include "http/cookie.h"
#include "jose/jws.h"
#include "proxy/authenticate.h"

#define COOKIE_MAX         (JWS_MAX + 512)
#define CSRF_COOKIE_LIFE_S (12 * 60 * 60)

static struct str format(struct exchange *x, const struct set_cookie *cookie)
{
	struct buf text = BUF_INIT(COOKIE_MAX);
	struct str result;

	(void)set_cookie_format(cookie, &text);
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done_secret(&text);
	return result;
}

struct str login_cookie(struct exchange *x, struct str name, struct str token)
{
	return format(
		x, &(struct set_cookie){
			   .name = name,
			   .value = token,
			   .path = STR("/"),
			   .expires_unix = clock_now_unix() + x->snapshot->config->cookie_expire_s,
			   .http_only = true,
		   });
}

struct str csrf_cookie(struct exchange *x, struct str token)
{
	return format(x, &(struct set_cookie){
				 .name = STR(COOKIE_CSRF),
				 .value = token,
				 .path = STR("/"),
				 .same_site = STR("Strict"),
				 .expires_unix = clock_now_unix() + CSRF_COOKIE_LIFE_S,
				 .http_only = true,
			 });
}

struct str cleared_cookie(struct exchange *x, struct str name)
{
	struct buf text = BUF_INIT(COOKIE_MAX);
	struct str result;

	(void)set_cookie_format_clear(
		&(struct set_cookie){ .name = name, .path = STR("/"), .http_only = true },
		clock_now_unix(), &text);
	result = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return result;
}
