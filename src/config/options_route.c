/*
 * options_route.c - every setting of a route that tunnels TCP, of a user and of a pair of files; and the switches
 */

#include "config/options.h"

#include "config/option_rows.h"

/* The reference knows that this key was removed only under routes. */
static void options_refuse_header(struct loader *l, const struct value_path *path,
				  const struct yaml_pair *pair, void *record)
{
	const struct value_path *list = path->up ? path->up->up : NULL;

	if (list && str_equal(list->key, STR("routes")))
		loader_key_error(l, path, pair->at, "is no longer supported");
	else
		loader_key_warning(l, path, pair->at, "is no longer supported and is ignored");
}

static const struct setting route_settings[] = {
	READ("allow_any_authenticated_user", BOOL, struct route_options,
	     access.allow_any_authenticated_user, NULL, "everybody who is logged in"),
	READ("allow_public_unauthenticated_access", BOOL, struct route_options,
	     access.allow_public_unauthenticated_access, NULL, "everybody, without login"),
	KNOWN("allow_spdy", BOOL, NO_EFFECT, NULL, "SPDY upgrades"),
	KNOWN("allow_upgrades", LIST, NO_EFFECT, NULL, "further HTTP upgrade types"),
	KNOWN("allow_websockets", BOOL, NO_EFFECT, NULL, "websockets"),
	READ("allowed_domains", LIST, struct route_options, access.allowed_domains, NULL,
	     "users whose e-mail address is in one of these domains"),
	READ("allowed_groups", LIST, struct route_options, access.allowed_groups, NULL,
	     "members of one of these groups"),
	READ("allowed_idp_claims", NODE, struct route_options, access.allowed_idp_claims, NULL,
	     "users with one of these claims: claim: value, or a list of values"),
	READ("allowed_users", LIST, struct route_options, access.allowed_users, NULL,
	     "users by e-mail address or id"),
	READ("bearer_token_format", TEXT, struct route_options, idp.bearer_token_format, NULL,
	     "what the bearer token of a program is; unset: as globally"),
	NESTED("circuit_breaker_thresholds", RECORD,
	       offsetof(struct route_options, upstream.breakers), breakers_schema,
	       "limits of the upstream, before the global ones"),
	KNOWN("cors_allow_preflight", BOOL, NO_EFFECT, NULL, "let CORS preflight requests pass"),
	READ("depends_on", LIST, struct route_options, depends_on, NULL,
	     "hosts on which a browser is to be logged in as well, at most 5; checked, but without effect on TCP routes: "
	     "what a tunnel is opened with is good for all routes, and no cookie is needed",
	     NOT_FOR_TCP),
	READ("description", TEXT, struct route_options, description, NULL, "for people"),
	KNOWN("enable_google_cloud_serverless_authentication", BOOL, NO_EFFECT, NULL,
	      "credentials for HTTP upstreams"),
	READ("from", TEXT, struct route_options, from, NULL,
	     "what clients ask for: tcp+https://host:port"),
	NESTED("health_checks", RECORDS, offsetof(struct route_options, upstream.checks),
	       health_check_schema, "how it is found out which upstreams are well"),
	READ("healthy_panic_threshold", NUMBER, struct route_options, upstream.panic_percent, "50",
	     "percentage of healthy upstreams below which health is not looked at"),
	KNOWN("host_path_regex_rewrite_pattern", TEXT, NO_EFFECT, NULL, "Host header"),
	KNOWN("host_path_regex_rewrite_substitution", TEXT, NO_EFFECT, NULL, "Host header"),
	KNOWN("host_rewrite", TEXT, NO_EFFECT, NULL, "Host header"),
	KNOWN("host_rewrite_header", TEXT, NO_EFFECT, NULL, "Host header"),
	READ("identity_providers", LIST, struct route_options, idp.issuers, NULL,
	     "names of global identity_providers whose tokens are good here; with bearer_token_format jwt"),
	READ("idle_timeout", DURATION, struct route_options, lifetime.idle_timeout, "0",
	     "end a tunnel without traffic; 0: never"),
	READ("idp_access_token_allowed_audiences", LIST, struct route_options,
	     idp.access_token_audiences, NULL, "as the global one, which it replaces"),
	READ("idp_client_id", TEXT, struct route_options, idp.client_id, NULL,
	     "our name at the identity provider, for this route"),
	READ("idp_client_secret", TEXT, struct route_options, idp.client_secret, NULL,
	     "our password at the identity provider, for this route"),
	KNOWN("jwt_issuer_format", TEXT, NO_EFFECT, NULL, "iss of the identity assertion"),
	KNOWN("kubernetes_service_account_token", TEXT, LATER, NULL, "Kubernetes"),
	KNOWN("kubernetes_service_account_token_file", TEXT, LATER, NULL, "Kubernetes"),
	READ("load_balancing_policy", TEXT, struct route_options, upstream.balancing, "round_robin",
	     "how one of several upstreams is chosen: round_robin, least_request, random, ring_hash or maglev"),
	KNOWN("logo_url", TEXT, NO_EFFECT, NULL, "picture for listings"),
	READ("max_tunnels", NUMBER, struct route_options, lifetime.max_tunnels, NULL,
	     "tunnels of this route at once; unset: no limit"),
	KNOWN("mcp", ANY, LATER, NULL, "MCP"),
	READ("name", TEXT, struct route_options, name, NULL, "for people, listings and metrics"),
	KNOWN("outlier_detection", ANY, LATER, NULL, "take failing upstreams out"),
	KNOWN("pass_identity_headers", BOOL, NO_EFFECT, NULL,
	      "send the identity assertion upstream"),
	KNOWN("path", TEXT, NO_EFFECT, NULL, "path to match"),
	READ("policy", NODE, struct route_options, access.policy, NULL,
	     "who may, in the policy language"),
	KNOWN("prefix", TEXT, NO_EFFECT, NULL, "path prefix to match"),
	KNOWN("prefix_rewrite", TEXT, NO_EFFECT, NULL, "path"),
	KNOWN("preserve_host_header", BOOL, NO_EFFECT, NULL, "Host header"),
	KNOWN("redirect", ANY, HTTP_ONLY, NULL, "answer with a redirect"),
	KNOWN("regex", TEXT, NO_EFFECT, NULL, "path to match"),
	KNOWN("regex_priority_order", NUMBER, NO_EFFECT, NULL, "order of matching"),
	KNOWN("regex_rewrite_pattern", TEXT, NO_EFFECT, NULL, "path"),
	KNOWN("regex_rewrite_substitution", TEXT, NO_EFFECT, NULL, "path"),
	KNOWN("remove_request_headers", LIST, NO_EFFECT, NULL, "headers"),
	KNOWN("response", ANY, HTTP_ONLY, NULL, "answer with a fixed response"),
	KNOWN("rewrite_response_headers", ANY, NO_EFFECT, NULL, "headers"),
	KNOWN("session_recording", ANY, LATER, NULL, "record sessions"),
	GONE("set_authorization_header", TEXT, options_refuse_header, "headers"),
	KNOWN("set_request_headers", ANY, NO_EFFECT, NULL, "headers"),
	KNOWN("set_response_headers", ANY, NO_EFFECT, NULL, "headers"),
	KNOWN("show_error_details", BOOL, NO_EFFECT, NULL, "explain refusals on pages"),
	KNOWN("sub_policies", ANY, REFUSED, NULL, "further policies"),
	READ("timeout", DURATION, struct route_options, lifetime.timeout, "0",
	     "longest tunnel; 0: no limit. timeout_write applies too"),
	READ("tls_client_cert", TEXT, struct route_options, upstream.tls.client_certificate.text,
	     NULL, "certificate shown to an https:// proxy, base64 of PEM", PARTLY),
	READ("tls_client_cert_file", TEXT, struct route_options,
	     upstream.tls.client_certificate.file, NULL,
	     "certificate shown to an https:// proxy, PEM file", PARTLY),
	READ("tls_client_key", TEXT, struct route_options, upstream.tls.client_key.text, NULL,
	     "its key, base64 of PEM", PARTLY),
	READ("tls_client_key_file", TEXT, struct route_options, upstream.tls.client_key.file, NULL,
	     "its key, PEM file", PARTLY),
	READ("tls_custom_ca", TEXT, struct route_options, upstream.tls.custom_ca.text, NULL,
	     "the only authority an https:// proxy is trusted by, base64 of PEM", PARTLY),
	READ("tls_custom_ca_file", TEXT, struct route_options, upstream.tls.custom_ca.file, NULL,
	     "the only authority an https:// proxy is trusted by, PEM file", PARTLY),
	READ("tls_downstream_client_ca", TEXT, struct route_options, client_ca.text, NULL,
	     "authority of client certificates for this route, base64 of PEM"),
	READ("tls_downstream_client_ca_file", TEXT, struct route_options, client_ca.file, NULL,
	     "authority of client certificates for this route, PEM file"),
	KNOWN("tls_downstream_server_name", TEXT, LATER, NULL, "further name of the route's host"),
	READ("tls_server_name", TEXT, struct route_options, upstream.tls.server_name, NULL,
	     "old name of tls_upstream_server_name", PARTLY),
	READ("tls_skip_verify", BOOL, struct route_options, upstream.tls.skip_verify, "false",
	     "do not verify an https:// proxy", PARTLY),
	KNOWN("tls_upstream_allow_renegotiation", BOOL, NO_EFFECT, NULL, "upstream TLS"),
	READ("tls_upstream_server_name", TEXT, struct route_options,
	     upstream.tls.upstream_server_name, NULL,
	     "name that is asked of an https:// proxy and verified; unset: its host", PARTLY),
	READ("to", TARGETS, struct route_options, to, NULL,
	     "where it is: tcp://host:port, or a list"),
	READ("tunnel_reauthorization", TEXT, struct route_options, lifetime.reauthorization, NULL,
	     "as the global one, which it replaces"),
	READ("upstream_proxy_protocol", TEXT, struct route_options, upstream.proxy_header, NULL,
	     "tell the upstream who connects with a PROXY header: v1 or v2"),
	KNOWN("upstream_tunnel", ANY, LATER, NULL, "reverse tunnels"),
};

const struct schema route_schema = {
	.settings = route_settings,
	.count = ARRAY_LEN(route_settings),
	.record_size = sizeof(struct route_options),
};

static const struct setting user_settings[] = {
	READ("email", TEXT, struct user_options, email, NULL, "e-mail address; needed, and unique"),
	READ("name", TEXT, struct user_options, name, NULL, "for people"),
	READ("id", TEXT, struct user_options, id, NULL,
	     "does not change; derived from the e-mail address if missing"),
	READ("password_hash", TEXT, struct user_options, password_hash, NULL,
	     "in the form of crypt(3)"),
	READ("groups", LIST, struct user_options, groups, NULL, "names of groups"),
	READ("disabled", BOOL, struct user_options, disabled, "false", "may not log in"),
};

const struct schema user_schema = {
	.settings = user_settings,
	.count = ARRAY_LEN(user_settings),
	.record_size = sizeof(struct user_options),
	.record_at = offsetof(struct user_options, at),
	.has_position = true,
};

static const struct setting certificate_settings[] = {
	READ("cert", TEXT, struct certificate_options, cert, NULL,
	     "PEM file with the certificate chain"),
	READ("key", TEXT, struct certificate_options, key, NULL, "PEM file with the private key"),
};

const struct schema certificate_schema = {
	.settings = certificate_settings,
	.count = ARRAY_LEN(certificate_settings),
	.record_size = sizeof(struct certificate_options),
	.record_at = offsetof(struct certificate_options, at),
	.has_position = true,
};

static const struct setting issuer_settings[] = {
	READ("issuer", TEXT, struct issuer_options, issuer, NULL,
	     "iss of its tokens: https://, or http:// on this machine; needed, and unique"),
	READ("jwks_url", TEXT, struct issuer_options, jwks_url, NULL,
	     "where its keys are; unset: as its discovery document says"),
	READ("supported_algs", LIST, struct issuer_options, supported_algs, "RS256,ES256,EdDSA",
	     "signatures that are accepted"),
	READ("audiences", LIST, struct issuer_options, audiences, NULL,
	     "a token must be for one of these; needed"),
};

const struct schema issuer_schema = {
	.settings = issuer_settings,
	.count = ARRAY_LEN(issuer_settings),
	.record_size = sizeof(struct issuer_options),
};

static const struct setting runtime_flags[] = {
	KNOWN("add_extra_metrics_labels", BOOL, LATER, "true", "metrics"),
	KNOWN("allow_any_sign_out_redirect_uri", BOOL, LATER, "false", "sign-out"),
	KNOWN("authorize_use_synced_data", BOOL, LATER, "true", "session store"),
	READ("config_hot_reload", BOOL, struct flag_options, config_hot_reload, "true",
	     "watch the configuration and the files it refers to"),
	KNOWN("debug_admin_endpoints", BOOL, LATER, "false", "profiling"),
	KNOWN("envoy_resource_manager", BOOL, LATER, "true", "overload protection"),
	KNOWN("grpc_databroker_keepalive", BOOL, LATER, "true", "session store"),
	READ("match_any_incoming_port", BOOL, struct flag_options, match_any_incoming_port, "true",
	     "a from without port stands for all ports; false: for none, and is never matched"),
	KNOWN("mcp", BOOL, LATER, "true", "MCP"),
	KNOWN("mcp_dynamic_client_registration", BOOL, LATER, "false", "MCP"),
	READ("pomerium_jwt_endpoint", BOOL, struct flag_options, pomerium_jwt_endpoint, "false",
	     "serve the identity assertion at /.pomerium/jwt"),
	READ("refresh_session_at_id_token_expiration", BOOL, struct flag_options,
	     refresh_session_at_id_token_expiration, "true",
	     "renew a session before its id_token ends, too"),
	READ("routes_portal", BOOL, struct flag_options, routes_portal, "true",
	     "tell who is logged in which routes are open to him: /.pomerium/api/v1/routes"),
	KNOWN("set_envoy_concurrency_to_go_max_procs", BOOL, LATER, "true", "threads"),
	KNOWN("ssh_allow_direct_tcpip", BOOL, LATER, "false", "SSH"),
	KNOWN("ssh_routes_portal", BOOL, LATER, "false", "SSH"),
	KNOWN("ssh_upstream_tunnel", BOOL, LATER, "false", "SSH"),
};

/* Of those that are not read, the rows tell what asking for something else than the default means. */
const struct schema runtime_flags_schema = {
	.settings = runtime_flags,
	.count = ARRAY_LEN(runtime_flags),
	.record_size = sizeof(struct flag_options),
};
