#pragma once

/*
 * device_login.h - a login asked for by a machine without a browser (RFC 8628, extensions.md 8)
 *
 * Ownership  Immutable after creation, reference counted.
 */

#include <stdint.h>

#include "base/random.h"
#include "base/str.h"

#define DEVICE_CODE_BYTES    32
#define DEVICE_HASH_LEN      64 /* SHA-256 of the device code in hex: what is kept */
#define DEVICE_USER_CODE_LEN 8  /* consonants; shown in two groups of four */
#define DEVICE_NAME_MAX      128
#define DEVICE_LIFE_S        600
#define DEVICE_INTERVAL_S    2

enum device_state { DEVICE_PENDING, DEVICE_APPROVED, DEVICE_DENIED };

struct device_login {
	char hash[DEVICE_HASH_LEN + 1];
	char user_code[DEVICE_USER_CODE_LEN + 1];
	enum device_state state;
	char session_id[UUID_TEXT_LEN + 1]; /* whose token the machine gets; "" unless approved */
	struct str client_name;             /* belongs to the login, like what follows */
	struct str client_address;
	struct str authority; /* the host the machine asked: the audience of its token */
	int64_t created_unix;
	int64_t expires_unix;
	uint64_t record_version; /* given by the store */
};

/* Copies everything; of client_name what may be shown, cut at DEVICE_NAME_MAX bytes. */
struct device_login *device_login_new(const struct device_login *facts) MUST_CHECK;
struct device_login *device_login_ref(struct device_login *login);
void device_login_unref(struct device_login *login); /* NULL is ignored */

/* A fresh random user code. */
void device_user_code_new(char out[DEVICE_USER_CODE_LEN + 1]);

/* What somebody typed, without blanks and dashes and in upper case; false if that cannot be a code. */
bool device_user_code_read(struct str text, char out[DEVICE_USER_CODE_LEN + 1]);

/* A fresh random device code, base64url; and what is kept of one. */
struct buf;
void device_code_new(struct buf *out);
void device_code_hash(struct str code, char out[DEVICE_HASH_LEN + 1]);
