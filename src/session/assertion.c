/*
 * assertion.c - a row for each claim that is always there; the extra ones are sorted in between
 */

#include "session/assertion.h"

#include <assert.h>

#include "base/json.h"
#include "jose/jws.h"

struct row {
	const char *name;
	void (*write)(struct json_writer *w, const struct assertion_facts *facts);
	bool is_of_the_token; /* and not of the person */
};

/* ---- one function per kind of value ---- */

static void write_host(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->host);
}

static void write_email(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->who->email);
}

static void write_end(struct json_writer *w, const struct assertion_facts *facts)
{
	json_int(w, facts->now_unix + ASSERTION_LIFETIME_S);
}

static void write_groups(struct json_writer *w, const struct assertion_facts *facts)
{
	json_array_begin(w);
	for (size_t i = 0; i < facts->who->group_count; i++)
		json_text(w, facts->who->groups[i]);
	json_array_end(w);
}

static void write_now(struct json_writer *w, const struct assertion_facts *facts)
{
	json_int(w, facts->now_unix);
}

static void write_issuer(struct json_writer *w, const struct assertion_facts *facts)
{
	_cleanup_(buf_done) struct buf uri = BUF_INIT(facts->host.len + sizeof("https:///"));

	if (!facts->issuer_is_uri) {
		json_text(w, facts->host);
		return;
	}
	/* The maximum of uri is the sum of its parts. */
	(void)buf_append_str(&uri, STR("https://"));
	(void)buf_append_str(&uri, facts->host);
	(void)buf_append_char(&uri, '/');
	json_text(w, buf_view(&uri));
}

static void write_id(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->id);
}

static void write_name(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->who->name);
}

static void write_session(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->session_id);
}

static void write_user(struct json_writer *w, const struct assertion_facts *facts)
{
	json_text(w, facts->who->user_id);
}

/* Sorted by name. */
static const struct row rows[] = {
	{ "aud", write_host, true },     { "email", write_email, false },
	{ "exp", write_end, true },      { "groups", write_groups, false },
	{ "iat", write_now, true },      { "iss", write_issuer, true },
	{ "jti", write_id, true },       { "name", write_name, false },
	{ "sid", write_session, false }, { "sub", write_user, false },
	{ "user", write_user, false },
};

/* ---- the extra ones ---- */

struct extra {
	struct str names[ASSERTION_EXTRA_MAX];
	size_t count;
	size_t next;
};

static int compare_names(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool is_always_there(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_equal(name, str_from(rows[i].name)))
			return true;
	return false;
}

static void sort_extra(const struct assertion_facts *facts, struct extra *ret)
{
	struct extra extra = { 0 };

	assert(facts->extra_count <= ASSERTION_EXTRA_MAX);
	for (size_t i = 0; i < facts->extra_count; i++)
		if (!is_always_there(facts->extra[i]))
			extra.names[extra.count++] = facts->extra[i];
	qsort(extra.names, extra.count, sizeof(extra.names[0]), compare_names);
	*ret = extra;
}

static void write_extra(struct json_writer *w, const struct assertion_facts *facts, struct str name)
{
	const struct claim *claim = claims_find(&facts->who->claims, name);
	_cleanup_(buf_done) struct buf joined = BUF_INIT(CLAIMS_TEXT_MAX + CLAIM_VALUES_MAX);

	if (!claim)
		return;
	/* The limits of claims are those of the buf. */
	for (size_t i = 0; i < claim->value_count; i++) {
		(void)buf_append_str(&joined, i ? STR(",") : STR(""));
		(void)buf_append_str(&joined, claim->values[i]);
	}
	json_key(w, name);
	json_text(w, buf_view(&joined));
}

/* Those up to the name of a row; all that are left for NULL. Two headers may tell the same claim. */
static void write_extra_before(struct json_writer *w, const struct assertion_facts *facts,
			       struct extra *extra, const char *limit)
{
	while (extra->next < extra->count) {
		struct str name = extra->names[extra->next];

		if (limit && str_compare(name, str_from(limit)) > 0)
			return;
		if (!extra->next || !str_equal(name, extra->names[extra->next - 1]))
			write_extra(w, facts, name);
		extra->next++;
	}
}

/* ---- together ---- */

static int write_claims(const struct assertion_facts *facts, bool with_token, struct buf *out)
{
	struct json_writer w = { .out = out, .escape_html = true };
	struct extra extra;

	sort_extra(facts, &extra);
	json_object_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_extra_before(&w, facts, &extra, rows[i].name);
		if (rows[i].is_of_the_token && !with_token)
			continue;
		json_key(&w, str_from(rows[i].name));
		rows[i].write(&w, facts);
	}
	write_extra_before(&w, facts, &extra, NULL);
	json_object_end(&w);
	return out->is_overflown ? -1 : 0;
}

int assertion_write(const struct signing_keys *keys, const struct assertion_facts *facts,
		    struct buf *out, struct err *e)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

	if (write_claims(facts, true, &payload))
		return err_set(e, ERR_LIMIT, "assertion: longer than %d bytes", JWS_MAX);
	if (signing_keys_sign(keys, buf_view(&payload), out, e))
		return err_wrap(e, "assertion");
	return 0;
}

int assertion_user_json(const struct assertion_facts *facts, struct buf *out, struct err *e)
{
	size_t len_before = out->len;

	if (!write_claims(facts, false, out))
		return 0;
	buf_truncate(out, len_before);
	return err_set(e, ERR_LIMIT, "there is too much to say about the user");
}
