/*
 * Field names and their order are those existing dashboards read; what is ours comes at the end.
 */

#include "proxy/audit.h"

#include <sys/types.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/client_certificate.h"
#include "proxy/endpoints.h"
#include "proxy/worker.h"

/*
 * How much is logged of what a client may write at will. A line has a limit, and what does not fit is left out: nobody
 * may push who he is over it.
 */
#define METHOD_SHOWN_MAX     32
#define PATH_SHOWN_MAX       1024
#define USER_AGENT_SHOWN_MAX 512
#define REFERER_SHOWN_MAX    512

/* The reasons of a mask as a list under why_true or why_false. */
static void log_why(struct log_line *line, bool is_true, const char *why_true,
		    const char *why_false, uint64_t reasons)
{
	struct str names[REASON_COUNT];
	size_t count = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (reasons & policy_reason_bit((enum policy_reason)i))
			names[count++] = str_from(policy_reason_name(i));
	log_str_list(line, is_true ? why_true : why_false, names, count);
}

static const char *route_id(const struct exchange *x)
{
	return x->route ? x->route->id : "";
}

static void log_who(struct log_line *line, const struct exchange *x)
{
	const struct identity *who = x->session ? x->session->who : NULL;

	if (x->session)
		log_cstr(line,
			 x->session->kind == SESSION_SERVICE_ACCOUNT ? "service-account-id"
								     : "session-id",
			 x->session->id);
	log_str(line, "user", who ? who->user_id : STR(""));
	log_str(line, "email", who ? who->email : STR(""));
}

/* Probes of the gateway's health come by the thousand. */
static enum log_level level_of(const struct exchange *x)
{
	return x->endpoint && x->endpoint->serve == endpoint_health ? LOG_DEBUG : LOG_INFO;
}

void audit_authorize(const struct exchange *x)
{
	const struct decision *d = &x->decision;
	const char *problem = client_certificate_problem(x);
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, level_of(x), "authorize");
	log_cstr(&line, "request-id", x->request_id);
	log_cstr(&line, "check-request-id", x->request_id);
	log_str(&line, "method", str_first(x->facts.method, METHOD_SHOWN_MAX));
	log_str(&line, "path", str_first(x->facts.path, PATH_SHOWN_MAX));
	log_str(&line, "host", x->facts.authority);
	log_cstr(&line, "ip", ip);
	log_who(&line, x);
	log_cstr(&line, "route-id", route_id(x));
	log_bool(&line, "allow", d->allow);
	log_why(&line, d->allow, "allow-why-true", "allow-why-false", d->allow_reasons);
	log_bool(&line, "deny", d->deny);
	log_why(&line, d->deny, "deny-why-true", "deny-why-false", d->deny_reasons);
	if (problem)
		log_cstr(&line, "client-certificate-problem", problem);
	log_end(&line, "authorize check");
}

static void log_tunnel(struct log_line *line, const struct exchange *x)
{
	char upstream[UPSTREAM_TEXT_MAX];

	upstream_address_format(x, upstream);
	log_cstr(line, "tunnel-id", x->request_id);
	log_cstr(line, "route-id", route_id(x));
	log_who(line, x);
	log_cstr(line, "upstream-address", upstream);
}

void audit_tunnel_opened(const struct exchange *x)
{
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, LOG_INFO, "proxy");
	log_cstr(&line, "request-id", x->request_id);
	log_str(&line, "authority", x->facts.authority);
	log_cstr(&line, "ip", ip);
	log_tunnel(&line, x);
	log_end(&line, "tunnel opened");
}

static void log_cluster(struct log_line *line, const struct exchange *x)
{
	char cluster[sizeof("route-") + ROUTE_ID_LEN];
	struct buf name = BUF_INIT(256);

	if (x->route && !str_is_empty(x->route->config->name)) {
		(void)buf_printf(&name, "%.*s-%s", STR_FMT(x->route->config->name), x->route->id);
		log_str(line, "upstream-cluster", buf_view(&name));
		buf_done(&name);
		return;
	}
	(void)snprintf(cluster, sizeof(cluster), x->route ? "route-%s" : "%s", route_id(x));
	log_cstr(line, "upstream-cluster", cluster);
}

void audit_request(const struct exchange *x)
{
	bool is_tunnel = x->outcome.end_reason && x->outcome.status == 200;
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, level_of(x), NULL);
	log_cstr(&line, "server-name", "all");
	log_cstr(&line, "service", "envoy");
	log_cluster(&line, x);
	log_str(&line, "method", str_first(x->facts.method, METHOD_SHOWN_MAX));
	log_str(&line, "authority", x->facts.authority);
	log_str(&line, "path", str_first(x->facts.path, PATH_SHOWN_MAX));
	log_str(&line, "user-agent", str_first(x->facts.user_agent, USER_AGENT_SHOWN_MAX));
	log_str(&line, "referer", str_first(x->facts.referer, REFERER_SHOWN_MAX));
	log_cstr(&line, "forwarded-for", ip);
	log_cstr(&line, "request-id", x->request_id);
	log_thousandths(&line, "duration", clock_now_us() - x->started_us);
	log_uint(&line, "size", x->outcome.bytes_sent);
	log_int(&line, "response-code", x->outcome.status);
	log_cstr(&line, "response-code-details", x->outcome.details);
	if (x->outcome.reason)
		log_cstr(&line, "reason", x->outcome.reason);
	if (is_tunnel) {
		log_tunnel(&line, x);
		log_uint(&line, "bytes-received", x->outcome.bytes_received);
		log_uint(&line, "bytes-sent", x->outcome.bytes_sent);
	}
	if (x->outcome.end_reason)
		log_cstr(&line, "end-reason", x->outcome.end_reason);
	log_end(&line, "http-request");
}
