/*
 * ssh-config PATTERN...: a Host block for ~/.ssh/config
 *
 * ssh gives the ProxyCommand to the user's shell, after it has replaced what begins with '%': both kinds of quoting are
 * applied to whatever comes from elsewhere. Flags given here become part of the command.
 */

#include "cli/command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/platform.h"
#include "cli/token_uri.h"

#define COMMAND_MAX 16384

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       strchr("+,-./:=@_", c);
}

static void append_word(struct buf *out, const char *word)
{
	bool needs_quotes = word[0] == '\0';

	for (const char *c = word; *c; c++)
		needs_quotes |= !is_plain(*c);
	if (needs_quotes)
		(void)buf_append_char(out, '\'');
	for (const char *c = word; *c; c++) {
		if (*c == '\'')
			(void)buf_append_str(out, STR("'\\''"));
		else if (*c == '%')
			(void)buf_append_str(out, STR("%%"));
		else
			(void)buf_append_char(out, *c);
	}
	if (needs_quotes)
		(void)buf_append_char(out, '\'');
}

static void append_flag(struct buf *out, const char *flag, const char *value)
{
	if (!value)
		return;
	buf_printf(out, " --%s ", flag);
	append_word(out, value);
}

/* ssh is started from anywhere. */
static void append_file_flag(struct buf *out, const char *flag, const char *file)
{
	struct buf whole = BUF_INIT(COMMAND_MAX);
	char directory[PATH_MAX];
	_cleanup_(mem_freep) char *path = NULL;

	if (!file || file[0] == '/' || token_uri_is(file) ||
	    !getcwd(directory, sizeof(directory))) {
		append_flag(out, flag, file);
		return;
	}
	out->is_overflown |= buf_printf(&whole, "%s/%s", directory, file) < 0;
	path = buf_take_string(&whole);
	append_flag(out, flag, path);
}

static char *make_command(const char *path, const struct options *options)
{
	struct buf command = BUF_INIT(COMMAND_MAX);

	append_word(&command, path);
	(void)buf_append_str(&command, STR(" tcp --listen -"));
	append_flag(&command, "pomerium-url", options->pomerium_url);
	append_file_flag(&command, "alternate-ca-path", options->alternate_ca_path);
	append_flag(&command, "ca-cert", options->ca_cert);
	append_file_flag(&command, "client-cert", options->client_cert);
	append_file_flag(&command, "client-key", options->client_key);
	append_flag(&command, "proxy", options->proxy);
	append_flag(&command, "browser-cmd", options->browser_cmd);
	append_file_flag(&command, "service-account-file", options->service_account_file);
	if (options->no_browser)
		(void)buf_append_str(&command, STR(" --no-browser"));
	if (options->disable_tls_verification)
		(void)buf_append_str(&command, STR(" --disable-tls-verification"));
	(void)buf_append_str(&command, STR(" %h:%p"));
	if (!command.is_overflown)
		return buf_take_string(&command);
	buf_done(&command);
	return NULL;
}

/* As it stands on a Host line. */
static bool is_pattern(const char *text)
{
	struct str pattern = str_from(text);

	return !str_is_empty(pattern) && str_is_printable_ascii(pattern) &&
	       str_find(pattern, ' ') == pattern.len && str_find(pattern, '"') == pattern.len &&
	       str_find(pattern, '#') == pattern.len;
}

static bool has_line_end(const char *text)
{
	return strchr(text, '\n') || strchr(text, '\r');
}

/* "http://user:password@host", or without the scheme. */
static bool has_password(struct str proxy)
{
	struct str user = str_first(proxy, str_find_last(proxy, '@'));
	size_t colon = str_find(user, ':');

	if (user.len == proxy.len)
		return false;
	if (str_starts_with(str_from_pos(user, colon), STR("://")))
		user = str_from_pos(user, colon + 3);
	return str_find(user, ':') < user.len;
}

/* What has no place in a file that others may read, as a sentence; NULL: there is nothing of that. */
static const char *find_secret(const struct options *options)
{
	if (options->service_account)
		return "a token does not belong into ~/.ssh/config: use --service-account-file";
	if (has_password(str_from(options->proxy)))
		return "a password does not belong into ~/.ssh/config: use HTTPS_PROXY";
	if (str_contains(str_from(options->client_cert), STR("pin-value=")) ||
	    str_contains(str_from(options->client_key), STR("pin-value=")))
		return "a PIN does not belong into ~/.ssh/config: use pin-source";
	return NULL;
}

enum exit_status cmd_ssh_config_run(const struct program *program, const struct options *options)
{
	_cleanup_(mem_freep) char *path = NULL;
	_cleanup_(mem_freep) char *command = NULL;
	const char *secret;
	struct err e;

	secret = find_secret(options);
	if (secret)
		return program_complain(program_find(program, "ssh-config"), secret);
	for (size_t i = 0; i < options->argument_count; i++)
		if (!is_pattern(options->arguments[i]))
			return program_complain(program_find(program, "ssh-config"),
						"that is no pattern for host names: write one like "
						"'*.corp.example.com'");
	if (platform_program_path(&path, &e) < 0)
		return client_complain(EXIT_STATUS_OTHER, &e);
	command = make_command(path, options);
	if (!command || has_line_end(command))
		return program_complain(program_find(program, "ssh-config"),
					"the flags do not fit into one line of ~/.ssh/config");
	printf("Host");
	for (size_t i = 0; i < options->argument_count; i++)
		printf(" %s", options->arguments[i]);
	printf("\n    ProxyCommand %s\n", command);
	return EXIT_STATUS_OK;
}
