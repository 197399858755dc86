/*
 * audit_fields.c - two tables
 *
 * A row that has nothing to say for an exchange writes nothing, but for those that have always been there. Names that are known
 * and mean nothing here (impersonation, route checksums, MCP) have no row.
 */

#include "proxy/audit_fields.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "tls/peer_certificate.h"

/*
 * How much is logged of what a client may write at will. A line has a limit, and what does not fit is left out: nobody
 * may push who he is over it.
 */
#define METHOD_SHOWN_MAX     32
#define PATH_SHOWN_MAX       1024
#define USER_AGENT_SHOWN_MAX 512
#define REFERER_SHOWN_MAX    512
#define HEADER_SHOWN_MAX     512
#define HEADERS_SHOWN_MAX    64

#define HEADERS_PREFIX STR("headers.")
#define REDACTED       STR("[redacted]")

struct field {
	const char *name;
	bool is_default;
	void (*write)(struct log_line *line, const char *name, const struct exchange *x);
};

/* ---- what both have ---- */

static void write_method(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, str_first(x->facts.method, METHOD_SHOWN_MAX));
}

static void write_authority(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, x->facts.authority);
}

static void write_path(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, str_first(x->facts.path, PATH_SHOWN_MAX));
}

static void write_query(struct log_line *line, const char *name, const struct exchange *x)
{
	if (x->facts.has_query)
		log_str(line, name, REDACTED);
}

static void write_ip(struct log_line *line, const char *name, const struct exchange *x)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(&x->peer, ip);
	log_cstr(line, name, ip);
}

static void write_request_id(struct log_line *line, const char *name, const struct exchange *x)
{
	log_cstr(line, name, x->request_id);
}

static void write_cluster(struct log_line *line, const char *name, const struct exchange *x)
{
	char cluster[sizeof("route-") + ROUTE_ID_LEN];
	struct buf text = BUF_INIT(256);

	if (x->route && !str_is_empty(x->route->config->name)) {
		(void)buf_printf(&text, "%.*s-%s", STR_FMT(x->route->config->name), x->route->id);
		log_str(line, name, buf_view(&text));
		buf_done(&text);
		return;
	}
	(void)snprintf(cluster, sizeof(cluster), "%s%s", x->route ? "route-" : "",
		       x->route ? x->route->id : "");
	log_cstr(line, name, cluster);
}

static bool is_secret(struct str header)
{
	static const char *const secrets[] = { "authorization", "cookie", "proxy-authorization",
					       "x-pomerium-authorization" };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (str_equal_nocase(header, str_from(secrets[i])))
			return true;
	return false;
}

/* What may be shown of it: a page that was reached with a secret in its query is told as the page. */
static struct str shown_value(struct str name, struct str value)
{
	if (is_secret(name))
		return REDACTED;
	if (str_equal_nocase(name, STR("referer")))
		value = str_first(value, str_find(value, '?'));
	return str_first(value, HEADER_SHOWN_MAX);
}

/* name: "headers.x-trace" */
static void write_header(struct log_line *line, const char *name, const struct exchange *x)
{
	struct str wanted = str_from_pos(str_from(name), HEADERS_PREFIX.len);

	for (size_t i = 0; i < x->facts.header_count; i++) {
		const struct http_header *header = &x->facts.headers[i];

		if (!str_equal_nocase(header->name, wanted))
			continue;
		log_str(line, name, header->value);
		return;
	}
}

/* ---- the access log ---- */

static void write_user_agent(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, str_first(x->facts.user_agent, USER_AGENT_SHOWN_MAX));
}

static void write_referer(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, str_first(x->facts.referer, REFERER_SHOWN_MAX));
}

static void write_duration(struct log_line *line, const char *name, const struct exchange *x)
{
	log_thousandths(line, name, clock_now_us() - x->started_us);
}

static void write_size(struct log_line *line, const char *name, const struct exchange *x)
{
	log_uint(line, name, x->outcome.bytes_sent);
}

static void write_status(struct log_line *line, const char *name, const struct exchange *x)
{
	log_int(line, name, x->outcome.status);
}

static void write_details(struct log_line *line, const char *name, const struct exchange *x)
{
	log_cstr(line, name, x->outcome.details);
}

static void write_certificate(struct log_line *line, const char *name, const struct exchange *x)
{
	if (x->certificate)
		log_str(line, name, peer_certificate_facts(x->certificate)->fingerprint);
}

static const struct field access_fields[] = {
	{ "upstream-cluster", true, write_cluster },
	{ "method", true, write_method },
	{ "authority", true, write_authority },
	{ "path", true, write_path },
	{ "user-agent", true, write_user_agent },
	{ "referer", true, write_referer },
	{ "forwarded-for", true, write_ip },
	{ "request-id", true, write_request_id },
	{ "duration", true, write_duration },
	{ "size", true, write_size },
	{ "response-code", true, write_status },
	{ "response-code-details", true, write_details },
	{ "client-certificate", false, write_certificate },
	{ "cluster-stat-name", false, write_cluster },
	{ "ip", false, write_ip },
	{ "query", false, write_query },
};

/* ---- the authorize log ---- */

static const struct identity *who_of(const struct exchange *x)
{
	return x->session ? x->session->who : NULL;
}

static void write_user(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, who_of(x) ? who_of(x)->user_id : STR(""));
}

static void write_email(struct log_line *line, const char *name, const struct exchange *x)
{
	log_str(line, name, who_of(x) ? who_of(x)->email : STR(""));
}

static void write_session(struct log_line *line, const char *name, const struct exchange *x)
{
	if (x->session && x->session->kind != SESSION_SERVICE_ACCOUNT)
		log_cstr(line, name, x->session->id);
}

static void write_account(struct log_line *line, const char *name, const struct exchange *x)
{
	if (x->session && x->session->kind == SESSION_SERVICE_ACCOUNT)
		log_cstr(line, name, x->session->id);
}

static void write_route_id(struct log_line *line, const char *name, const struct exchange *x)
{
	log_cstr(line, name, x->route ? x->route->id : "");
}

static void write_headers(struct log_line *line, const char *name, const struct exchange *x)
{
	const struct http_headers *headers = x->request ? &x->request->headers : NULL;
	struct str texts[HEADERS_SHOWN_MAX];
	struct arena arena = { 0 };
	size_t count = 0;

	for (size_t i = 0; headers && i < headers->count && count < HEADERS_SHOWN_MAX; i++) {
		const struct http_header *header = &headers->items[i];

		texts[count++] = arena_printf(&arena, "%.*s: %.*s", STR_FMT(header->name),
					      STR_FMT(shown_value(header->name, header->value)));
	}
	log_str_list(line, name, texts, count);
	arena_done(&arena);
}

static const struct field authorize_fields[] = {
	{ "request-id", true, write_request_id },
	{ "check-request-id", true, write_request_id },
	{ "method", true, write_method },
	{ "path", true, write_path },
	{ "host", true, write_authority },
	{ "ip", true, write_ip },
	{ "session-id", true, write_session },
	{ "service-account-id", true, write_account },
	{ "user", true, write_user },
	{ "email", true, write_email },
	{ "route-id", true, write_route_id },
	{ "cluster-stat-name", false, write_cluster },
	{ "envoy-route-id", false, write_route_id },
	{ "headers", false, write_headers },
	{ "query", false, write_query },
};

/* ---- choosing ---- */

static void write_one(struct log_line *line, const struct field *fields, size_t count,
		      struct str wanted, const struct exchange *x)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(str_from(fields[i].name), wanted)) {
			fields[i].write(line, fields[i].name, x);
			return;
		}
	}
}

static void write_fields(struct log_line *line, const struct field *fields, size_t count,
			 const struct config_list *chosen, const struct exchange *x)
{
	if (!line->log)
		return;
	for (size_t i = 0; !chosen->count && i < count; i++)
		if (fields[i].is_default)
			fields[i].write(line, fields[i].name, x);
	for (size_t i = 0; i < chosen->count; i++) {
		if (str_starts_with(chosen->items[i], HEADERS_PREFIX))
			write_header(line, chosen->items[i].at, x);
		else
			write_one(line, fields, count, chosen->items[i], x);
	}
}

void audit_fields_access(struct log_line *line, const struct exchange *x)
{
	write_fields(line, access_fields, ARRAY_LEN(access_fields),
		     &x->snapshot->config->logs.access_fields, x);
}

void audit_fields_authorize(struct log_line *line, const struct exchange *x)
{
	write_fields(line, authorize_fields, ARRAY_LEN(authorize_fields),
		     &x->snapshot->config->logs.authorize_fields, x);
}

void audit_fields_who(struct log_line *line, const struct exchange *x)
{
	write_session(line, "session-id", x);
	write_account(line, "service-account-id", x);
	write_user(line, "user", x);
	write_email(line, "email", x);
}

/* ---- headers ---- */

static void keep_listed(struct exchange *x, const struct config_list *fields)
{
	struct request_facts *facts = &x->facts;

	for (size_t i = 0; i < fields->count; i++) {
		struct str value;
		struct str name;

		if (!str_starts_with(fields->items[i], HEADERS_PREFIX))
			continue;
		name = str_from_pos(fields->items[i], HEADERS_PREFIX.len);
		if (!http_headers_get(&x->request->headers, name, &value))
			continue;
		facts->headers[facts->header_count++] = (struct http_header){
			.name = arena_copy(&x->arena, name),
			.value = arena_copy(&x->arena, shown_value(name, value)),
		};
	}
}

void audit_keep_headers(struct exchange *x)
{
	const struct config_logs *logs = &x->snapshot->config->logs;
	size_t count = logs->access_fields.count + logs->authorize_fields.count;

	if (count == 0)
		return;
	x->facts.headers = arena_alloc_array(&x->arena, count, sizeof(*x->facts.headers));
	keep_listed(x, &logs->access_fields);
	keep_listed(x, &logs->authorize_fields);
}
