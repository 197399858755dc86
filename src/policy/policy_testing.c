#include "policy/policy_testing.h"

#include <stdio.h>

#include "policy/time_parse.h"

static const json_t *record_of(const json_t *fixtures, const json_t *context, const char *kind,
			       const char *id)
{
	const json_t *extra = json_object_get(json_object_get(context, "extra_records"), kind);
	const json_t *records = json_object_get(vectors_get(fixtures, "records"), kind);
	const json_t *record = json_object_get(extra, id);

	return record ? record : json_object_get(records, id);
}

static bool has_expired(const json_t *fixtures, const json_t *record)
{
	int64_t now = 0;
	int64_t expires = INT64_MAX;

	if (!time_parse_date(vectors_str(fixtures, "now"), &now))
		abort();
	if (json_object_get(record, "expires_at") &&
	    !time_parse_date(vectors_str(record, "expires_at"), &expires))
		abort();
	return expires < now;
}

static const json_t *find_session(const json_t *fixtures, const json_t *context)
{
	const char *id = json_string_value(json_object_get(context, "session_id"));

	if (!id)
		return NULL;
	const json_t *record = record_of(fixtures, context, "service_accounts", id);
	if (!record)
		record = record_of(fixtures, context, "sessions", id);
	const char *other = json_string_value(json_object_get(record, "impersonate_session_id"));
	if (other)
		record = record_of(fixtures, context, "sessions", other);
	return record && !has_expired(fixtures, record) ? record : NULL;
}

static struct str text_of(const json_t *record, const char *name)
{
	return str_from(json_string_value(json_object_get(record, name)));
}

static struct config_list list_of(const json_t *array, struct str items[FACTS_LIST_MAX])
{
	size_t count = json_array_size(array);

	if (count > FACTS_LIST_MAX)
		abort();
	for (size_t i = 0; i < count; i++)
		items[i] = str_from(json_string_value(json_array_get(array, i)));
	return (struct config_list){ .items = items, .count = count };
}

/* A claim of the user hides that of the session. */
static bool find_claim(const void *who, struct str name, size_t index, struct policy_value *ret)
{
	const struct vector_facts *f = who;
	const json_t *values = json_object_getn(f->user_claims, name.at, name.len);

	if (!values)
		values = json_object_getn(f->session_claims, name.at, name.len);
	const json_t *value = json_array_get(values, index);
	if (!value)
		return false;
	*ret = (struct policy_value){ .text = str_from(json_string_value(value)) };
	if (json_is_number(value)) {
		ret->kind = POLICY_VALUE_NUMBER;
		ret->number = json_number_value(value);
	} else if (json_is_boolean(value)) {
		ret->kind = POLICY_VALUE_BOOL;
		ret->is_true = json_is_true(value);
	}
	return true;
}

static void init_identity(struct vector_facts *f, const json_t *fixtures, const json_t *context)
{
	const json_t *session = find_session(fixtures, context);
	const char *id = json_string_value(json_object_get(session, "user_id"));

	if (!session)
		return;
	f->input.has_session = true;
	f->input.user_id = str_from(id);
	f->session_claims = json_object_get(session, "claims");
	f->input.claim = find_claim;
	f->input.who = f;
	if (!id)
		return;
	const json_t *user = record_of(fixtures, context, "users", id);
	const json_t *directory = record_of(fixtures, context, "directory_users", id);
	f->user_claims = json_object_get(user, "claims");
	f->input.email = text_of(directory, "email");
	if (str_is_empty(f->input.email))
		f->input.email = text_of(user, "email");
	f->input.groups = list_of(json_object_get(directory, "group_ids"), f->groups);
}

static void init_request(struct vector_facts *f, const json_t *context)
{
	const json_t *request = json_object_get(context, "request");
	const json_t *headers = json_object_get(request, "headers");
	struct str ip = text_of(request, "ip");

	f->input.method = request ? text_of(request, "method") : STR("GET");
	f->input.path = request ? text_of(request, "path") : STR("/");
	f->input.is_cors_preflight = str_equal(f->input.method, STR("OPTIONS")) &&
				     text_of(headers, "Origin").len &&
				     text_of(headers, "Access-Control-Request-Method").len;
	if (!addr_from_ip(ip.len ? ip : STR("203.0.113.9"), 0, &f->input.ip))
		abort();
}

static void init_certificate(struct vector_facts *f, const json_t *fixtures, const json_t *context)
{
	const json_t *given = json_object_get(context, "client_certificate");
	struct policy_certificate *c = &f->input.certificate;

	c->is_checked = json_is_true(json_object_get(context, "client_ca"));
	c->is_presented = json_is_true(json_object_get(given, "presented"));
	c->is_valid = json_is_true(json_object_get(given, "valid"));
	if (c->is_checked && !str_equal(text_of(context, "mtls_enforcement"), STR("policy")))
		f->certificates = POLICY_CERTIFICATE_REQUIRED;
	if (!c->is_presented)
		return;
	const json_t *leaf = vectors_get(vectors_get(fixtures, "certificates"),
					 vectors_str(given, "leaf").at);
	c->fingerprint = vectors_str(leaf, "fingerprint");
	c->spki_hash = vectors_str(leaf, "spki");
	c->dns_names = list_of(vectors_get(leaf, "dns"), f->names[0]);
	c->emails = list_of(vectors_get(leaf, "email"), f->names[1]);
	c->uris = list_of(vectors_get(leaf, "uri"), f->names[2]);
}

void vector_facts_init(struct vector_facts *f, const json_t *file, const json_t *vector)
{
	const json_t *fixtures = vectors_get(file, "fixtures");
	const json_t *context = json_object_get(vector, "context");

	*f = (struct vector_facts){ 0 };
	if (!time_parse_date(vectors_str(fixtures, "now"), &f->input.now_unix))
		abort();
	init_identity(f, fixtures, context);
	init_request(f, context);
	init_certificate(f, fixtures, context);
}

void reasons_format(uint64_t reasons, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < REASON_COUNT && len < size; i++)
		if (reasons & policy_reason_bit(i))
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "," : "",
						policy_reason_name(i));
}

int outcome_status(const struct decision *d)
{
	uint64_t certificate = policy_reason_bit(REASON_CLIENT_CERTIFICATE_REQUIRED) |
			       policy_reason_bit(REASON_INVALID_CLIENT_CERTIFICATE);

	if (d->outcome == POLICY_ALLOW)
		return 200;
	if (d->outcome == POLICY_LOGIN)
		return 302;
	return d->deny_reasons & certificate ? 495 : 403;
}
