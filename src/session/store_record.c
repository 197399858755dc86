#include "session/store_record.h"

#include <inttypes.h>

#include <jansson.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "jose/mac.h"

#define SEALED_MAX  (64u * 1024)
#define PURPOSE_MAX (STORE_KEY_MAX + 16)

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

static void write_secrets(const struct session_secrets *s, struct buf *out)
{
	struct json_writer w = { .out = out };

	json_object_begin(&w);
	write_text(&w, "access", s->access_token);
	write_text(&w, "refresh", s->refresh_token);
	write_text(&w, "id", s->id_token);
	json_object_end(&w);
}

static int seal_secrets(const uint8_t key[SEAL_KEY_SIZE], const struct session_secrets *s,
			struct str purpose, struct buf *out, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf plain = BUF_INIT(SEALED_MAX);
	_cleanup_(buf_done) struct buf sealed = BUF_INIT(SEALED_MAX + SEAL_OVERHEAD);

	write_secrets(s, &plain);
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
	write_int(w, "access_expires", s->access_expires_unix);
	write_int(w, "id_expires", s->id_expires_unix);
	write_int(w, "refreshed", s->refreshed_unix);
	write_int(w, "userinfo", s->userinfo_unix);
	write_int(w, "failures", s->failures);
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
	write_int(w, "issued", s->issued_unix);
	write_int(w, "valid_until", s->valid_until_unix);
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

static struct str get_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return str_of(json_string_value(value), json_string_length(value));
}

static int64_t get_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static json_t *parse(struct str text)
{
	json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);

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

static int read_renewal(const uint8_t key[SEAL_KEY_SIZE], const json_t *root, struct str purpose,
			struct session_secrets **ret)
{
	_cleanup_(buf_done_secret) struct buf plain = BUF_INIT(SEALED_MAX);
	json_t *tokens;

	if (!json_object_get(root, "sealed"))
		return 0;
	if (open_secrets(key, get_text(root, "sealed"), purpose, &plain) < 0)
		return -1;
	tokens = parse(buf_view(&plain));
	if (!tokens)
		return -1;
	*ret = session_secrets_new(&(struct session_secrets){
		.access_token = get_text(tokens, "access"),
		.refresh_token = get_text(tokens, "refresh"),
		.id_token = get_text(tokens, "id"),
		.access_expires_unix = get_int(root, "access_expires"),
		.id_expires_unix = get_int(root, "id_expires"),
		.refreshed_unix = get_int(root, "refreshed"),
		.userinfo_unix = get_int(root, "userinfo"),
		.failures = (unsigned)get_int(root, "failures"),
	});
	json_decref(tokens);
	return 0;
}

static int read_identity(const json_t *root, struct arena *arena, struct identity *ret)
{
	const json_t *groups = json_object_get(root, "groups");
	size_t count = json_array_size(groups);
	struct str *names;

	if (count > IDENTITY_GROUPS_MAX || str_is_empty(get_text(root, "user")))
		return -1;
	names = arena_alloc_array(arena, count, sizeof(*names));
	for (size_t i = 0; i < count; i++) {
		const json_t *name = json_array_get(groups, i);

		names[i] = str_of(json_string_value(name), json_string_length(name));
	}
	*ret = (struct identity){
		.user_id = get_text(root, "user"),
		.email = get_text(root, "email"),
		.name = get_text(root, "name"),
		.groups = names,
		.group_count = count,
	};
	return claims_parse(get_text(root, "claims"), arena, &ret->claims, NULL);
}

static int read_tag(const json_t *root, uint8_t out[SESSION_TAG_SIZE])
{
	_cleanup_(buf_done) struct buf tag = BUF_INIT(SESSION_TAG_SIZE);

	if (hex_decode(&tag, get_text(root, "tag")) < 0 || tag.len != SESSION_TAG_SIZE)
		return -1;
	memcpy(out, tag.data, SESSION_TAG_SIZE);
	return 0;
}

static int read_session(const uint8_t key[SEAL_KEY_SIZE], const struct record *record,
			const json_t *root, struct arena *arena, struct store_item *ret)
{
	struct identity who = { 0 };
	struct session_facts facts = {
		.kind = record->kind == RECORD_SERVICE_ACCOUNT ? SESSION_SERVICE_ACCOUNT
							       : SESSION_LOGIN,
		.id = record->id,
		.idp_id = get_text(root, "idp"),
		.description = get_text(root, "description"),
		.issued_unix = get_int(root, "issued"),
		.expires_unix = record->expires_unix,
		.valid_until_unix = get_int(root, "valid_until"),
		.record_version = record->version,
	};

	if (record->id.len != UUID_TEXT_LEN || read_identity(root, arena, &who) < 0 ||
	    read_tag(root, facts.credential_tag) < 0 ||
	    read_renewal(key, root, purpose_of(record->kind, record->id, arena), &ret->secrets) < 0)
		return -1;
	facts.who = identity_new(&who);
	ret->session = session_new(&facts);
	identity_unref(facts.who);
	return 0;
}

static int read_device(const struct record *record, const json_t *root, struct store_item *ret)
{
	struct str session_id = get_text(root, "session");
	int64_t state = get_int(root, "state");
	struct device_login facts = {
		.client_name = get_text(root, "client_name"),
		.client_address = get_text(root, "client_address"),
		.authority = get_text(root, "authority"),
		.created_unix = record->created_unix,
		.expires_unix = record->expires_unix,
		.record_version = record->version,
	};

	if (record->id.len != DEVICE_HASH_LEN || record->owner.len != DEVICE_USER_CODE_LEN ||
	    session_id.len > UUID_TEXT_LEN || state < DEVICE_PENDING || state > DEVICE_DENIED)
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
	int result = -1;

	if (root && record->kind == RECORD_DEVICE_LOGIN)
		result = read_device(record, root, &item);
	else if (root)
		result = read_session(key, record, root, &arena, &item);
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
