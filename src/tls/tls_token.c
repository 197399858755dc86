/* Engines are deprecated in favour of providers, of which Debian 12 has none for PKCS#11. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tls/tls_token.h"

#include <stdint.h>
#include <string.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "tls/tls_error.h"

/*
 * The engine asks for the PIN through a "user interface" of OpenSSL, and only when the token wants one. Ours passes the
 * question on and answers it once: a wrong PIN tried again would lock the token. The engine remembers whom to ask for
 * as long as its keys live; so when everything is read it is told to ask nobody.
 */

struct question {
	const struct tls_token *token;
	const char *origin;
	struct err *e;
	bool was_asked;
	bool has_failed; /* e says why */
};

/* As the engine's LOAD_CERT_CTRL wants it. */
struct certificate_request {
	const char *uri;
	X509 *certificate;
};

/* ---- the PIN ---- */

static int give_pin(UI *ui, UI_STRING *wanted, struct question *question)
{
	struct buf pin = BUF_INIT(TLS_TOKEN_PIN_MAX + 1);
	int result = question->token->read_pin(question->token->arg, UI_get0_output_string(wanted),
					       &pin, question->e);

	if (result == 0 && (pin.len < TLS_TOKEN_PIN_MIN || pin.len > TLS_TOKEN_PIN_MAX))
		result = err_set(question->e, ERR_CONFIG, "a PIN has %d to %d characters",
				 TLS_TOKEN_PIN_MIN, TLS_TOKEN_PIN_MAX);
	if (result == 0)
		result = UI_set_result_ex(ui, wanted, (const char *)pin.data, (int)pin.len);
	else
		err_wrap(question->e, "%s", question->origin);
	buf_done_secret(&pin);
	return result;
}

static int on_ui_read(UI *ui, UI_STRING *wanted)
{
	struct question *question = UI_get0_user_data(ui);

	if (UI_get_string_type(wanted) != UIT_PROMPT || question->was_asked)
		return 0;
	question->was_asked = true;
	question->has_failed = give_pin(ui, wanted, question) != 0;
	return !question->has_failed;
}

static void set_user_interface(ENGINE *engine, const UI_METHOD *ui, struct question *question)
{
	ENGINE_ctrl_cmd(engine, "SET_USER_INTERFACE", 0, (void *)(uintptr_t)ui, NULL, 1);
	ENGINE_ctrl_cmd(engine, "SET_CALLBACK_DATA", 0, question, NULL, 1);
}

/* ---- the engine ---- */

static ENGINE *open_engine(const struct question *question)
{
	const char *module = question->token->module_path;
	ENGINE *engine;

	ERR_clear_error();
	ENGINE_load_dynamic();
	engine = ENGINE_by_id("pkcs11");
	if (!engine) {
		ERR_clear_error();
		err_set(question->e, ERR_CONFIG,
			"%s: OpenSSL has no engine for PKCS#11 here (Debian: libengine-pkcs11-openssl)",
			question->origin);
		return NULL;
	}
	ENGINE_ctrl_cmd(engine, "QUIET", 0, NULL, NULL, 1);
	if ((!module || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0)) &&
	    ENGINE_init(engine))
		return engine;
	tls_err_openssl(question->e, ERR_CONFIG, "%s: the PKCS#11 engine cannot be used",
			question->origin);
	ENGINE_free(engine);
	return NULL;
}

static void close_engine(ENGINE *engine)
{
	set_user_interface(engine, UI_null(), NULL);
	ENGINE_finish(engine);
	ENGINE_free(engine);
}

/* ---- what went wrong ---- */

/* The engine's libraries get their numbers when they are loaded: only their names are certain. */
static const struct {
	const char *library;
	int reason;
	const char *text;
} problems[] = {
	{ "PKCS#11 module", 0xa0, "the PIN is wrong" }, /* CKR_PIN_INCORRECT and so on */
	{ "PKCS#11 module", 0xa1, "the PIN is wrong" },
	{ "PKCS#11 module", 0xa2, "the PIN is too short or too long" },
	{ "PKCS#11 module", 0xa3, "the PIN has expired" },
	{ "PKCS#11 module", 0xa4, "the PIN is locked: it was wrong too often" },
	{ "PKCS#11 module", 0x30, "the token does not work" },
	{ "PKCS#11 module", 0x32, "the token was taken away" },
	{ "PKCS#11 module", 0xe0, "the token is not there" },
	{ "libp11", 0x401, "the PKCS#11 module cannot be loaded" },
	{ "pkcs11 engine", 0x65,
	  "no token that is here has what the URI names (p11-kit list-modules shows which are)" },
};

static const char *find_problem(unsigned long code)
{
	const char *library = ERR_lib_error_string(code);

	for (size_t i = 0; library && i < ARRAY_LEN(problems); i++)
		if (strcmp(problems[i].library, library) == 0 &&
		    problems[i].reason == ERR_GET_REASON(code))
			return problems[i].text;
	return NULL;
}

static int explain(const struct question *question, const char *what)
{
	const char *text = NULL;
	unsigned long code;

	if (question->has_failed) {
		ERR_clear_error();
		return -1;
	}
	while (!text && (code = ERR_peek_error()) != 0) {
		text = find_problem(code);
		if (!text && ERR_peek_last_error() == code)
			break; /* left for OpenSSL to word */
		(void)ERR_get_error();
	}
	if (!text)
		return tls_err_openssl(question->e, ERR_CONFIG, "%s: the token's %s cannot be used",
				       question->origin, what);
	ERR_clear_error();
	return err_set(question->e, ERR_CONFIG, "%s: the token's %s cannot be used: %s",
		       question->origin, what, text);
}

/* ---- the pair ---- */

static int read_certificate(ENGINE *engine, const struct question *question,
			    const struct tls_key_pair *pair, struct tls_pem_pair *out)
{
	struct certificate_request request = { .uri = question->token->certificate_uri };

	if (!request.uri)
		return tls_pem_chain_read(pair->certificate_pem, question->origin, out,
					  question->e);
	if (!ENGINE_ctrl_cmd(engine, "LOAD_CERT_CTRL", 0, &request, NULL, 1) ||
	    !request.certificate)
		return explain(question, "certificate");
	out->leaf = request.certificate;
	return 0;
}

static int read_key(ENGINE *engine, UI_METHOD *ui, struct question *question,
		    const struct tls_key_pair *pair, struct tls_pem_pair *out)
{
	const char *uri = question->token->key_uri;

	if (!uri)
		return tls_pem_key_read(pair->key_pem, question->origin, &out->key, question->e);
	out->key = ENGINE_load_private_key(engine, uri, ui, question);
	return out->key ? 0 : explain(question, "key");
}

static int read_pair(ENGINE *engine, struct question *question, const struct tls_key_pair *pair,
		     struct tls_pem_pair *out)
{
	UI_METHOD *ui = UI_create_method("PIN");
	int result = -1;

	UI_method_set_reader(ui, on_ui_read);
	set_user_interface(engine, ui, question);
	if (read_certificate(engine, question, pair, out) == 0)
		result = read_key(engine, ui, question, pair, out);
	set_user_interface(engine, UI_null(), NULL);
	UI_destroy_method(ui);
	return result;
}

int tls_token_pair_read(const struct tls_token *token, const struct tls_key_pair *pair,
			struct tls_pem_pair *ret, struct err *e)
{
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair read = { 0 };
	struct question question = { .token = token, .origin = pair->origin, .e = e };
	ENGINE *engine = open_engine(&question);
	int result;

	if (!engine)
		return -1;
	result = read_pair(engine, &question, pair, &read);
	close_engine(engine);
	if (result < 0 || tls_pem_pair_check(&read, question.origin, e) < 0)
		return -1;
	ERR_clear_error();
	*ret = read;
	read = (struct tls_pem_pair){ 0 };
	return 0;
}
