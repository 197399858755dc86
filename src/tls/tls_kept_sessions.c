#include "tls/tls_kept_sessions.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "tls/tls_config_parts.h"

#define KEY_MAX (2 * TLS_KEPT_DIGEST_SIZE + 1)

/* With its length in front, so that no two lists of parts look alike. */
static void digest_part(EVP_MD_CTX *digest, struct str part)
{
	uint64_t len = part.len;

	EVP_DigestUpdate(digest, &len, sizeof(len));
	EVP_DigestUpdate(digest, part.at, part.len);
}

static bool digest_parts(const struct str *parts, size_t count, uint8_t out[TLS_KEPT_DIGEST_SIZE])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool is_done = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; is_done && i < count; i++)
		digest_part(digest, parts[i]);
	is_done = is_done && EVP_DigestFinal_ex(digest, out, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return is_done;
}

void tls_kept_sessions_bind(struct tls_kept_sessions *kept,
			    const struct tls_client_options *options)
{
	const struct tls_key_pair none = { 0 };
	const struct tls_key_pair *pair = options->client_pair ? options->client_pair : &none;
	const struct str parts[] = {
		options->extra_roots_pem,
		options->only_extra_roots ? STR("only") : STR("besides"),
		str_from(getenv(X509_get_default_cert_dir_env())),
		str_from(getenv(X509_get_default_cert_file_env())),
		pair->certificate_pem,
	};

	if (options->same) {
		memcpy(kept->settings, options->same->kept.settings, sizeof(kept->settings));
		kept->is_possible = options->same->kept.is_possible;
		return;
	}
	/* whoever has a token is to show with every process that it is there */
	kept->is_possible = options->verify && !options->client_token &&
			    digest_parts(parts, ARRAY_LEN(parts), kept->settings);
}

static bool make_key(const struct tls_kept_sessions *kept, const char *name, char out[KEY_MAX])
{
	const struct str parts[] = { str_of(kept->settings, sizeof(kept->settings)),
				     str_from(name) };
	struct buf hex = BUF_INIT(KEY_MAX);
	uint8_t digest[TLS_KEPT_DIGEST_SIZE];

	if (!digest_parts(parts, ARRAY_LEN(parts), digest) ||
	    hex_encode(&hex, digest, sizeof(digest)) < 0)
		return false;
	memcpy(out, hex.data, hex.len);
	out[hex.len] = '\0';
	buf_done(&hex);
	return true;
}

void tls_kept_sessions_put(struct tls_kept_sessions *kept, const char *name, SSL_SESSION *session)
{
	int len = i2d_SSL_SESSION(session, NULL);
	uint8_t *bytes = NULL;
	char key[KEY_MAX];

	if (!kept->store.put || !kept->is_possible || len <= 0 || len > TLS_SESSION_SIZE_MAX ||
	    SSL_SESSION_is_resumable(session) != 1 || !make_key(kept, name, key)) {
		ERR_clear_error();
		return;
	}
	len = i2d_SSL_SESSION(session, &bytes);
	if (len > 0)
		kept->store.put(kept->store.arg, key, str_of(bytes, (size_t)len));
	OPENSSL_clear_free(bytes, len > 0 ? (size_t)len : 0);
	ERR_clear_error();
}

/* The file may be whatever somebody has put there. */
static SSL_SESSION *read_session(struct str bytes, const char *name)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)bytes.len);
	const char *own_name = session ? SSL_SESSION_get0_hostname(session) : NULL;
	bool is_good = session && SSL_SESSION_is_resumable(session) == 1 &&
		       (!own_name || strcmp(own_name, name) == 0) &&
		       clock_now_unix() < (int64_t)SSL_SESSION_get_time(session) +
						  SSL_SESSION_get_timeout(session);

	ERR_clear_error();
	if (is_good)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

SSL_SESSION *tls_kept_sessions_take(struct tls_kept_sessions *kept, const char *name)
{
	struct buf bytes = BUF_INIT(TLS_SESSION_SIZE_MAX);
	SSL_SESSION *session = NULL;
	char key[KEY_MAX];

	if (!kept->store.take || !kept->is_possible || !make_key(kept, name, key))
		return NULL;
	if (kept->store.take(kept->store.arg, key, &bytes))
		session = read_session(buf_view(&bytes), name);
	buf_done_secret(&bytes);
	return session;
}
