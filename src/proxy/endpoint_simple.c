/*
 * Our own URLs that need no more than a few lines: health, the well-known document, the front page of the login host.
 */

#include "base/json.h"
#include "proxy/control.h"
#include "proxy/end_reasons.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"

enum step endpoint_health(struct exchange *x)
{
	return respond_text(x, 200, STR("OK\n"));
}

static void json_url(struct json_writer *json, struct str key, struct exchange *x,
		     struct str authority, const char *path)
{
	json_key(json, key);
	json_text(json, arena_printf(&x->arena, "https://%.*s%s", STR_FMT(authority), path));
}

/* protocol.md 4.3 */
enum step endpoint_well_known(struct exchange *x)
{
	struct buf text = BUF_INIT(8 * HOST_NAME_MAX_LEN + 1024);
	struct json_writer json = { .out = &text };
	struct str here = x->facts.authority;
	struct reply reply = { .status = 200 };
	struct str origin;

	json_object_begin(&json);
	json_url(&json, STR("issuer"), x, here, "/");
	json_url(&json, STR("authentication_callback_endpoint"), x, authenticate_authority(x),
		 "/oauth2/callback");
	json_url(&json, STR("jwks_uri"), x, here, "/.well-known/pomerium/jwks.json");
	json_url(&json, STR("frontchannel_logout_uri"), x, here, "/.pomerium/sign_out");
	json_url(&json, STR("device_authorization_endpoint"), x, here,
		 "/.pomerium/api/v1/device_authorization");
	json_url(&json, STR("token_endpoint"), x, here, "/.pomerium/api/v1/token");
	json_object_end(&json);
	(void)buf_append_char(&text, '\n');
	reply.body = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);

	reply_header(&reply, STR("content-type"), STR("application/json"));
	reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
	if (http_headers_get(&x->request->headers, STR("origin"), &origin))
		reply_header(&reply, STR("access-control-allow-origin"), STR("*"));
	return reply_send(x, &reply);
}

enum step endpoint_authenticate_root(struct exchange *x)
{
	return respond_redirect(x, 302, STR("/.pomerium/"));
}

/* "/.pomerium/api/v1/tunnels/<id>/end" */
enum step endpoint_tunnel_end(struct exchange *x)
{
	const struct str pattern = STR(TUNNEL_END_PATH);
	struct str id = str_from_pos(x->request->path, str_find(pattern, '*'));
	struct reply reply = { .status = 200 };
	const char *reason;

	id = str_first(id, str_find(id, '/'));
	reason = end_reasons_find(x->worker->shared.control->end_reasons, id);
	if (!reason)
		return respond_text(x, 404, STR("Not Found\n"));
	reply_header(&reply, STR("content-type"), STR("application/json"));
	reply_header(&reply, STR("cache-control"), STR("no-store"));
	reply.body = arena_printf(&x->arena, "{\"reason\":\"%s\"}\n", reason);
	return reply_send(x, &reply);
}

enum step endpoint_robots(struct exchange *x)
{
	return respond_text(x, 200, STR("User-agent: *\nDisallow: /"));
}
