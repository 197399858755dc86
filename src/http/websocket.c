#include "http/websocket.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/random.h"
#include "http/tunnel_path.h"

#define NONCE_LEN 16
#define SHA1_LEN  20
#define GUID      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

bool websocket_is_request(const struct http_request *request, struct arena *arena,
			  struct str *ret_authority)
{
	const struct http_headers *headers = &request->headers;

	return str_equal(request->method, STR("GET")) && request->minor_version == 1 &&
	       http_headers_has_token(headers, STR("connection"), STR("upgrade")) &&
	       http_headers_has_token(headers, STR("upgrade"), STR("websocket")) &&
	       tunnel_path_read(request->path, STR(TUNNEL_PATH_TCP), arena, ret_authority);
}

static size_t count_named(const struct http_headers *headers, struct str name)
{
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += str_equal_nocase(headers->items[i].name, name);
	return count;
}

static int check_version(const struct http_headers *headers, struct err *e)
{
	struct str version;

	if (count_named(headers, STR("sec-websocket-version")) != 1 ||
	    !http_headers_get(headers, STR("sec-websocket-version"), &version) ||
	    !str_equal(version, STR(WEBSOCKET_VERSION)))
		return err_set(
			e, ERR_PROTOCOL,
			"a WebSocket is asked for in another version than " WEBSOCKET_VERSION);
	return 0;
}

static int check_key(const struct http_headers *headers, struct err *e)
{
	_cleanup_(buf_done) struct buf nonce = BUF_INIT(NONCE_LEN);
	const struct str name = STR("sec-websocket-key");
	struct str key;

	if (count_named(headers, name) != 1 || !http_headers_get(headers, name, &key))
		return err_set(e, ERR_PROTOCOL, "a WebSocket is asked for without one key");
	if (base64_decode(&nonce, BASE64_STANDARD, key) < 0 || nonce.len != NONCE_LEN)
		return err_set(e, ERR_PROTOCOL, "the key of a WebSocket is not 16 bytes in base64");
	return 0;
}

int websocket_check(const struct http_request *request, struct err *e)
{
	if (check_version(&request->headers, e) < 0)
		return 426;
	if (str_equal(request->method, STR("GET")) && check_key(&request->headers, e) < 0)
		return 400;
	return 0;
}

static void write_base64(char *out, size_t text_len, const void *data, size_t len)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(text_len);

	(void)base64_encode(&text, BASE64_STANDARD, data, len); /* fits */
	memcpy(out, text.data, text_len);
	out[text_len] = '\0';
}

void websocket_make_key(char out[WEBSOCKET_KEY_LEN + 1])
{
	uint8_t nonce[NONCE_LEN];

	random_bytes(nonce, sizeof(nonce));
	write_base64(out, WEBSOCKET_KEY_LEN, nonce, sizeof(nonce));
}

void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_LEN + 1])
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(HTTP_HEAD_MAX + sizeof(GUID));
	uint8_t digest[SHA1_LEN];
	int done;

	(void)buf_append_str(&text, key); /* part of a head: fits */
	(void)buf_append_str(&text, STR(GUID));
	done = EVP_Digest(text.data, text.len, digest, NULL, EVP_sha1(), NULL);
	assert(done == 1); /* memory only */
	write_base64(out, WEBSOCKET_ACCEPT_LEN, digest, sizeof(digest));
}

int websocket_check_answer(const struct http_headers *headers, struct str key, struct err *e)
{
	char wanted[WEBSOCKET_ACCEPT_LEN + 1];
	struct str accept;
	struct str ignored;

	websocket_accept(key, wanted);
	if (!http_headers_has_token(headers, STR("connection"), STR("upgrade")) ||
	    !http_headers_has_token(headers, STR("upgrade"), STR("websocket")))
		return err_set(e, ERR_PROTOCOL, "the answer upgrades to something else");
	if (count_named(headers, STR("sec-websocket-accept")) != 1 ||
	    !http_headers_get(headers, STR("sec-websocket-accept"), &accept) ||
	    !str_equal(accept, str_from(wanted)))
		return err_set(e, ERR_PROTOCOL, "the answer is not one to this WebSocket's key");
	if (http_headers_get(headers, STR("sec-websocket-extensions"), &ignored) ||
	    http_headers_get(headers, STR("sec-websocket-protocol"), &ignored))
		return err_set(e, ERR_PROTOCOL, "the answer agrees to what was not offered");
	return 0;
}
