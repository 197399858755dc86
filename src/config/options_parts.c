/*
 * options_parts.c - the settings of the mappings below a global setting or a route
 */

#include "config/option_rows.h"
#include "config/options.h"

static const struct setting breaker_settings[] = {
	KNOWN("max_connection_pools", NUMBER, NO_EFFECT, NULL, "pools of HTTP connections"),
	READ("max_connections", NUMBER, struct breaker_options, max_connections, NULL,
	     "tunnels to the upstream at once; unset: no limit"),
	READ("max_pending_requests", NUMBER, struct breaker_options, max_pending_requests, NULL,
	     "connections to the upstream that are being made; unset: no limit"),
	KNOWN("max_requests", NUMBER, NO_EFFECT, NULL, "HTTP requests at once"),
	KNOWN("max_retries", NUMBER, NO_EFFECT, NULL, "HTTP retries at once"),
};

const struct schema breakers_schema = {
	.settings = breaker_settings,
	.count = ARRAY_LEN(breaker_settings),
	.record_size = sizeof(struct breaker_options),
};

static const struct setting client_certificate_settings[] = {
	READ("ca", TEXT, struct client_certificate_options, ca.text, NULL,
	     "who signs client certificates, base64 of PEM; unset: none are asked for"),
	READ("ca_file", TEXT, struct client_certificate_options, ca.file, NULL,
	     "who signs client certificates, PEM file"),
	READ("crl", TEXT, struct client_certificate_options, crl.text, NULL,
	     "revoked certificates, base64 of PEM"),
	READ("crl_file", TEXT, struct client_certificate_options, crl.file, NULL,
	     "revoked certificates, PEM file"),
	READ("enforcement", TEXT, struct client_certificate_options, enforcement,
	     "policy_with_default_deny",
	     "what happens without a valid one: policy_with_default_deny, policy or reject_connection"),
	READ("match_subject_alt_names", NODE, struct client_certificate_options, alternative_names,
	     NULL,
	     "list of patterns, one of which a name of the certificate must match: dns, email, ip_address, uri or user_principal_name",
	     NOT_A_VARIABLE),
	READ("max_verify_depth", NUMBER, struct client_certificate_options, max_verify_depth, "1",
	     "authorities above the certificate, the root included; 0: any number"),
};

const struct schema client_certificates_schema = {
	.settings = client_certificate_settings,
	.count = ARRAY_LEN(client_certificate_settings),
	.record_size = sizeof(struct client_certificate_options),
};

static const struct setting health_check_settings[] = {
	KNOWN("alt_port", NUMBER, LATER, NULL, "another port to check"),
	KNOWN("always_log_health_check_failures", BOOL, LATER, NULL, "log"),
	KNOWN("custom_health_check", ANY, LATER, NULL, "another kind of check"),
	KNOWN("event_log_path", TEXT, LATER, NULL, "log"),
	READ("grpc_health_check", NODE, struct health_check_options, grpc, NULL,
	     "is left out with a warning", NOT_FOR_TCP),
	READ("healthy_threshold", NUMBER, struct health_check_options, healthy_threshold, "1",
	     "checks that must succeed until it is well again"),
	READ("http_health_check", NODE, struct health_check_options, http, NULL,
	     "is left out with a warning", NOT_FOR_TCP),
	KNOWN("initial_jitter", DURATION, LATER, NULL, "delay of the first check"),
	READ("interval", DURATION, struct health_check_options, interval, "10s",
	     "from one check to the next"),
	KNOWN("interval_jitter", DURATION, LATER, NULL, "further delay"),
	KNOWN("interval_jitter_percent", NUMBER, LATER, NULL, "further delay"),
	KNOWN("no_traffic_interval", DURATION, LATER, NULL, "interval while nobody connects"),
	KNOWN("reuse_connection", BOOL, NO_EFFECT, NULL, "HTTP"),
	NESTED("tcp_health_check", NODE, offsetof(struct health_check_options, tcp),
	       tcp_check_schema, "connect, and perhaps talk; {} only connects"),
	READ("timeout", DURATION, struct health_check_options, timeout, "5s",
	     "until a check has failed"),
	KNOWN("unhealthy_edge_interval", DURATION, LATER, NULL, "interval after a change"),
	KNOWN("unhealthy_interval", DURATION, LATER, NULL, "interval while it is not well"),
	READ("unhealthy_threshold", NUMBER, struct health_check_options, unhealthy_threshold, "2",
	     "checks that must fail until it is not well"),
};

const struct schema health_check_schema = {
	.settings = health_check_settings,
	.count = ARRAY_LEN(health_check_settings),
	.record_size = sizeof(struct health_check_options),
	.record_at = offsetof(struct health_check_options, at),
	.has_position = true,
};

static const struct setting tcp_check_settings[] = {
	NESTED("receive", RECORDS, offsetof(struct tcp_check_options, receive), payload_schema,
	       "what must come, in this order; other bytes may come in between"),
	NESTED("send", RECORD, offsetof(struct tcp_check_options, send), payload_schema,
	       "what is sent first"),
};

const struct schema tcp_check_schema = {
	.settings = tcp_check_settings,
	.count = ARRAY_LEN(tcp_check_settings),
	.record_size = sizeof(struct tcp_check_options),
};

static const struct setting payload_settings[] = {
	READ("binary", TEXT, struct payload_options, binary, NULL, "bytes in base64"),
	READ("text", TEXT, struct payload_options, text, NULL,
	     "bytes in hexadecimal: 50494e47 is PING"),
};

const struct schema payload_schema = {
	.settings = payload_settings,
	.count = ARRAY_LEN(payload_settings),
	.record_size = sizeof(struct payload_options),
	.record_at = offsetof(struct payload_options, at),
	.has_position = true,
};
