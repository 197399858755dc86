#pragma once

/*
 * seal.h - authenticated encryption: XChaCha20-Poly1305 envelopes (protocol.md 3.6)
 *
 * Layout: ciphertext, 16-byte tag, 24-byte nonce.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SEAL_KEY_SIZE 32
#define SEAL_OVERHEAD 40

/* Appends the envelope, with a random nonce. */
int seal_close(const uint8_t key[SEAL_KEY_SIZE], struct str plaintext, struct str associated_data,
	       struct buf *out, struct err *e);

/* Appends the plaintext, or nothing if the envelope is not genuine. */
int seal_open(const uint8_t key[SEAL_KEY_SIZE], struct str envelope, struct str associated_data,
	      struct buf *out, struct err *e);
