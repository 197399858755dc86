/*
 * fuzz_login_answers.c - what a gateway answers around a login, and what a person pastes
 *
 * Properties: whatever is accepted can be shown on a terminal, be part of a request, and stay a token.
 */

#include <assert.h>

#include "cli/browser_login.h"
#include "cli/credentials.h"
#include "cli/device_login.h"
#include "cli/pasted_login.h"
#include "cli/who.h"
#include "tests/fuzz/fuzz.h"

#define OURS "http://127.0.0.1:40001/0123"

static void check_offer(struct str input)
{
	struct device_login_offer offer;

	if (device_login_read_offer(input, &offer) < 0)
		return;
	assert(offer.authorization_path[0] == '/' && offer.token_path[0] == '/');
	assert(str_is_printable_ascii(str_from(offer.authorization_path)));
	assert(!str_contains(str_from(offer.token_path), STR(" ")));
}

static void check_codes(struct str input)
{
	struct device_login_codes codes;
	struct err e;

	if (device_login_read_codes(input, &codes, &e) < 0)
		return;
	assert(codes.device_code[0] && str_is_printable_ascii(str_from(codes.user_code)));
	assert(browser_login_is_address(str_from(codes.address)));
	assert(browser_login_is_address(str_from(codes.complete_address)));
	assert(codes.expires_s >= 1 && codes.expires_s <= DEVICE_LOGIN_S_MAX);
	assert(codes.interval_s >= 1 && codes.interval_s <= DEVICE_LOGIN_INTERVAL_MAX);
}

static void check_answer(int status, struct str input)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	struct err e = { 0 };
	enum device_login_answer answer = device_login_read_answer(status, input, &token, &e);

	if (answer == DEVICE_ANSWER_TOKEN)
		assert(status == 200 && token_is_valid(buf_view(&token)));
	else
		assert(token.len == 0);
	if (answer == DEVICE_ANSWER_FINAL)
		assert(e.kind != ERR_NONE);
	buf_done_secret(&token);
}

static void check_pasted(struct str input)
{
	struct arena arena = { 0 };
	struct str token;
	struct err e;

	if (pasted_login_read(input, STR(OURS), &arena, &token, &e) == 0)
		assert(token_is_valid(token) && str_starts_with(str_trim(input), STR(OURS "?")));
	arena_done(&arena);
}

static void check_who(struct str input)
{
	struct who who = { 0 };
	struct err e;

	if (who_read(input, &who, &e) == 0)
		assert(who.group_count <= WHO_GROUPS_MAX && who_name(&who).len > 0);
	who_done(&who);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_offer(input);
	check_codes(input);
	check_answer(200, input);
	check_answer(400, input);
	check_pasted(input);
	check_who(input);
	return 0;
}
