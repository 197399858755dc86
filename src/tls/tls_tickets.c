#include "tls/tls_tickets.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "tls/tls_error.h"

/*
 * A key is HKDF-SHA256 of the secret and the number of the period. Three are at hand: that of now, with which tickets are
 * made, and for opening them those before and after it as well, because a ticket is good as long as a period, and because the clocks
 * of those who share a secret differ.
 *
 * A ticket of TLS 1.2 goes over the wire in the clear and holds what decrypts its connection, so who learns the secret
 * one day could read whatever was recorded before. In TLS 1.3 it holds less, and every connection has its own
 * Diffie-Hellman. So the secret that is shared, and stays, is for TLS 1.3 alone; TLS 1.2 has one of this process's own.
 *
 * Who resumes gets a new ticket, and could go on with what was once agreed for ever, without seeing the server's
 * certificate again. So a ticket holds when its first handshake was.
 *
 * It also holds the leaf of a client's certificate but not its chain, so a session with one is never resumed: what is
 * known of the client would not be the same. Nothing else in it says who somebody is.
 */

#define TICKET_LABEL  "pomerium tls ticket v1"
#define NAME_SIZE     16 /* these two are OpenSSL's */
#define IV_SIZE       16
#define NUMBER_SIZE   8
#define PERIODS       3
#define PERIOD_OF_NOW 1 /* among them */

struct ticket_key {
	uint8_t name[NAME_SIZE];
	uint8_t cipher[32];
	uint8_t mac[32];
};

struct ticket_ring {
	uint8_t secret[TLS_TICKET_SECRET_SIZE];
	bool has_keys;
	int64_t period; /* of now */
	struct ticket_key keys[PERIODS];
};

struct tls_tickets {
	pthread_mutex_t lock; /* for all but the secrets */
	EVP_KDF *kdf;
	EVP_CIPHER *cipher;
	bool is_shared; /* the secret of ring */
	struct ticket_ring ring;
	struct ticket_ring ring_tls12;
};

/* Big endian: the machines of those who share a secret differ as well. */
static void write_number(uint8_t out[NUMBER_SIZE], int64_t number)
{
	for (size_t i = 0; i < NUMBER_SIZE; i++)
		out[NUMBER_SIZE - 1 - i] = (uint8_t)((uint64_t)number >> (8 * i));
}

static int64_t read_number(const uint8_t in[NUMBER_SIZE])
{
	uint64_t number = 0;

	for (size_t i = 0; i < NUMBER_SIZE; i++)
		number = number << 8 | in[i];
	return (int64_t)number;
}

/* ---- keys ---- */

static int derive(const struct tls_tickets *tickets, uint8_t *secret, int64_t period,
		  struct ticket_key *ret)
{
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(tickets->kdf);
	uint8_t info[sizeof(TICKET_LABEL) + NUMBER_SIZE] = TICKET_LABEL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret,
						  TLS_TICKET_SECRET_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
		OSSL_PARAM_construct_end(),
	};
	int result = -1;

	write_number(info + sizeof(TICKET_LABEL), period);
	if (context && EVP_KDF_derive(context, (uint8_t *)ret, sizeof(*ret), params) == 1)
		result = 0;
	EVP_KDF_CTX_free(context);
	return result;
}

static int fill_ring(const struct tls_tickets *tickets, struct ticket_ring *ring)
{
	int64_t period = clock_now_unix() / TLS_TICKET_PERIOD_S;

	if (ring->has_keys && ring->period == period)
		return 0;
	ring->has_keys = false;
	mem_wipe(ring->keys, sizeof(ring->keys));
	for (int i = 0; i < PERIODS; i++)
		if (derive(tickets, ring->secret, period + i - PERIOD_OF_NOW, &ring->keys[i]) < 0)
			return -1;
	ring->period = period;
	ring->has_keys = true;
	return 0;
}

/* NULL: the key of now. Returns which of the periods it is, or -1. */
static int find_key(struct tls_tickets *tickets, struct ticket_ring *ring, const uint8_t *name,
		    struct ticket_key *ret)
{
	int found = -1;

	pthread_mutex_lock(&tickets->lock);
	if (fill_ring(tickets, ring) == 0) {
		for (int i = 0; name && i < PERIODS; i++)
			if (memcmp(ring->keys[i].name, name, NAME_SIZE) == 0)
				found = i;
		if (!name)
			found = PERIOD_OF_NOW;
	}
	if (found >= 0)
		*ret = ring->keys[found];
	pthread_mutex_unlock(&tickets->lock);
	return found;
}

/* ---- for OpenSSL ---- */

static bool use_key(const struct tls_tickets *tickets, const struct ticket_key *key,
		    const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_init(mac, key->mac, sizeof(key->mac), params) == 1 &&
	       EVP_CipherInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv, is_sealing) == 1;
}

/* 1: done; 2: done, and the client shall have a new ticket; 0: a full handshake; -1: none at all. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
			 EVP_MAC_CTX *mac, int is_sealing)
{
	struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	bool is_tls13 = SSL_version(ssl) == TLS1_3_VERSION;
	struct ticket_ring *ring = is_tls13 ? &tickets->ring : &tickets->ring_tls12;
	struct ticket_key key;
	int found = find_key(tickets, ring, is_sealing ? NULL : name, &key);
	bool is_done;

	if (found < 0)
		return is_sealing ? -1 : 0;
	if (is_sealing) {
		memcpy(name, key.name, NAME_SIZE);
		random_bytes(iv, IV_SIZE);
	}
	is_done = use_key(tickets, &key, iv, cipher, mac, is_sealing);
	mem_wipe(&key, sizeof(key));
	if (!is_done)
		return -1;
	/* of TLS 1.3 a client uses each ticket once */
	return is_sealing || (found == PERIOD_OF_NOW && !is_tls13) ? 1 : 2;
}

/* What was resumed has its first handshake's already. */
static int on_new_ticket(SSL *ssl, void *arg)
{
	uint8_t begun[NUMBER_SIZE];

	(void)arg;
	if (SSL_session_reused(ssl))
		return 1;
	write_number(begun, clock_now_unix());
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), begun, sizeof(begun));
}

static bool is_too_old(SSL_SESSION *session)
{
	int64_t now_unix = clock_now_unix();
	int64_t begun_unix;
	void *begun = NULL;
	size_t len = 0;

	if (SSL_SESSION_get0_ticket_appdata(session, &begun, &len) != 1 || len != NUMBER_SIZE)
		return true;
	begun_unix = read_number(begun);
	return begun_unix <= now_unix - TLS_TICKET_RESUMED_S ||
	       begun_unix > now_unix + 2 * TLS_TICKET_PERIOD_S; /* of no clock whose keys we have */
}

static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
				   size_t key_name_len, SSL_TICKET_STATUS status, void *arg)
{
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_peer(session))
		return SSL_TICKET_RETURN_IGNORE;
	if (is_too_old(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- beginning and end ---- */

int tls_tickets_new(struct str secret, struct tls_tickets **ret, struct err *e)
{
	struct tls_tickets *tickets = mem_alloc(sizeof(*tickets));

	assert(secret.len == 0 || secret.len == TLS_TICKET_SECRET_SIZE);
	pthread_mutex_init(&tickets->lock, NULL);
	random_bytes(tickets->ring_tls12.secret, TLS_TICKET_SECRET_SIZE);
	tickets->is_shared = secret.len > 0;
	memcpy(tickets->ring.secret,
	       tickets->is_shared ? (const uint8_t *)secret.at : tickets->ring_tls12.secret,
	       TLS_TICKET_SECRET_SIZE);
	ERR_clear_error();
	tickets->kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!tickets->kdf || !tickets->cipher) {
		tls_tickets_free(tickets);
		return tls_err_openssl(e, ERR_TLS, "TLS sessions cannot be set up");
	}
	*ret = tickets;
	return 0;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
	if (!tickets)
		return;
	EVP_KDF_free(tickets->kdf);
	EVP_CIPHER_free(tickets->cipher);
	pthread_mutex_destroy(&tickets->lock);
	mem_wipe(tickets, sizeof(*tickets));
	mem_free(tickets);
}

void tls_tickets_succeed(struct tls_tickets *later, const struct tls_tickets *earlier)
{
	const uint8_t *made_up = earlier->ring_tls12.secret;

	memcpy(later->ring_tls12.secret, made_up, TLS_TICKET_SECRET_SIZE);
	if (!later->is_shared)
		memcpy(later->ring.secret, made_up, TLS_TICKET_SECRET_SIZE);
}

int tls_tickets_apply(struct tls_tickets *tickets, SSL_CTX *context, struct err *e)
{
	SSL_CTX_set_app_data(context, tickets);
	SSL_CTX_set_timeout(context, TLS_TICKET_PERIOD_S);
	if (SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key) == 1 &&
	    SSL_CTX_set_session_ticket_cb(context, on_new_ticket, on_ticket, NULL) == 1)
		return 0;
	return tls_err_openssl(e, ERR_TLS, "TLS sessions cannot be set up");
}
