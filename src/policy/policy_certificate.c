/*
 * policy_certificate.c - client_certificate: what a certificate must be, whoever issued it (policy-language.md 9)
 */

#include "base/codec.h"
#include "policy/policy_parts.h"

#define DIGEST_SIZE 32

/* "50:2D:18:..." as 64 lower-case digits. */
static bool parse_long_fingerprint(struct str text, struct buf *out)
{
	struct str rest = text;
	struct str byte;

	while (str_cut(&rest, ':', &byte)) {
		if (byte.len != 2)
			return false;
		for (size_t i = 0; i < 2; i++) {
			char c = byte.at[i];
			bool is_letter = c >= 'A' && c <= 'F';

			if (!is_letter && !(c >= '0' && c <= '9'))
				return false;
			(void)buf_append_char(out, (char)(is_letter ? c - 'A' + 'a' : c));
		}
	}
	return out->len == (size_t)2 * DIGEST_SIZE && !out->is_overflown;
}

static bool parse_fingerprint(struct str text, struct buf *out)
{
	struct buf bytes = BUF_INIT(DIGEST_SIZE);
	bool is_short = text.len == (size_t)2 * DIGEST_SIZE && hex_decode(&bytes, text) == 0;

	buf_done(&bytes);
	return is_short ? buf_append_str(out, text) == 0 : parse_long_fingerprint(text, out);
}

static bool parse_spki_hash(struct str text, struct buf *out)
{
	struct buf bytes = BUF_INIT(DIGEST_SIZE);
	bool is_hash = base64_decode(&bytes, BASE64_STANDARD, text) == 0 &&
		       bytes.len == DIGEST_SIZE;

	buf_done(&bytes);
	return is_hash && buf_append_str(out, text) == 0;
}

struct digest_kind {
	bool (*parse)(struct str text, struct buf *out);
	const char *what;
};

static const struct digest_kind fingerprint_kind = {
	parse_fingerprint,
	"a SHA-256 fingerprint: 64 lower-case hexadecimal digits, or 32 upper-case bytes with ':'",
};

static const struct digest_kind spki_kind = {
	parse_spki_hash,
	"the SHA-256 of a public key in base64",
};

static void read_digest(struct reader *r, const struct digest_kind *kind,
			const struct yaml_node *node, struct policy_value *ret)
{
	struct buf text = BUF_INIT((size_t)2 * DIGEST_SIZE);

	if (node->kind != YAML_SCALAR)
		reader_error(r, node->at, "%s is needed here", kind->what);
	else if (!kind->parse(node->text, &text))
		reader_error(r, node->at, "\"%.*s\" is not %s", STR_FMT(node->text), kind->what);
	ret->text = arena_copy(&r->policy->arena, buf_view(&text));
	buf_done(&text);
}

static struct match_set read_digests(struct reader *r, const struct digest_kind *kind,
				     const struct yaml_node *node)
{
	bool is_list = node->kind == YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;
	struct policy_value *values = arena_alloc_array(&r->policy->arena, count, sizeof(*values));

	if (!is_list)
		read_digest(r, kind, node, &values[0]);
	for (size_t i = 0; is_list && i < count; i++) {
		size_t mark = reader_enter(r, "[%zu]", i);

		read_digest(r, kind, node->items[i], &values[i]);
		reader_leave(r, mark);
	}
	return match_set_make(values, count);
}

static void read_fingerprints(struct reader *r, const struct yaml_node *node,
			      struct certificate_test *ret)
{
	ret->fingerprints = read_digests(r, &fingerprint_kind, node);
	ret->has_fingerprints = true;
}

static void read_spki_hashes(struct reader *r, const struct yaml_node *node,
			     struct certificate_test *ret)
{
	ret->spki_hashes = read_digests(r, &spki_kind, node);
	ret->has_spki_hashes = true;
}

static void read_emails(struct reader *r, const struct yaml_node *node,
			struct certificate_test *ret)
{
	matcher_read(r, node, MATCH_KIND_ANY_TEXT, &ret->emails);
}

static void read_dns_names(struct reader *r, const struct yaml_node *node,
			   struct certificate_test *ret)
{
	matcher_read(r, node, MATCH_KIND_ANY_TEXT, &ret->dns_names);
}

static void read_uris(struct reader *r, const struct yaml_node *node, struct certificate_test *ret)
{
	matcher_read(r, node, MATCH_KIND_ANY_TEXT, &ret->uris);
}

struct condition {
	const char *name;
	void (*read)(struct reader *r, const struct yaml_node *node, struct certificate_test *ret);
};

static const struct condition conditions[] = {
	{ "fingerprint", read_fingerprints },
	{ "spki_hash", read_spki_hashes },
	{ "san_email", read_emails },
	{ "san_dns", read_dns_names },
	{ "san_uri", read_uris },
};

static const struct condition *find_condition(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (str_equal(name, str_from(conditions[i].name)))
			return &conditions[i];
	return NULL;
}

void certificate_test_read(struct reader *r, const struct yaml_node *node,
			   struct certificate_test *ret)
{
	if (node->kind != YAML_MAPPING) {
		reader_error(r, node->at,
			     "a mapping is needed here (fingerprint, spki_hash, san_email, "
			     "san_dns, san_uri)");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct condition *condition = find_condition(pair->key);

		if (!condition) {
			reader_error(r, pair->at,
				     "\"%.*s\" is not known of a certificate (fingerprint, "
				     "spki_hash, san_email, san_dns, san_uri)",
				     STR_FMT(pair->written));
			continue;
		}
		size_t mark = reader_enter(r, ".%s", condition->name);
		condition->read(r, pair->value, ret);
		reader_leave(r, mark);
	}
}

static bool set_has(const struct match_set *set, struct str text)
{
	const struct policy_value value = { .kind = POLICY_VALUE_TEXT, .text = text };

	return match_set_has(set, &value);
}

bool certificate_test_holds(const struct certificate_test *t, const struct policy_certificate *c)
{
	if (!c->is_presented)
		return false;
	if (t->has_fingerprints && !set_has(&t->fingerprints, c->fingerprint))
		return false;
	if (t->has_spki_hashes && !set_has(&t->spki_hashes, c->spki_hash))
		return false;
	return match_any_text(&t->emails, &c->emails) &&
	       match_any_text(&t->dns_names, &c->dns_names) && match_any_text(&t->uris, &c->uris);
}
