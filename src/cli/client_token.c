/*
 * client_token.c - URIs of the flags to a token for tls/, and the PIN from where they say or from the user
 */

#include "cli/client_token.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/options.h"
#include "cli/platform.h"

#define PIN_FILE_MAX 4096
#define QUESTION_MAX 512

/* The question has the token's own name for itself in it. */
static int ask(const char *question, struct buf *ret_pin, struct err *e)
{
	struct buf shown = BUF_INIT(QUESTION_MAX);
	int result;

	(void)utf8_append_shown(&shown, str_from(question)); /* too long: it is asked without it */
	(void)buf_append(&shown, " ", 2);
	result = platform_ask_secret(shown.is_overflown ? "PIN: " : (const char *)shown.data,
				     ret_pin, e);
	buf_done(&shown);
	if (result == 0)
		return 0;
	return err_wrap(e, "the token wants its PIN; a file with it can be named in the URI, "
			   "?pin-source=/path");
}

static int read_pin(void *arg, const char *question, struct buf *ret_pin, struct err *e)
{
	const struct client_token *token = arg;
	const struct token_uri *uri = token->key.pin || token->key.pin_path ? &token->key
									    : &token->certificate;
	struct buf contents = BUF_INIT(PIN_FILE_MAX);
	int result;

	if (uri->pin)
		return buf_append_str(ret_pin, str_from(uri->pin)) < 0
			       ? err_set(e, ERR_CONFIG, "pin-value is too long for a PIN")
			       : 0;
	if (!uri->pin_path)
		return ask(question, ret_pin, e);
	result = file_read(uri->pin_path, &contents, e);
	if (result < 0)
		err_wrap(e, "pin-source");
	else if (buf_append_str(ret_pin, str_trim(buf_view(&contents))) < 0)
		result = err_set(e, ERR_CONFIG, "pin-source: the file holds more than a PIN");
	buf_done_secret(&contents);
	return result;
}

/* As other programs do it: what was read is made unreadable for ps. */
static void hide_pin(const char *flag)
{
	char *text = (char *)(uintptr_t)flag; /* argv is the program's to write to */
	char *at = text ? strstr(text, "pin-value=") : NULL;

	for (at = at ? at + strlen("pin-value=") : NULL; at && *at && *at != '&'; at++)
		*at = 'x';
}

static int parse(const char *name, const char *flag, struct token_uri *ret, struct err *e)
{
	if (!token_uri_is(flag))
		return 0;
	if (token_uri_parse(str_from(flag), ret, e) < 0)
		return err_wrap(e, "--%s", name);
	hide_pin(flag);
	return 0;
}

static int check_module(const char *path, struct err *e)
{
	if (!path || access(path, R_OK) == 0)
		return 0;
	return err_set(e, ERR_CONFIG, "there is no PKCS#11 module %s", path);
}

static int load(const struct options *options, struct client_token *t, struct err *e)
{
	if (parse("client-cert", options->client_cert, &t->certificate, e) < 0 ||
	    parse("client-key", options->client_key, &t->key, e) < 0)
		return -1;
	t->token = (struct tls_token){
		.certificate_uri = t->certificate.object,
		.key_uri = options->client_key ? t->key.object : t->certificate.object,
		.module_path = t->key.module_path ? t->key.module_path : t->certificate.module_path,
		.read_pin = read_pin,
		.arg = t,
	};
	return check_module(t->token.module_path, e);
}

int client_token_load(const struct options *options, struct client_token *ret, struct err *e)
{
	*ret = (struct client_token){ 0 };
	if (load(options, ret, e) == 0)
		return 0;
	client_token_done(ret);
	return -1;
}

void client_token_done(struct client_token *token)
{
	token_uri_done(&token->certificate);
	token_uri_done(&token->key);
}
