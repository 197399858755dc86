/*
 * fuzz_store_record.c - an input is taken as the body of a record of each kind, and as what is sealed in one
 *
 * Properties: nothing is accepted that names another user than its row; what was accepted is written and read again as the
 * same.
 */

#include <assert.h>

#include "base/buf.h"
#include "base/codec.h"
#include "session/store_record.h"
#include "tests/fuzz/fuzz.h"

#define SESSION_ID STR("3b241101-e2bb-4255-8caf-4136c566a962")
#define CODE_HASH  STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
#define PLAIN_MAX  (32u * 1024)

static const uint8_t key[SEAL_KEY_SIZE] = { 1, 2, 3 };

static void check_same_session(const struct store_item *a, const struct store_item *b)
{
	assert(!a->secrets == !b->secrets);
	assert(str_equal(a->session->who->user_id, b->session->who->user_id));
	assert(str_equal(a->session->who->email, b->session->who->email));
	assert(a->session->who->group_count == b->session->who->group_count);
	assert(a->session->who->claims.count == b->session->who->claims.count);
	assert(a->session->valid_until_unix == b->session->valid_until_unix);
	if (!a->secrets)
		return;
	assert(str_equal(a->secrets->access_token, b->secrets->access_token));
	assert(str_equal(a->secrets->refresh_token, b->secrets->refresh_token));
	assert(str_equal(a->secrets->id_token, b->secrets->id_token));
	assert(a->secrets->failed_unix == b->secrets->failed_unix);
}

static void check_written_again(const struct record *row, const struct store_item *item)
{
	struct arena arena = { 0 };
	struct store_item again = { 0 };
	struct record written;
	struct err e;

	/* Escaping may make it too long. */
	if (record_encode(key, row->kind, item, &arena, &written, &e) == 0) {
		assert(str_equal(written.id, row->id));
		assert(str_equal(written.owner, row->owner));
		assert(record_decode(key, &written, &again, &e) == 0);
		if (item->session)
			check_same_session(item, &again);
		else
			assert(str_equal(item->device->authority, again.device->authority));
		store_item_done(&again);
	}
	arena_done(&arena);
}

static void check_row(const struct record *row)
{
	struct store_item item = { 0 };
	struct err e;

	if (record_decode(key, row, &item, &e) < 0) {
		assert(!item.session && !item.secrets && !item.device);
		return;
	}
	assert(!item.session || str_equal(item.session->who->user_id, row->owner));
	assert(!item.session == !!item.device);
	check_written_again(row, &item);
	store_item_done(&item);
}

static void check_as_body(struct str input)
{
	check_row(&(struct record){
		.kind = RECORD_SESSION, .id = SESSION_ID, .owner = STR("u1"), .body = input });
	check_row(&(struct record){ .kind = RECORD_SERVICE_ACCOUNT,
				    .id = SESSION_ID,
				    .owner = STR("u1"),
				    .body = input });
	check_row(&(struct record){ .kind = RECORD_DEVICE_LOGIN,
				    .id = CODE_HASH,
				    .owner = STR("BCDFGHJK"),
				    .body = input });
}

static void check_as_sealed(struct str input)
{
	struct buf sealed = BUF_INIT(PLAIN_MAX + SEAL_OVERHEAD);
	struct buf body = BUF_INIT(4 * PLAIN_MAX);
	struct err e;

	if (input.len <= PLAIN_MAX &&
	    seal_close(key, input, STR("1/3b241101-e2bb-4255-8caf-4136c566a962"), &sealed, &e) ==
		    0) {
		(void)buf_append_str(
			&body,
			STR("{\"idp\":\"\",\"description\":\"\",\"user\":\"u1\",\"email\":\"\","
			    "\"name\":\"\",\"groups\":[],\"claims\":\"{}\",\"issued\":1,"
			    "\"valid_until\":2,\"tag\":\"00000000000000000000000000000000"
			    "00000000000000000000000000000000\",\"access_expires\":1,"
			    "\"id_expires\":0,\"refreshed\":1,\"userinfo\":0,\"failures\":1,"
			    "\"failed\":9007199254740992,\"sealed\":\""));
		(void)base64_encode(&body, BASE64_STANDARD, sealed.data, sealed.len);
		(void)buf_append_str(&body, STR("\"}"));
		check_row(&(struct record){ .kind = RECORD_SESSION,
					    .id = SESSION_ID,
					    .owner = STR("u1"),
					    .body = buf_view(&body) });
	}
	buf_done(&sealed);
	buf_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_as_body(input);
	check_as_sealed(input);
	return 0;
}
