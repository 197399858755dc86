/*
 * Field names and their order are those existing dashboards read; what is ours comes at the end.
 *
 * The lines about tunnels go to the audit file as well, whatever the level of the log.
 */

#include "proxy/audit.h"

#include "base/log.h"
#include "base/log_file.h"
#include "proxy/audit_fields.h"
#include "proxy/client_certificate.h"
#include "proxy/endpoints.h"
#include "proxy/worker.h"

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

/* Probes of the gateway's health come by the thousand. */
static enum log_level level_of(const struct exchange *x)
{
	return x->endpoint && x->endpoint->serve == endpoint_health ? LOG_DEBUG : LOG_INFO;
}

/* A record: where it goes, and what it says. */
struct record {
	const char *service;
	const char *message;
	bool is_access; /* of the access log, which may be switched off */
	void (*write)(struct log_line *line, const struct exchange *x);
};

static void write_record(struct log *log, const struct record *record, enum log_level level,
			 const struct exchange *x)
{
	struct log_line line;

	log_begin(log, &line, level, record->service);
	record->write(&line, x);
	log_end(&line, record->message);
}

static void put_record(const struct record *record, const struct exchange *x)
{
	const struct worker_shared *shared = &x->worker->shared;

	if (!record->is_access || x->snapshot->config->logs.has_access_lines)
		write_record(shared->log, record, level_of(x), x);
	if (!x->endpoint && shared->audit)
		write_record(shared->audit, record, LOG_INFO, x);
}

/* ---- the records ---- */

static void write_authorize(struct log_line *line, const struct exchange *x)
{
	const struct decision *d = &x->decision;
	const char *problem = client_certificate_problem(x);

	audit_fields_authorize(line, x);
	log_bool(line, "allow", d->allow);
	log_why(line, d->allow, "allow-why-true", "allow-why-false", d->allow_reasons);
	log_bool(line, "deny", d->deny);
	log_why(line, d->deny, "deny-why-true", "deny-why-false", d->deny_reasons);
	if (problem)
		log_cstr(line, "client-certificate-problem", problem);
}

void audit_authorize(const struct exchange *x)
{
	static const struct record record = {
		.service = "authorize",
		.message = "authorize check",
		.write = write_authorize,
	};

	put_record(&record, x);
}

static void write_tunnel(struct log_line *line, const struct exchange *x)
{
	char upstream[UPSTREAM_TEXT_MAX];

	upstream_address_format(x, upstream);
	log_cstr(line, "tunnel-id", x->request_id);
	log_cstr(line, "route-id", x->route ? x->route->id : "");
	audit_fields_who(line, x);
	log_cstr(line, "upstream-address", upstream);
}

static void write_opened(struct log_line *line, const struct exchange *x)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(&x->peer, ip);
	log_cstr(line, "request-id", x->request_id);
	log_str(line, "authority", x->facts.authority);
	log_cstr(line, "ip", ip);
	write_tunnel(line, x);
}

void audit_tunnel_opened(const struct exchange *x)
{
	static const struct record record = {
		.service = "proxy",
		.message = "tunnel opened",
		.write = write_opened,
	};

	put_record(&record, x);
}

static void write_request(struct log_line *line, const struct exchange *x)
{
	log_cstr(line, "server-name", "all");
	log_cstr(line, "service", "envoy");
	audit_fields_access(line, x);
	if (x->outcome.reason)
		log_cstr(line, "reason", x->outcome.reason);
	if (x->outcome.end_reason && x->outcome.status == 200) {
		write_tunnel(line, x);
		log_uint(line, "bytes-received", x->outcome.bytes_received);
		log_uint(line, "bytes-sent", x->outcome.bytes_sent);
	}
	if (x->outcome.end_reason)
		log_cstr(line, "end-reason", x->outcome.end_reason);
}

void audit_request(const struct exchange *x)
{
	static const struct record record = {
		.message = "http-request",
		.is_access = true,
		.write = write_request,
	};

	put_record(&record, x);
}

bool audit_is_blocked(const struct exchange *x)
{
	const struct log_file *file = x->worker->shared.audit_file;

	return file && !x->snapshot->config->logs.audit_may_drop && log_file_is_full(file);
}
