#include "jose/pem_keys.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/codec.h"

/* An RSA key of 8192 bits takes some 6,400 in base64. */
#define BODY_MAX 16384

struct block {
	struct str label;
	struct str body;
};

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)

/* "-----BEGIN label-----" */
static bool read_edge(struct str line, struct str word, struct str *ret_label)
{
	struct str dashes = STR("-----");

	line = str_trim(line);
	if (!str_starts_with(line, word) || !str_ends_with(line, dashes) ||
	    line.len < word.len + dashes.len)
		return false;
	*ret_label = str_of(line.at + word.len, line.len - word.len - dashes.len);
	return true;
}

static int next_block(struct str *rest, struct block *ret, struct err *e)
{
	struct block block = { 0 };
	struct str end;
	struct str line;
	const char *body;

	(void)str_cut(rest, '\n', &line); /* it is not empty */
	if (!read_edge(line, STR("-----BEGIN "), &block.label))
		return err_set(e, ERR_CONFIG, "there is text that is not PEM");
	body = rest->at;
	while (str_cut(rest, '\n', &line)) {
		if (!str_starts_with(line, STR("-----")))
			continue;
		if (!read_edge(line, STR("-----END "), &end) || !str_equal(end, block.label))
			break;
		block.body = str_of(body, (size_t)(line.at - body));
		*ret = block;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "its END line is missing");
}

static int check_label(const struct block *block, struct err *e)
{
	if (str_equal(block->label, STR("ENCRYPTED PRIVATE KEY")) ||
	    str_contains(block->body, STR("ENCRYPTED")))
		return err_set(e, ERR_CONFIG, "it is encrypted; give one without a passphrase");
	if (!str_equal(block->label, STR("PRIVATE KEY")) &&
	    !str_equal(block->label, STR("EC PRIVATE KEY")) &&
	    !str_equal(block->label, STR("RSA PRIVATE KEY")))
		return err_set(e, ERR_CONFIG, "it is no private key but \"%.*s\"",
			       STR_FMT(str_first(block->label, 40)));
	return 0;
}

static int decode_body(struct str body, struct buf *der)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(BODY_MAX);
	struct str line;

	while (str_cut(&body, '\n', &line))
		if (buf_append_str(&text, str_trim(line)))
			return -1;
	return base64_decode(der, BASE64_STANDARD, buf_view(&text));
}

EVP_PKEY *pem_key_from_der(struct str der)
{
	const uint8_t *at = (const uint8_t *)der.at;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der.len);

	ERR_clear_error();
	if (!key || at != (const uint8_t *)der.at + der.len)
		return NULL;
	return TAKE(key);
}

int pem_keys_next(struct str *rest, EVP_PKEY **ret, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf der = BUF_INIT(BODY_MAX);
	struct block block = { 0 };
	EVP_PKEY *key;

	do {
		*rest = str_trim(*rest);
		if (!rest->len) {
			*ret = NULL;
			return 0;
		}
		if (next_block(rest, &block, e))
			return -1;
	} while (str_equal(block.label, STR("EC PARAMETERS")));

	if (check_label(&block, e))
		return -1;
	key = decode_body(block.body, &der) ? NULL : pem_key_from_der(buf_view(&der));
	if (!key)
		return err_set(e, ERR_CONFIG, "it cannot be read");
	*ret = key;
	return 0;
}
