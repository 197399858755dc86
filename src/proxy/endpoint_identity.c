/*
 * What upstreams would be told about who asks (protocol.md 4.2, 5): the claims for a person who looks, and the signed
 * assertion for a program that tries it out. The same for logins, service accounts and workloads.
 */

#include <assert.h>

#include "base/clock.h"
#include "base/url.h"
#include "jose/jws.h"
#include "proxy/endpoints.h"
#include "proxy/respond.h"
#include "session/assertion.h"

#define USER_JSON_MAX CLAIMS_JSON_MAX

/* The configuration allows no more claims than an assertion takes. */
static_assert(CONFIG_CLAIMS_MAX <= ASSERTION_EXTRA_MAX, "every claim of jwt_claims_headers fits");

/* Borrows from the exchange; id is the caller's. */
static struct assertion_facts gather_facts(struct exchange *x, const char *id)
{
	const struct config_assertion *settings = &x->snapshot->config->assertion;
	size_t count = settings->headers.count;
	struct str *extra = arena_alloc_array(&x->arena, count, sizeof(*extra));
	struct str host = x->facts.authority;
	struct authority here;

	if (authority_parse(x->facts.authority, false, &here, NULL) == 0)
		host = here.host;
	for (size_t i = 0; i < count; i++)
		extra[i] = settings->headers.items[i].value;
	return (struct assertion_facts){
		.host = host,
		.issuer_is_uri = settings->issuer_is_uri,
		.now_unix = clock_now_unix(),
		.id = str_from(id),
		.session_id = str_from(x->session->id),
		.who = x->session->who,
		.extra = extra,
		.extra_count = count,
	};
}

/* Nobody keeps it but who asked. */
static enum step answer(struct exchange *x, struct buf *text, struct str content_type)
{
	struct reply reply = { .status = 200 };

	reply.body = arena_copy(&x->arena, buf_view(text));
	buf_done_secret(text);
	reply_header(&reply, STR("content-type"), content_type);
	reply_header(&reply, STR("cache-control"), STR("no-store"));
	reply_header(&reply, STR("x-content-type-options"), STR("nosniff"));
	if (x->session->expires_unix) /* for a person who wants to know: pomerium-cli whoami */
		reply_header(&reply, STR("x-pomerium-session-expires"),
			     arena_printf(&x->arena, "%lld", (long long)x->session->expires_unix));
	return reply_send(x, &reply);
}

static enum step answer_none(struct exchange *x, struct buf *text)
{
	buf_done_secret(text);
	return respond_text(x, 404, STR("Not Found\n"));
}

enum step endpoint_user(struct exchange *x)
{
	struct buf text = BUF_INIT(USER_JSON_MAX);
	const struct assertion_facts facts = gather_facts(x, "");

	if (assertion_user_json(&facts, &text, NULL) < 0)
		return answer_none(x, &text);
	return answer(x, &text, STR("application/json"));
}

enum step endpoint_jwt(struct exchange *x)
{
	struct buf text = BUF_INIT(JWS_MAX);
	char id[UUID_TEXT_LEN + 1];
	struct assertion_facts facts;

	random_uuid(id);
	facts = gather_facts(x, id);
	if (assertion_write(x->snapshot->signing_keys, &facts, &text, NULL) < 0)
		return answer_none(x, &text);
	return answer(x, &text, STR("application/jwt"));
}
