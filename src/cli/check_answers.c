#include "cli/check_answers.h"

#include "cli/destination.h"
#include "cli/gateway.h"
#include "cli/tunnel.h"
#include "http/client.h"
#include "jose/json_strict.h"

#define JSON_DEPTH_MAX 16
#define WORDS_MAX      64
#define WHO_TEXT_MAX   256

/* ---- documents ---- */

int check_read_gateway(const struct http_client_response *response, const char *name, struct err *e)
{
	struct err ignored;
	json_auto_t *document = json_strict_read(response->body, JSON_DEPTH_MAX, &ignored);
	struct str server = STR("");

	if (response->status == 200 &&
	    json_is_string(json_object_get(document, "authentication_callback_endpoint")))
		return 0;
	(void)http_headers_get(&response->headers, STR("server"), &server); /* stays empty */
	if (!str_is_printable_ascii(server))
		server = STR("");
	return err_set(e, ERR_PROTOCOL,
		       "%s is no gateway: GET /.well-known/pomerium was answered with status "
		       "%d%s%.*s; is the name right, or does something stand before it?",
		       name, response->status, str_is_empty(server) ? "" : " by ",
		       STR_FMT(str_first(server, WORDS_MAX)));
}

/* ---- the answer to CONNECT ---- */

static void report_who(struct check_report *report, const struct gateway *gateway, struct str who)
{
	check_report_good(report, CHECK_ROUTE, "%s has a route for %s",
			  gateway->destination->gateway_name, gateway->destination->target);
	if (!str_is_empty(who) && str_is_printable_ascii(who))
		check_report_good(report, CHECK_LOGIN, "logged in as %.*s",
				  STR_FMT(str_first(who, WHO_TEXT_MAX)));
	else
		check_report_good(report, CHECK_LOGIN, "not needed, or accepted");
}

static void report_not_logged_in(struct check_report *report, const struct gateway *gateway,
				 const struct tunnel_result *result)
{
	struct err e;

	check_report_good(report, CHECK_ROUTE, "%s has a route for %s",
			  gateway->destination->gateway_name, gateway->destination->target);
	(void)err_set(&e, ERR_PROTOCOL, "%.300s; use: pomerium-cli login %s", result->error.text,
		      gateway->destination->gateway_url);
	check_report_bad(report, CHECK_LOGIN, EXIT_STATUS_NOT_LOGGED_IN, &e);
}

void check_report_tunnel(struct check_report *report, const struct gateway *gateway,
			 const struct tunnel_result *result, struct str who)
{
	enum exit_status status = tunnel_exit_status(result->outcome);

	switch (result->outcome) {
	case TUNNEL_OPEN:
		report_who(report, gateway, who);
		check_report_good(report, CHECK_POLICY, "allowed");
		check_report_good(report, CHECK_UPSTREAM, "the tunnel to %s opens",
				  gateway->destination->target);
		return;
	case TUNNEL_NO_ROUTE:
		check_report_bad(report, CHECK_ROUTE, status, &result->error);
		return;
	case TUNNEL_UNAUTHENTICATED:
		report_not_logged_in(report, gateway, result);
		return;
	case TUNNEL_UNAUTHORIZED:
		report_who(report, gateway, who);
		check_report_bad(report, CHECK_POLICY, status, &result->error);
		return;
	case TUNNEL_UNAVAILABLE:
		report_who(report, gateway, who);
		check_report_good(report, CHECK_POLICY, "allowed");
		check_report_bad(report, CHECK_UPSTREAM, status, &result->error);
		return;
	case TUNNEL_UNREACHABLE:
	case TUNNEL_REFUSED:
		check_report_bad(report, CHECK_ROUTE, status, &result->error);
		return;
	}
}
