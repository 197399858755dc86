/*
 * seal.c - libsodium writes ciphertext and tag in one piece; the nonce goes behind them
 *
 * With 24 random bytes the nonce never repeats under one key.
 */

#include "jose/seal.h"

#include <assert.h>

#include <sodium.h>

#include "base/random.h"

#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE   crypto_aead_xchacha20poly1305_ietf_ABYTES

static_assert(SEAL_OVERHEAD == TAG_SIZE + NONCE_SIZE, "the layout in seal.h");
static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key in seal.h");

static const uint8_t *bytes(struct str s)
{
	return (const uint8_t *)(s.len ? s.at : "");
}

static int start_library(struct err *e)
{
	return sodium_init() < 0 ? err_set(e, ERR_CRYPTO, "cannot start libsodium") : 0;
}

int seal_close(const uint8_t key[SEAL_KEY_SIZE], struct str plaintext, struct str associated_data,
	       struct buf *out, struct err *e)
{
	uint8_t nonce[NONCE_SIZE];
	unsigned long long made = 0;
	uint8_t *room;
	size_t size;
	int rc;

	if (start_library(e))
		return -1;
	if (__builtin_add_overflow(plaintext.len, SEAL_OVERHEAD, &size) ||
	    !(room = buf_reserve(out, size)))
		return err_set(e, ERR_LIMIT, "the text is too long to be sealed");

	random_bytes(nonce, sizeof(nonce));
	rc = crypto_aead_xchacha20poly1305_ietf_encrypt(room, &made, bytes(plaintext),
							plaintext.len, bytes(associated_data),
							associated_data.len, NULL, nonce, key);
	assert(rc == 0 && made == plaintext.len + TAG_SIZE);
	memcpy(room + made, nonce, sizeof(nonce));
	buf_commit(out, size);
	return 0;
}

int seal_open(const uint8_t key[SEAL_KEY_SIZE], struct str envelope, struct str associated_data,
	      struct buf *out, struct err *e)
{
	unsigned long long made = 0;
	const uint8_t *nonce;
	uint8_t *room;

	if (start_library(e))
		return -1;
	if (envelope.len < SEAL_OVERHEAD)
		return err_set(e, ERR_CRYPTO, "the envelope is too short");
	room = buf_reserve(out, envelope.len - SEAL_OVERHEAD);
	if (!room)
		return err_set(e, ERR_LIMIT, "the envelope is too long");

	nonce = bytes(envelope) + envelope.len - NONCE_SIZE;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    room, &made, NULL, bytes(envelope), envelope.len - NONCE_SIZE,
		    bytes(associated_data), associated_data.len, nonce, key))
		return err_set(e, ERR_CRYPTO, "the envelope is not genuine");
	buf_commit(out, (size_t)made);
	return 0;
}
