/*
 * Documents that are the same for everybody: the style sheet of our pages, the keys of identity assertions. They carry an
 * ETag made of what is in them, so that whoever has them already need not be sent them again.
 */

#include "base/codec.h"
#include "jose/mac.h"
#include "jose/signing_key.h"
#include "proxy/endpoints.h"
#include "proxy/pages/page.h"
#include "proxy/respond.h"

#define JWKS_WRITTEN_MAX (64u * 1024)
#define TAG_BYTES        16

/* RFC 9110 section 13.1.2: a list of tags, weak ones too, or '*'. */
static bool has_it_already(const struct http_request *request, struct str tag)
{
	struct str rest;
	struct str item;

	if (!http_headers_get(&request->headers, STR("if-none-match"), &rest))
		return false;
	while (str_cut(&rest, ',', &item)) {
		item = str_trim(item);
		if (str_starts_with(item, STR("W/")))
			item = str_from_pos(item, 2);
		if (str_equal(item, tag) || str_equal(item, STR("*")))
			return true;
	}
	return false;
}

static struct str make_tag(struct exchange *x, struct str body)
{
	struct buf hex = BUF_INIT(2 * TAG_BYTES);
	uint8_t digest[SHA256_SIZE];
	struct str tag;

	digest_sha256(body, digest);
	(void)hex_encode(&hex, digest, TAG_BYTES); /* fits */
	tag = arena_printf(&x->arena, "\"%.*s\"", STR_FMT(buf_view(&hex)));
	buf_done(&hex);
	return tag;
}

/* The reply has its body, and what else it is to have. */
static enum step send_unless_known(struct exchange *x, struct reply *reply, struct str content_type)
{
	struct str tag = make_tag(x, reply->body);

	reply_header(reply, STR("etag"), tag);
	if (has_it_already(x->request, tag)) {
		reply->status = 304; /* the body is left out, its length is not */
		return reply_send(x, reply);
	}
	reply_header(reply, STR("content-type"), content_type);
	reply_header(reply, STR("x-content-type-options"), STR("nosniff"));
	return reply_send(x, reply);
}

enum step endpoint_style(struct exchange *x)
{
	struct reply reply = { .status = 200, .body = page_style() };

	reply_header(&reply, STR("cache-control"), STR("public, max-age=600"));
	return send_unless_known(x, &reply, STR("text/css; charset=utf-8"));
}

/* protocol.md 4.3 */
enum step endpoint_jwks(struct exchange *x)
{
	struct buf text = BUF_INIT(JWKS_WRITTEN_MAX);
	struct reply reply = { .status = 200 };
	struct str origin;

	signing_keys_write_jwks(x->snapshot->signing_keys, &text);
	reply.body = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	reply_header(&reply, STR("cache-control"), STR("max-age=60"));
	if (http_headers_get(&x->request->headers, STR("origin"), &origin))
		reply_header(&reply, STR("access-control-allow-origin"), STR("*"));
	return send_unless_known(x, &reply, STR("application/json"));
}
