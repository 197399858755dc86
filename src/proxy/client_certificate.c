#include "proxy/client_certificate.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proxy/exchange.h"

/*
 * All CAs share the revocation lists, the depth and the names of downstream_mtls; a route's own one differs in whom it
 * trusts only.
 */

#define SETTING "downstream_mtls"

_Static_assert((int)CONFIG_SAN_DNS == (int)PEER_NAME_DNS &&
		       (int)CONFIG_SAN_EMAIL == (int)PEER_NAME_EMAIL &&
		       (int)CONFIG_SAN_IP == (int)PEER_NAME_IP &&
		       (int)CONFIG_SAN_URI == (int)PEER_NAME_URI &&
		       (int)CONFIG_SAN_UPN == (int)PEER_NAME_UPN,
	       "one order of kinds");

/* ---- of a configuration ---- */

static struct client_ca *make_ca(const struct config_client_certificates *c, struct str ca_pem,
				 const char *origin, struct err *e)
{
	struct client_ca_pattern *patterns = mem_alloc_array(c->san_count, sizeof(*patterns));
	struct client_ca *ca = NULL;

	for (size_t i = 0; i < c->san_count; i++)
		patterns[i] = (struct client_ca_pattern){
			.kind = (enum peer_name_kind)c->sans[i].type,
			.pattern = c->sans[i].pattern,
			.origin = SETTING ".match_subject_alt_names",
		};
	(void)client_ca_new(&(struct client_ca_options){ .ca_pem = ca_pem,
							 .ca_origin = origin,
							 .crl_pem = c->crl_pem,
							 .crl_origin = SETTING ".crl",
							 .max_depth = c->max_verify_depth,
							 .patterns = patterns,
							 .pattern_count = c->san_count },
			    &ca, e); /* NULL says it */
	mem_free(patterns);
	return ca;
}

struct problems {
	struct report *report;
	const struct config_client_certificates *shared;
	struct err last; /* what all CAs share is told once */
};

/* What all CAs share has a place of its own. */
static struct position place_of(const struct problems *problems, struct str text,
				struct position route_ca_at)
{
	if (str_starts_with(text, STR(SETTING ".ca")))
		return problems->shared->ca_at;
	if (str_starts_with(text, STR(SETTING ".crl")))
		return problems->shared->crl_at;
	return route_ca_at;
}

static void tell(struct problems *problems, struct position at, const struct err *e)
{
	if (str_equal(str_from(problems->last.text), str_from(e->text)))
		return;
	problems->last = *e;
	report_add(problems->report, REPORT_ERROR, place_of(problems, str_from(e->text), at), "%s",
		   e->text);
}

static struct client_ca *add_ca(struct client_cas *cas, const struct config *config,
				struct str ca_pem, const char *origin, struct err *e)
{
	struct client_ca *ca = make_ca(&config->tls.client_certificates, ca_pem, origin, e);

	if (!ca)
		return NULL;
	cas->items = mem_resize(cas->items, cas->count + 1, sizeof(struct client_ca *));
	cas->items[cas->count++] = ca;
	(void)map_put(&cas->by_pem, ca_pem, ca); /* new */
	return ca;
}

static void add_route(struct client_cas *cas, const struct config *config,
		      const struct config_route *route, struct problems *problems)
{
	struct buf origin = BUF_INIT(ERR_TEXT_MAX);
	struct err e = { 0 };
	char *text;

	if (str_is_empty(route->client_ca_pem) || map_get(&cas->by_pem, route->client_ca_pem))
		return;
	(void)buf_printf(&origin, "%.*s.tls_downstream_client_ca", STR_FMT(route->path));
	text = buf_take_string(&origin);
	if (!add_ca(cas, config, route->client_ca_pem, text, &e))
		tell(problems, route->client_ca_at, &e);
	mem_free(text);
}

/* Whoever wrote one of these wants certificates; a ca that has been left empty asks for none. */
static bool wants_certificates(const struct config_client_certificates *c)
{
	return c->enforcement == CONFIG_ENFORCEMENT_REJECT || c->san_count > 0 ||
	       !str_is_empty(c->crl_pem);
}

void client_cas_init(struct client_cas *cas, const struct config *config, struct report *report)
{
	struct str global = config->tls.client_certificates.ca_pem;
	struct problems problems = {
		.report = report,
		.shared = &config->tls.client_certificates,
	};
	struct err e = { 0 };

	*cas = (struct client_cas){ 0 };
	map_init(&cas->by_pem);
	if (!str_is_empty(global)) {
		cas->global = add_ca(cas, config, global, SETTING ".ca", &e);
		if (!cas->global)
			tell(&problems, (struct position){ 0 }, &e);
	}
	for (size_t i = 0; i < config->route_count; i++)
		add_route(cas, config, &config->routes[i], &problems);
	if (cas->count > 0 && config->listen.is_plain)
		report_add(report, REPORT_WARNING, (struct position){ 0 },
			   SETTING ": with insecure_server no client can show a certificate");
	if (cas->count == 0 && !report->error_count &&
	    wants_certificates(&config->tls.client_certificates))
		report_add(report, REPORT_WARNING, (struct position){ 0 },
			   SETTING ": without a ca, here or at a route, no client is asked for a "
				   "certificate");
}

void client_cas_done(struct client_cas *cas)
{
	for (size_t i = 0; i < cas->count; i++)
		client_ca_unref(cas->items[i]);
	mem_free(cas->items);
	map_done(&cas->by_pem);
	*cas = (struct client_cas){ 0 };
}

struct client_ca *client_cas_of_route(const struct client_cas *cas,
				      const struct config_route *route)
{
	if (str_is_empty(route->client_ca_pem))
		return cas->global;
	return map_get(&cas->by_pem, route->client_ca_pem);
}

enum policy_certificate_rule client_certificate_rule(const struct config *config)
{
	const struct config_client_certificates *c = &config->tls.client_certificates;
	bool has_ca = !str_is_empty(c->ca_pem);

	for (size_t i = 0; !has_ca && i < config->route_count; i++)
		has_ca = !str_is_empty(config->routes[i].client_ca_pem);
	return has_ca && c->enforcement != CONFIG_ENFORCEMENT_POLICY ? POLICY_CERTIFICATE_REQUIRED
								     : POLICY_CERTIFICATE_FREE;
}

/* ---- of a request ---- */

static struct config_list list_of(const struct peer_names *names)
{
	return (struct config_list){ .items = names->items, .count = names->count };
}

static struct client_ca *ca_of(const struct exchange *x)
{
	return x->route ? x->route->client_ca : NULL;
}

void client_certificate_judge(struct client_ca *ca, const struct peer_certificate *certificate,
			      int64_t now_unix, struct policy_certificate *ret,
			      int64_t *ret_until_unix)
{
	const struct peer_certificate_facts *facts;

	*ret_until_unix = INT64_MAX;
	*ret = (struct policy_certificate){ .is_checked = ca != NULL };
	if (!certificate)
		return;
	facts = peer_certificate_facts(certificate);
	ret->is_presented = true;
	ret->fingerprint = facts->fingerprint;
	ret->spki_hash = facts->spki_hash;
	ret->emails = list_of(&facts->names[PEER_NAME_EMAIL]);
	ret->dns_names = list_of(&facts->names[PEER_NAME_DNS]);
	ret->uris = list_of(&facts->names[PEER_NAME_URI]);
	if (ca)
		ret->is_valid = client_ca_verify(ca, certificate, now_unix, ret_until_unix) ==
				CLIENT_CERTIFICATE_VALID;
}

void client_certificate_facts(const struct exchange *x, struct policy_certificate *ret,
			      int64_t *ret_until_unix)
{
	client_certificate_judge(ca_of(x), x->certificate, clock_now_unix(), ret, ret_until_unix);
}

int64_t client_certificate_until(const struct exchange *x)
{
	struct policy_certificate facts;
	int64_t until_unix;

	client_certificate_facts(x, &facts, &until_unix);
	return until_unix;
}

const char *client_certificate_problem(const struct exchange *x)
{
	struct client_ca *ca = ca_of(x);
	enum client_certificate_verdict verdict;
	int64_t until_unix;

	if (!ca || !x->certificate)
		return NULL;
	verdict = client_ca_verify(ca, x->certificate, clock_now_unix(), &until_unix);
	return verdict == CLIENT_CERTIFICATE_VALID ? NULL
						   : client_certificate_verdict_name(verdict);
}
