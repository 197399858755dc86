#include "proxy/snapshot.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/metrics_tls.h"

static int make_signing_keys(struct snapshot *s, struct err *e)
{
	struct str pem = s->config->assertion.signing_key_pem;

	if (str_is_empty(pem))
		return signing_keys_derive(s->shared_key, &s->signing_keys, e);
	return signing_keys_parse(pem, &s->signing_keys, e) < 0 ? err_wrap(e, "signing_key") : 0;
}

static int make_users(struct snapshot *s, struct err *e)
{
	const struct config *config = s->config;
	struct local_user *users = mem_alloc_array(config->users.count, sizeof(*users));
	size_t bad = 0;
	int result;

	for (size_t i = 0; i < config->users.count; i++) {
		const struct config_user *user = &config->users.items[i];

		users[i] = (struct local_user){
			.email = user->email,
			.name = user->name,
			.id = user->id,
			.password_hash = user->password_hash,
			.groups = user->groups.items,
			.group_count = user->groups.count,
			.is_disabled = user->disabled,
		};
	}
	result = local_users_new(users, config->users.count, &s->users, &bad, e);
	mem_free(users);
	return result < 0 ? err_wrap(e, "local user %zu", bad + 1) : 0;
}

static enum tls_client_certificates client_certificates_mode(const struct snapshot *s)
{
	if (s->client_cas.count == 0)
		return TLS_CLIENT_CERTIFICATES_NONE;
	return s->config->tls.client_certificates.enforcement == CONFIG_ENFORCEMENT_REJECT
		       ? TLS_CLIENT_CERTIFICATES_REQUIRE
		       : TLS_CLIENT_CERTIFICATES_REQUEST;
}

static int make_tls(struct snapshot *s, struct err *e)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	const struct config *config = s->config;
	struct tls_key_pair *pairs = mem_alloc_array(config->tls.key_pair_count, sizeof(*pairs));
	int result;

	for (size_t i = 0; i < config->tls.key_pair_count; i++)
		pairs[i] = (struct tls_key_pair){
			.certificate_pem = config->tls.key_pairs[i].certificate_pem,
			.key_pem = config->tls.key_pairs[i].key_pem,
			.origin = config->tls.key_pairs[i].origin,
		};
	result = tls_config_new_server(
		&(struct tls_server_options){
			.client_certificates = client_certificates_mode(s),
			.client_cas = s->client_cas.items,
			.client_ca_count = s->client_cas.count,
			.pairs = pairs,
			.pair_count = config->tls.key_pair_count,
			.alpn = config->listen.offers_http2 ? alpn : alpn + 1,
			.ticket_secret = s->shared_key,
			.plain_http_reply = STR(
				"HTTP/1.1 400 Bad Request\r\n"
				"content-type: text/plain; charset=utf-8\r\n"
				"content-length: 62\r\n"
				"connection: close\r\n"
				"x-pomerium-reason: bad-request\r\n\r\n"
				"This port speaks HTTPS: begin the address with https instead.\n"),
		},
		&s->tls, e);
	mem_free(pairs);
	return result;
}

/* Browsers leave it out of Host. */
static struct str without_default_port(struct str authority)
{
	return str_ends_with(authority, STR(":443")) ? str_first(authority, authority.len - 4)
						     : authority;
}

static void find_authenticate_authority(struct snapshot *s)
{
	struct url url;

	if (!str_is_empty(s->config->authenticate_service_url) &&
	    url_parse(s->config->authenticate_service_url, &url, NULL) == 0)
		s->authenticate_authority = without_default_port(url.authority.text);
}

static void snapshot_free(struct snapshot *s)
{
	route_table_done(&s->routes);
	idp_table_done(&s->idps);
	client_cas_done(&s->client_cas);
	signing_keys_unref(TAKE(s->signing_keys));
	local_users_unref(TAKE(s->users));
	tls_config_unref(TAKE(s->tls));
	config_free(TAKE(s->config));
	mem_free(s);
}

/* The listener makes its own later; here it is told with everything else. */
static int check_metrics(struct snapshot *s, struct err *e)
{
	struct tls_config *tls = NULL;
	int result = metrics_tls_new(&s->config->operator.metrics, &tls, e);

	tls_config_unref(tls);
	return result;
}

/* Many would stumble over it; it is told once, and those do without. */
static void check_authority(struct config *config, struct report *report)
{
	struct tls_client_options options = { .extra_roots_pem = config->tls.authority_pem };
	struct tls_config *tls = NULL;
	struct err e = { 0 };

	if (str_is_empty(config->tls.authority_pem))
		return;
	if (tls_config_new_client(&options, &tls, &e) < 0) {
		report_add(report, REPORT_ERROR, config->tls.authority_at,
			   "certificate_authority: %s", e.text);
		config->tls.authority_pem = (struct str){ 0 };
	}
	tls_config_unref(tls);
}

/* Certificates name their place themselves. */
static void make_parts(struct snapshot *s, struct report *report)
{
	const struct {
		int (*make)(struct snapshot *s, struct err *e);
		struct position at;
	} parts[] = {
		{ make_users, { 0 } },
		{ make_signing_keys, s->config->assertion.signing_key_at },
		{ make_tls, { 0 } },
		{ check_metrics, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct err e = { 0 };

		if (parts[i].make(s, &e) < 0)
			report_add(report, REPORT_ERROR, parts[i].at, "%s", e.text);
	}
}

struct snapshot *snapshot_new(struct config *config, const struct snapshot *previous,
			      struct report *report)
{
	struct snapshot *s = mem_alloc(sizeof(*s));

	s->ref = REF_INIT;
	s->config = config;
	s->shared_key = str_of(config->keys.shared_secret, sizeof(config->keys.shared_secret));
	s->cookie_key = str_of(config->keys.cookie_secret, sizeof(config->keys.cookie_secret));
	idp_table_init(&s->idps, config);
	find_authenticate_authority(s);
	check_authority(config, report);
	route_table_init(&s->routes, config, &s->idps, previous ? &previous->routes : NULL, report);
	client_cas_init(&s->client_cas, config, report);
	for (size_t i = 0; i < s->routes.count; i++)
		s->routes.routes[i].client_ca = client_cas_of_route(&s->client_cas,
								    s->routes.routes[i].config);
	make_parts(s, report);
	if (report->error_count) {
		snapshot_free(s);
		return NULL;
	}
	if (previous)
		tls_config_succeed(s->tls, previous->tls);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	ref_get(&s->ref);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (s && ref_put(&s->ref))
		snapshot_free(s);
}
