#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "session/store_record.h"

#define SESSION_ID "3b241101-e2bb-4255-8caf-4136c566a962"

struct fixture {
	uint8_t key[SEAL_KEY_SIZE];
	struct arena arena;
	struct store_item item;
	struct record row;
};

static const struct session_secrets secrets = {
	.access_token = { "access \"1\"", 10 },
	.refresh_token = { "re:fresh\n\0x", 11 },
	.id_token = { "", 0 },
	.access_expires_unix = 4600,
	.id_expires_unix = 5000,
	.refreshed_unix = 1000,
	.userinfo_unix = 1100,
	.failures = 3,
	.failed_unix = 1200,
};

static struct session *make_session(enum session_kind kind)
{
	static const struct str groups[] = { { "ops", 3 }, { "d\xc3\xa9v \"x\"", 8 } };
	static const struct str values[] = { { "1", 1 }, { "two \\ ", 6 } };
	const struct claim claims[] = {
		{ .name = STR("a.b"), .values = values, .value_count = 2 },
		{ .name = STR("sub"), .values = values, .value_count = 1 },
	};
	struct identity *who = identity_new(&(struct identity){
		.user_id = STR("auth0|it's \xc3\xa9"),
		.email = STR("alice@example.com"),
		.name = STR("Alice \"A\" O'Hara"),
		.groups = groups,
		.group_count = ARRAY_LEN(groups),
		.claims = { .items = claims, .count = ARRAY_LEN(claims) },
	});
	struct session *s = session_new(&(struct session_facts){
		.kind = kind,
		.id = STR(SESSION_ID),
		.idp_id = STR("idp"),
		.description = STR("a\0b"),
		.who = who,
		.issued_unix = 1000,
		.expires_unix = 9000,
		.valid_until_unix = 8000,
		.credential_tag = { 1, 2, 255 },
	});

	identity_unref(who);
	return s;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err e = { 0 };

	record_key_derive(STR("shared"), f->key);
	f->item.session = make_session(SESSION_LOGIN);
	f->item.secrets = session_secrets_new(&secrets);
	if (record_encode(f->key, RECORD_SESSION, &f->item, &f->arena, &f->row, &e) < 0)
		fail_msg("%s", e.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_item_done(&f->item);
	arena_done(&f->arena);
	mem_free(f);
	return 0;
}

static void expect_same_session(const struct session *a, const struct session *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->id, b->id);
	assert_true(str_equal(a->idp_id, b->idp_id));
	assert_true(str_equal(a->description, b->description));
	assert_true(str_equal(a->who->user_id, b->who->user_id));
	assert_true(str_equal(a->who->email, b->who->email));
	assert_true(str_equal(a->who->name, b->who->name));
	assert_int_equal(a->who->group_count, b->who->group_count);
	for (size_t i = 0; i < a->who->group_count; i++)
		assert_true(str_equal(a->who->groups[i], b->who->groups[i]));
	assert_int_equal(a->who->claims.count, b->who->claims.count);
	for (size_t i = 0; i < a->who->claims.count; i++) {
		const struct claim *one = &a->who->claims.items[i];
		const struct claim *two = &b->who->claims.items[i];

		assert_true(str_equal(one->name, two->name));
		assert_int_equal(one->value_count, two->value_count);
		for (size_t j = 0; j < one->value_count; j++)
			assert_true(str_equal(one->values[j], two->values[j]));
	}
	assert_int_equal(a->issued_unix, b->issued_unix);
	assert_int_equal(a->expires_unix, b->expires_unix);
	assert_int_equal(a->valid_until_unix, b->valid_until_unix);
	assert_memory_equal(a->credential_tag, b->credential_tag, SESSION_TAG_SIZE);
}

static void test_session_comes_back(void **state)
{
	struct fixture *f = *state;
	const struct session_secrets *s;
	struct store_item got = { 0 };
	struct err e;

	assert_int_equal(f->row.kind, RECORD_SESSION);
	assert_true(str_equal(f->row.id, STR(SESSION_ID)));
	assert_true(str_equal(f->row.owner, STR("auth0|it's \xc3\xa9")));
	assert_int_equal(f->row.created_unix, 1000);
	assert_int_equal(f->row.expires_unix, 9000);
	assert_int_equal(f->row.due_unix, session_upkeep_due(&secrets));
	f->row.version = 77;
	assert_int_equal(record_decode(f->key, &f->row, &got, &e), 0);
	expect_same_session(got.session, f->item.session);
	assert_int_equal(got.session->record_version, 77);
	assert_null(got.device);
	s = got.secrets;
	assert_true(str_equal(s->access_token, secrets.access_token));
	assert_true(str_equal(s->refresh_token, secrets.refresh_token));
	assert_true(str_equal(s->id_token, secrets.id_token));
	assert_int_equal(s->access_expires_unix, 4600);
	assert_int_equal(s->id_expires_unix, 5000);
	assert_int_equal(s->refreshed_unix, 1000);
	assert_int_equal(s->userinfo_unix, 1100);
	assert_int_equal(s->failures, 3);
	assert_int_equal(s->failed_unix, 1200);
	store_item_done(&got);
}

static void test_others_come_back(void **state)
{
	struct fixture *f = *state;
	struct store_item account = { .session = make_session(SESSION_SERVICE_ACCOUNT) };
	struct device_login facts = {
		.user_code = "BCDFGHJK",
		.state = DEVICE_APPROVED,
		.session_id = SESSION_ID,
		.client_name = STR("x"),
		.client_address = STR("192.0.2.1"),
		.authority = STR("a:1"),
		.created_unix = 1000,
		.expires_unix = 1600,
	};
	struct store_item device;
	struct store_item got = { 0 };
	struct record row;
	struct err e;

	assert_int_equal(
		record_encode(f->key, RECORD_SERVICE_ACCOUNT, &account, &f->arena, &row, &e), 0);
	assert_int_equal(row.due_unix, 0);
	assert_int_equal(record_decode(f->key, &row, &got, &e), 0);
	expect_same_session(got.session, account.session);
	assert_null(got.secrets);
	store_item_done(&got);
	store_item_done(&account);

	device_code_hash(STR("code"), facts.hash);
	device = (struct store_item){ .device = device_login_new(&facts) };
	assert_int_equal(record_encode(f->key, RECORD_DEVICE_LOGIN, &device, &f->arena, &row, &e),
			 0);
	assert_true(str_equal(row.owner, STR("BCDFGHJK")));
	assert_int_equal(record_decode(f->key, &row, &got, &e), 0);
	assert_string_equal(got.device->hash, facts.hash);
	assert_string_equal(got.device->user_code, facts.user_code);
	assert_string_equal(got.device->session_id, SESSION_ID);
	assert_int_equal(got.device->state, DEVICE_APPROVED);
	assert_true(str_equal(got.device->authority, STR("a:1")));
	assert_int_equal(got.device->expires_unix, 1600);
	store_item_done(&got);
	store_item_done(&device);
}

static void test_secrets_are_sealed(void **state)
{
	struct fixture *f = *state;

	assert_false(str_contains(f->row.body, STR("access \\\"1")));
	assert_false(str_contains(f->row.body, STR("re:fresh")));
}

static void expect_unreadable(const uint8_t *key, const struct record *row)
{
	struct store_item got = { 0 };
	struct err e = { 0 };

	if (record_decode(key, row, &got, &e) == 0)
		fail_msg("accepted: %.*s", STR_FMT(row->body));
	assert_null(got.session);
	assert_null(got.secrets);
	assert_null(got.device);
	assert_non_null(strstr(e.text, "cannot be read"));
	assert_null(strstr(e.text, "access"));
}

static void test_bound_to_key_and_record(void **state)
{
	struct fixture *f = *state;
	uint8_t other[SEAL_KEY_SIZE];
	struct record row = f->row;

	record_key_derive(STR("another"), other);
	expect_unreadable(other, &row);
	row.id = STR("3b241101-e2bb-4255-8caf-4136c566a963");
	expect_unreadable(f->key, &row);
	row = f->row;
	row.kind = RECORD_SERVICE_ACCOUNT;
	expect_unreadable(f->key, &row);
	row = f->row;
	row.owner = STR("somebody else");
	expect_unreadable(f->key, &row);
	row.owner = STR("");
	expect_unreadable(f->key, &row);
	row = f->row;
	row.id = STR("short");
	expect_unreadable(f->key, &row);
}

/* The body with one value replaced (NULL: left out). */
static void expect_broken_by(struct fixture *f, const char *name, json_t *value)
{
	json_t *root = json_loadb(f->row.body.at, f->row.body.len, JSON_ALLOW_NUL, NULL);
	struct record row = f->row;
	char *text;

	assert_non_null(json_object_get(root, name));
	if (value)
		json_object_set_new(root, name, value);
	else
		json_object_del(root, name);
	text = json_dumps(root, JSON_COMPACT);
	row.body = str_from(text);
	expect_unreadable(f->key, &row);
	free(text);
	json_decref(root);
}

static void test_every_value_counts(void **state)
{
	struct fixture *f = *state;
	json_t *root = json_loadb(f->row.body.at, f->row.body.len, JSON_ALLOW_NUL, NULL);
	const char *name;
	json_t *value;

	assert_int_equal(json_object_size(root), 17);
	json_object_foreach(root, name, value)
	{
		/* Without the envelope there just are no secrets. */
		if (strcmp(name, "sealed") != 0)
			expect_broken_by(f, name, NULL);
		expect_broken_by(f, name, json_null());
		expect_broken_by(f, name, json_true());
		expect_broken_by(f, name, json_object());
		expect_broken_by(f, name, json_integer(-1));
		expect_broken_by(f, name,
				 json_is_string(value) ? json_integer(1) : json_string("1"));
		if (json_is_integer(value)) {
			expect_broken_by(f, name, json_integer(INT64_MAX));
			expect_broken_by(f, name, json_real(1000.0));
		}
	}
	expect_broken_by(f, "groups", json_pack("[s,i]", "ops", 1));
	expect_broken_by(f, "tag", json_string("0102"));
	expect_broken_by(f, "tag", json_string("zz"));
	expect_broken_by(f, "claims", json_string("{\"a\":[\"1\"],\"a\":[\"2\"]}"));
	expect_broken_by(f, "claims", json_string("["));
	expect_broken_by(f, "sealed", json_string(""));
	expect_broken_by(f, "sealed", json_string("AAAA"));
	json_decref(root);
}

static void test_hostile_bodies(void **state)
{
	static const char *const bodies[] = {
		"", "null", "[]", "{}", "{", "\"x\"", "{\"user\":\"u\"} x", "{\"user\":\"\xff\"}",
	};
	struct fixture *f = *state;
	char *deep = mem_alloc(200000);
	struct record row = f->row;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		row.body = str_from(bodies[i]);
		expect_unreadable(f->key, &row);
	}
	memset(deep, '[', 200000);
	row.body = str_of(deep, 200000);
	expect_unreadable(f->key, &row);
	mem_free(deep);
	/* Cut anywhere, or with any byte changed in the envelope's first part. */
	for (size_t len = 0; len < f->row.body.len; len += 7) {
		row.body = str_first(f->row.body, len);
		expect_unreadable(f->key, &row);
	}
}

static void test_too_long(void **state)
{
	struct fixture *f = *state;
	char *text = mem_alloc(STORE_BODY_MAX);
	struct store_item item = { .session = f->item.session };
	struct record row;
	struct err e;

	memset(text, 'x', STORE_BODY_MAX);
	item.secrets = session_secrets_new(
		&(struct session_secrets){ .id_token = str_of(text, 70000) });
	assert_int_equal(record_encode(f->key, RECORD_SESSION, &item, &f->arena, &row, &e), -1);
	assert_string_equal(e.text, "the provider's tokens are too long to be kept");
	session_secrets_free(item.secrets);
	item = (struct store_item){ .session = session_new(&(struct session_facts){
					    .who = f->item.session->who,
					    .description = str_of(text, STORE_BODY_MAX) }) };
	assert_int_equal(record_encode(f->key, RECORD_SESSION, &item, &f->arena, &row, &e), -1);
	assert_non_null(strstr(e.text, "the record is longer than"));
	store_item_done(&item);
	mem_free(text);
}

/* Times that no record may have are brought into range, so that what was written can be read. */
static void test_absurd_times(void **state)
{
	struct fixture *f = *state;
	struct store_item item = { .session = f->item.session };
	struct store_item got = { 0 };
	struct record row;
	struct err e;

	item.secrets = session_secrets_new(&(struct session_secrets){
		.access_expires_unix = INT64_MAX, .refreshed_unix = INT64_MIN });
	assert_int_equal(record_encode(f->key, RECORD_SESSION, &item, &f->arena, &row, &e), 0);
	assert_int_equal(record_decode(f->key, &row, &got, &e), 0);
	assert_true(got.secrets->access_expires_unix > 253402300799);
	assert_int_equal(got.secrets->refreshed_unix, 0);
	session_secrets_free(item.secrets);
	store_item_done(&got);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_session_comes_back), CASE(test_others_come_back),
		CASE(test_secrets_are_sealed), CASE(test_bound_to_key_and_record),
		CASE(test_every_value_counts), CASE(test_hostile_bodies),
		CASE(test_too_long),           CASE(test_absurd_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
