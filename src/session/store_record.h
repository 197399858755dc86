#pragma once

/*
 * store_record.h - records as rows: what is in the body, and what of it is sealed
 *
 * Private to session/. The body is JSON; the tokens of the identity provider are in it as one envelope (jose/seal.h) that is
 * bound to kind and id. A row that cannot be read is an error that names it, and lets nobody in.
 */

#include "base/arena.h"
#include "base/err.h"
#include "jose/seal.h"
#include "session/store.h"
#include "session/store_backend.h"

/* The key that secrets are sealed under. */
void record_key_derive(struct str shared_key, uint8_t out[SEAL_KEY_SIZE]);

/* Everything but the version; texts go into the arena. */
int record_encode(const uint8_t key[SEAL_KEY_SIZE], enum record_kind kind,
		  const struct store_item *item, struct arena *arena, struct record *ret,
		  struct err *e);

/* The caller releases *ret with store_item_done(). */
int record_decode(const uint8_t key[SEAL_KEY_SIZE], const struct record *record,
		  struct store_item *ret, struct err *e);
