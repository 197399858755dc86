/*
 * store_record.c - what is read must be what was written: every value there and of its type
 *
 * The tokens are sealed as "length:bytes" one after the other and not as JSON, whose reader would leave copies of them in
 * memory that nobody wipes.
 */

#include "session/store_record.h"

#include <jansson.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "jose/mac.h"

#define SEALED_MAX (64u * 1024)
#define TIME_MAX   ((int64_t)1 << 53) /* what is beyond is no time, and could overflow */

void record_key_derive(struct str shared_key, uint8_t out[SEAL_KEY_SIZE])
{
	hkdf_sha256(shared_key, STR("pomerium store seal v1"), out, SEAL_KEY_SIZE);
}

static struct str purpose_of(enum record_kind kind, struct str id, struct arena *arena)
{
	return arena_printf(arena, "%d/%.*s", kind, STR_FMT(id));
}

/* ---- writing ---- */

static void write_text(struct json_writer *w, const char *name, struct str value)
{
	json_key(w, str_from(name));
	json_text(w, value);
}

static void write_int(struct json_writer *w, const char *name, int64_t value)
{
	json_key(w, str_from(name));
	json_int(w, value);
}

static void write_time(struct json_writer *w, const char *name, int64_t at_unix)
{
	int64_t past = at_unix > 0 ? at_unix : 0;

	write_int(w, name, past < TIME_MAX ? past : TIME_MAX);
}

static void write_secret(struct str secret, struct buf *out)
{
	(void)buf_printf(out, "%zu:", secret.len); /* the caller looks at is_overflown */
	(void)buf_append_str(out, secret);
}

static int seal_secrets(const uint8_t key[SEAL_KEY_SIZE], const struct session_secrets *s,
			struct str purpose, struct buf *out, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf plain = BUF_INIT(SEALED_MAX);
	_cleanup_(buf_done) struct buf sealed = BUF_INIT(SEALED_MAX + SEAL_OVERHEAD);

	write_secret(s->access_token, &plain);
	write_secret(s->refresh_token, &plain);
	write_secret(s->id_token, &plain);
	if (plain.is_overflown)
		return err_set(e, ERR_LIMIT, "the provider's tokens are too long to be kept");
	if (seal_close(key, buf_view(&plain), purpose, &sealed, e) < 0)
		return -1;
	return base64_encode(out, BASE64_STANDARD, sealed.data, sealed.len);
}

static int write_renewal(const uint8_t key[SEAL_KEY_SIZE], const struct session_secrets *s,
			 struct str purpose, struct json_writer *w, struct err *e)
{
	_cleanup_(buf_done) struct buf sealed = BUF_INIT(2 * SEALED_MAX);

	if (seal_secrets(key, s, purpose, &sealed, e) < 0)
		return -1;
	write_text(w, "sealed", buf_view(&sealed));
	write_time(w, "access_expires", s->access_expires_unix);
	write_time(w, "id_expires", s->id_expires_unix);
	write_time(w, "refreshed", s->refreshed_unix);
	write_time(w, "userinfo", s->userinfo_unix);
	write_int(w, "failures", s->failures);
	write_time(w, "failed", s->failed_unix);
	return 0;
}

static void write_identity(const struct identity *who, struct json_writer *w)
{
	write_text(w, "user", who->user_id);
	write_text(w, "email", who->email);
	write_text(w, "name", who->name);
	json_key(w, STR("groups"));
	json_array_begin(w);
	for (size_t i = 0; i < who->group_count; i++)
		json_text(w, who->groups[i]);
	json_array_end(w);
}

static int write_session(const uint8_t key[SEAL_KEY_SIZE], const struct store_item *item,
			 struct str purpose, struct json_writer *w, struct err *e)
{
	const struct session *s = item->session;
	_cleanup_(buf_done) struct buf tag = BUF_INIT(2 * SESSION_TAG_SIZE);
	_cleanup_(buf_done) struct buf claims = BUF_INIT(STORE_BODY_MAX);

	(void)hex_encode(&tag, s->credential_tag, sizeof(s->credential_tag));
	if (claims_write(&s->who->claims, &claims) < 0)
		return err_set(e, ERR_LIMIT, "there are too many claims");
	write_text(w, "idp", s->idp_id);
	write_text(w, "description", s->description);
	write_identity(s->who, w);
	/* A text, so that claims_parse() is what reads it. */
	write_text(w, "claims", buf_view(&claims));
	write_time(w, "issued", s->issued_unix);
	write_time(w, "valid_until", s->valid_until_unix);
	write_text(w, "tag", buf_view(&tag));
	return item->secrets ? write_renewal(key, item->secrets, purpose, w, e) : 0;
}

static void write_device(const struct device_login *d, struct json_writer *w)
{
	write_int(w, "state", d->state);
	write_text(w, "session", str_from(d->session_id));
	write_text(w, "client_name", d->client_name);
	write_text(w, "client_address", d->client_address);
	write_text(w, "authority", d->authority);
}

static void fill_row(const struct store_item *item, struct record *row)
{
	const struct session *s = item->session;
	const struct device_login *d = item->device;

	if (d) {
		row->id = str_from(d->hash);
		row->owner = str_from(d->user_code);
		row->created_unix = d->created_unix;
		row->expires_unix = d->expires_unix;
		return;
	}
	row->id = str_from(s->id);
	row->owner = s->who->user_id;
	row->created_unix = s->issued_unix;
	row->expires_unix = s->expires_unix;
	row->due_unix = item->secrets ? session_upkeep_due(item->secrets) : 0;
}

int record_encode(const uint8_t key[SEAL_KEY_SIZE], enum record_kind kind,
		  const struct store_item *item, struct arena *arena, struct record *ret,
		  struct err *e)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(STORE_BODY_MAX);
	struct json_writer w = { .out = &body };
	struct record row = { .kind = kind };

	fill_row(item, &row);
	if (row.owner.len > STORE_KEY_MAX)
		return err_set(e, ERR_LIMIT, "the user id is longer than %d bytes", STORE_KEY_MAX);
	json_object_begin(&w);
	if (item->device)
		write_device(item->device, &w);
	else if (write_session(key, item, purpose_of(kind, row.id, arena), &w, e) < 0)
		return -1;
	json_object_end(&w);
	if (body.is_overflown)
		return err_set(e, ERR_LIMIT, "the record is longer than %u bytes", STORE_BODY_MAX);
	row.body = arena_copy(arena, buf_view(&body));
	*ret = row;
	return 0;
}

/* ---- reading ---- */

struct reader {
	const json_t *object;
	bool is_broken; /* something was missing, or not what it should be */
};

static struct str as_text(struct reader *r, const json_t *value)
{
	if (!json_is_string(value))
		r->is_broken = true;
	return str_of(json_string_value(value), json_string_length(value));
}

static struct str get_text(struct reader *r, const char *name)
{
	return as_text(r, json_object_get(r->object, name));
}

static int64_t get_number(struct reader *r, const char *name, int64_t max)
{
	const json_t *value = json_object_get(r->object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max) {
		r->is_broken = true;
		return 0;
	}
	return json_integer_value(value);
}

static int64_t get_time(struct reader *r, const char *name)
{
	return get_number(r, name, TIME_MAX);
}

static json_t *parse(struct str text)
{
	json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

static int open_secrets(const uint8_t key[SEAL_KEY_SIZE], struct str sealed, struct str purpose,
			struct buf *out)
{
	_cleanup_(buf_done) struct buf envelope = BUF_INIT(SEALED_MAX + SEAL_OVERHEAD);

	if (base64_decode(&envelope, BASE64_STANDARD, sealed) < 0)
		return -1;
	return seal_open(key, buf_view(&envelope), purpose, out, NULL);
}

static int read_secret(struct str *rest, struct str *ret)
{
	struct str digits = str_first(*rest, str_find(*rest, ':'));
	struct str after = str_from_pos(*rest, digits.len + 1);
	uint64_t len;

	if (digits.len == rest->len || !str_to_uint64(digits, &len) || len > after.len)
		return -1;
	*ret = str_first(after, (size_t)len);
	*rest = str_from_pos(after, (size_t)len);
	return 0;
}

static int read_renewal(const uint8_t key[SEAL_KEY_SIZE], struct reader *r, struct str purpose,
			struct session_secrets **ret)
{
	_cleanup_(buf_done_secret) struct buf plain = BUF_INIT(SEALED_MAX);
	struct session_secrets secrets = { 0 };
	struct str rest;

	if (!json_object_get(r->object, "sealed"))
		return 0;
	if (open_secrets(key, get_text(r, "sealed"), purpose, &plain) < 0)
		return -1;
	rest = buf_view(&plain);
	if (read_secret(&rest, &secrets.access_token) < 0 ||
	    read_secret(&rest, &secrets.refresh_token) < 0 ||
	    read_secret(&rest, &secrets.id_token) < 0 || rest.len)
		return -1;
	secrets.access_expires_unix = get_time(r, "access_expires");
	secrets.id_expires_unix = get_time(r, "id_expires");
	secrets.refreshed_unix = get_time(r, "refreshed");
	secrets.userinfo_unix = get_time(r, "userinfo");
	secrets.failures = (unsigned)get_number(r, "failures", UINT32_MAX);
	secrets.failed_unix = get_time(r, "failed");
	if (r->is_broken)
		return -1;
	*ret = session_secrets_new(&secrets);
	return 0;
}

static int read_identity(struct reader *r, struct str user_id, struct arena *arena,
			 struct identity *ret)
{
	const json_t *groups = json_object_get(r->object, "groups");
	size_t count = json_array_size(groups);
	struct str *names;

	if (!json_is_array(groups) || count > IDENTITY_GROUPS_MAX ||
	    !str_equal(get_text(r, "user"), user_id))
		return -1;
	names = arena_alloc_array(arena, count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = as_text(r, json_array_get(groups, i));
	*ret = (struct identity){
		.user_id = user_id,
		.email = get_text(r, "email"),
		.name = get_text(r, "name"),
		.groups = names,
		.group_count = count,
	};
	return claims_parse(get_text(r, "claims"), arena, &ret->claims, NULL);
}

static int read_tag(struct reader *r, uint8_t out[SESSION_TAG_SIZE])
{
	_cleanup_(buf_done) struct buf tag = BUF_INIT(SESSION_TAG_SIZE);

	if (hex_decode(&tag, get_text(r, "tag")) < 0 || tag.len != SESSION_TAG_SIZE)
		return -1;
	memcpy(out, tag.data, SESSION_TAG_SIZE);
	return 0;
}

static int read_session(const uint8_t key[SEAL_KEY_SIZE], const struct record *record,
			struct reader *r, struct arena *arena, struct store_item *ret)
{
	struct str purpose = purpose_of(record->kind, record->id, arena);
	struct identity who = { 0 };
	struct session_facts facts = {
		.kind = record->kind == RECORD_SERVICE_ACCOUNT ? SESSION_SERVICE_ACCOUNT
							       : SESSION_LOGIN,
		.id = record->id,
		.idp_id = get_text(r, "idp"),
		.description = get_text(r, "description"),
		.issued_unix = get_time(r, "issued"),
		.expires_unix = record->expires_unix,
		.valid_until_unix = get_time(r, "valid_until"),
		.record_version = record->version,
	};

	if (record->id.len != UUID_TEXT_LEN || str_is_empty(record->owner) ||
	    read_identity(r, record->owner, arena, &who) < 0 ||
	    read_tag(r, facts.credential_tag) < 0 ||
	    read_renewal(key, r, purpose, &ret->secrets) < 0 || r->is_broken)
		return -1;
	facts.who = identity_new(&who);
	ret->session = session_new(&facts);
	identity_unref(facts.who);
	return 0;
}

static int read_device(const struct record *record, struct reader *r, struct store_item *ret)
{
	struct str session_id = get_text(r, "session");
	int64_t state = get_number(r, "state", DEVICE_DENIED);
	struct device_login facts = {
		.client_name = get_text(r, "client_name"),
		.client_address = get_text(r, "client_address"),
		.authority = get_text(r, "authority"),
		.created_unix = record->created_unix,
		.expires_unix = record->expires_unix,
		.record_version = record->version,
	};

	if (record->id.len != DEVICE_HASH_LEN || record->owner.len != DEVICE_USER_CODE_LEN ||
	    session_id.len > UUID_TEXT_LEN || r->is_broken)
		return -1;
	facts.state = (enum device_state)state;
	memcpy(facts.hash, record->id.at, DEVICE_HASH_LEN);
	memcpy(facts.user_code, record->owner.at, DEVICE_USER_CODE_LEN);
	if (session_id.len)
		memcpy(facts.session_id, session_id.at, session_id.len);
	ret->device = device_login_new(&facts);
	return 0;
}

int record_decode(const uint8_t key[SEAL_KEY_SIZE], const struct record *record,
		  struct store_item *ret, struct err *e)
{
	struct arena arena = { 0 };
	struct store_item item = { 0 };
	json_t *root = parse(record->body);
	struct reader r = { .object = root };
	int result = -1;

	if (root && record->kind == RECORD_DEVICE_LOGIN)
		result = read_device(record, &r, &item);
	else if (root)
		result = read_session(key, record, &r, &arena, &item);
	json_decref(root);
	arena_done(&arena);
	if (result < 0) {
		store_item_done(&item);
		return err_set(e, ERR_PROTOCOL,
			       "the record %.*s cannot be read: it is damaged, or from before "
			       "shared_secret was changed",
			       STR_FMT(record->id));
	}
	*ret = item;
	return 0;
}
