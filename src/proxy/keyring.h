#pragma once

/*
 * keyring.h - the key sets of issuers, fetched and kept fresh
 *
 * Keys are fetched when they are first needed, again when a token names one that is not there (but not more often than every
 * KEYRING_REFETCH_S per set, whoever sends what), and when they are KEYRING_AGE_MAX_S old. Old ones count until new ones
 * have arrived, for KEYRING_STALE_MAX_S at most.
 *
 * Threads    keyring_find(): any. Everything else: that of the loop.
 * Limits     KEYRING_SETS_MAX; the set used longest ago is forgotten.
 */

#include "base/err.h"
#include "base/str.h"
#include "jose/jwks.h"

#define KEYRING_SETS_MAX    256
#define KEYRING_REFETCH_S   10
#define KEYRING_AGE_MAX_S   3600
#define KEYRING_STALE_MAX_S 86400

struct fetcher;
struct keyring;
struct keyring_wait;
struct loop;

struct keyring *keyring_new(struct loop *loop, struct fetcher *fetcher);
void keyring_free(struct keyring *k); /* nobody may wait any more; NULL is ignored */

/* A reference to what is known, or NULL. */
struct jwks *keyring_find(struct keyring *k, struct str jwks_url);

/*
 * Makes sure of keys that are not older than the last failure to find one: on_done runs once, later, with a reference
 * borrowed for the call or NULL and why. One fetch serves all who wait.
 */
struct keyring_wait *keyring_renew(struct keyring *k, struct str jwks_url,
				   void (*on_done)(void *arg, struct jwks *keys,
						   const struct err *e),
				   void *arg);
void keyring_cancel(struct keyring_wait *wait); /* NULL is ignored */
