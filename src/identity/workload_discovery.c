#include "identity/workload_discovery.h"

#include "base/mem.h"
#include "base/url.h"
#include "identity/json_input.h"
#include "identity/oidc_client.h"

#define DISCOVERY_PATH "/.well-known/openid-configuration"

struct str workload_discovery_url(struct str issuer, struct buf *out)
{
	size_t before = out->len;

	if (str_ends_with(issuer, STR("/")))
		issuer = str_first(issuer, issuer.len - 1);
	(void)buf_append_str(out, issuer); /* both: one that is full stays so, and is empty below */
	if (buf_append_str(out, STR(DISCOVERY_PATH)) < 0) {
		buf_truncate(out, before);
		return STR("");
	}
	return str_from_pos(buf_view(out), before);
}

static int check_jwks_url(struct str issuer, struct str text, struct err *e)
{
	bool allow_http = str_starts_with_nocase(issuer, STR("http:"));
	struct url url;

	if (str_is_empty(text))
		return err_set(e, ERR_PROTOCOL, "it names no \"jwks_uri\"");
	if (url_parse(text, &url, e) < 0)
		return err_wrap(e, "\"jwks_uri\"");
	if (!str_equal_nocase(url.scheme, STR("https")) &&
	    !(allow_http && str_equal_nocase(url.scheme, STR("http"))))
		return err_set(e, ERR_PROTOCOL, "\"jwks_uri\" is not https");
	return 0;
}

int workload_discovery_parse(struct str issuer, struct str text, struct workload_discovery **ret,
			     struct err *e)
{
	_cleanup_(json_decrefp)
		json_t *document = json_input_object(text, OIDC_METADATA_TEXT_MAX, e);
	struct workload_discovery *d;
	struct str jwks_url;

	if (!document)
		return -1;
	if (!str_equal(json_input_text(document, "issuer"), issuer))
		return err_set(e, ERR_PROTOCOL, "it is of another issuer than \"%.*s\"",
			       STR_FMT(str_first(issuer, 128)));
	jwks_url = json_input_text(document, "jwks_uri");
	if (check_jwks_url(issuer, jwks_url, e) < 0)
		return -1;
	d = mem_alloc(sizeof(*d));
	d->ref = REF_INIT;
	d->jwks_url = str_from(str_copy(jwks_url));
	*ret = d;
	return 0;
}

struct workload_discovery *workload_discovery_ref(struct workload_discovery *d)
{
	ref_get(&d->ref);
	return d;
}

void workload_discovery_unref(struct workload_discovery *d)
{
	if (!d || !ref_put(&d->ref))
		return;
	mem_free((char *)(uintptr_t)d->jwks_url.at);
	mem_free(d);
}
