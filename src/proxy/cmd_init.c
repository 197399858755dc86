/*
 * pomerium init DIR: a configuration that works, with a CA, a server certificate and one user (extensions.md 1).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "config/users_file.h"
#include "identity/local_users.h"
#include "identity/password.h"
#include "proxy/commands.h"
#include "proxy/password_input.h"
#include "tls/certificate.h"

#define DEFAULT_DOMAIN "localhost.pomerium.io"
#define DEFAULT_USER   "me@example.com"
#define TEXT_MAX       65536
#define SECRET_SIZE    32

struct init_flags {
	const char *domain;
	const char *user;
	const char *address;
	const char *password_stdin;
	const char *force;
	const char *help;
};

struct init {
	const struct init_flags *flags;
	const char *dir;
	char *password; /* a secret */
	bool is_password_generated;
};

/* Where a file of ours goes. Release with mem_free(). */
static char *path_in(const struct init *init, const char *name)
{
	struct buf path = BUF_INIT(4096);

	(void)buf_printf(&path, "%s/%s", init->dir, name);
	return buf_take_string(&path);
}

static int write_file(const struct init *init, const char *name, struct str contents, mode_t mode,
		      struct err *e)
{
	_cleanup_(mem_freep) char *path = path_in(init, name);

	return init->flags->force ? file_replace(path, contents, mode, e)
				  : file_create(path, contents, mode, e);
}

/* Nothing is touched if anything is there: half a directory would be worse than none. */
static int check_nothing_is_there(const struct init *init, struct err *e)
{
	static const char *const names[] = { "config.yaml", "users.yaml", "ca.pem",
					     "ca-key.pem",  "server.pem", "server-key.pem" };

	for (size_t i = 0; i < ARRAY_LEN(names) && !init->flags->force; i++) {
		_cleanup_(mem_freep) char *path = path_in(init, names[i]);

		if (access(path, F_OK) == 0)
			return err_set(
				e, ERR_CONFIG,
				"%s is there already and stays as it is: --force replaces it",
				path);
	}
	return 0;
}

static int write_certificates(const struct init *init, struct err *e)
{
	struct buf ca = BUF_INIT(TEXT_MAX);
	struct buf ca_key = BUF_INIT(TEXT_MAX);
	struct buf server = BUF_INIT(TEXT_MAX);
	struct buf server_key = BUF_INIT(TEXT_MAX);
	struct buf wildcard = BUF_INIT(1024);
	int result;

	(void)buf_printf(&wildcard, "*.%s", init->flags->domain);
	const struct str names[] = { str_from(init->flags->domain), buf_view(&wildcard),
				     STR("localhost"), STR("127.0.0.1"), STR("::1") };

	result = certificate_make_ca(STR("Pomerium local CA"), &ca, &ca_key, e);
	if (result == 0)
		result = certificate_make_server(
			&(struct tls_key_pair){ buf_view(&ca), buf_view(&ca_key), "CA" }, names,
			ARRAY_LEN(names), &server, &server_key, e);
	if (result == 0)
		result = write_file(init, "ca.pem", buf_view(&ca), 0644, e);
	if (result == 0)
		result = write_file(init, "ca-key.pem", buf_view(&ca_key), 0600, e);
	if (result == 0)
		result = write_file(init, "server.pem", buf_view(&server), 0644, e);
	if (result == 0)
		result = write_file(init, "server-key.pem", buf_view(&server_key), 0600, e);
	buf_done(&ca);
	buf_done_secret(&ca_key);
	buf_done(&server);
	buf_done_secret(&server_key);
	buf_done(&wildcard);
	return result;
}

/* Before anything is written: who has mistyped it may simply begin again. */
static int get_password(struct init *init, char hash[PASSWORD_HASH_MAX], struct err *e)
{
	if (init->flags->password_stdin || isatty(STDIN_FILENO)) {
		if (password_read(!init->flags->password_stdin, &init->password, e) < 0)
			return -1;
	} else {
		init->password = password_generate();
		init->is_password_generated = true;
	}
	return password_hash(str_from(init->password), hash, e);
}

static int write_users(const struct init *init, const char *hash, struct err *e)
{
	_cleanup_(mem_freep) char *path = path_in(init, "users.yaml");
	struct users_file file = { 0 };
	struct config_user *user = users_file_add(&file);
	int result;

	user->email = str_from(init->flags->user);
	user->password_hash = str_from(hash);
	result = users_file_write(path, &file, e);
	users_file_done(&file);
	return result;
}

static void add_secret(struct buf *text, const char *key)
{
	uint8_t secret[SECRET_SIZE];

	random_bytes(secret, sizeof(secret));
	(void)buf_printf(text, "%s: ", key);
	(void)base64_encode(text, BASE64_STANDARD, secret, sizeof(secret));
	(void)buf_append_char(text, '\n');
	mem_wipe(secret, sizeof(secret));
}

/* directory "/" name in double quotes, whatever is in them: a JSON string is a YAML string. */
static void add_quoted(struct buf *text, const char *directory, const char *name)
{
	struct json_writer json = { .out = text };
	struct buf path = BUF_INIT(TEXT_MAX);

	(void)buf_printf(&path, "%s%s", directory, name);
	json_text(&json, buf_view(&path));
	buf_done(&path);
}

static void add_route(struct buf *text, const struct init *init, const char *name, unsigned port)
{
	(void)buf_printf(text,
			 "  - from: tcp+https://%s.%s:%u\n"
			 "    to: tcp://127.0.0.1:%u\n"
			 "    allowed_users: [",
			 name, init->flags->domain, port, port);
	add_quoted(text, init->flags->user, "");
	(void)buf_append_str(text, STR("]\n"));
}

static int write_config(const struct init *init, const char *absolute_dir, struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	int result;

	(void)buf_printf(
		&text,
		"# Made by pomerium init. The login page is on the name of any route: no other name is needed.\n"
		"address: \"%s\"\n"
		"certificates:\n  - cert: ",
		init->flags->address);
	add_quoted(&text, absolute_dir, "/server.pem");
	(void)buf_append_str(&text, STR("\n    key: "));
	add_quoted(&text, absolute_dir, "/server-key.pem");
	(void)buf_append_char(&text, '\n');
	add_secret(&text, "shared_secret");
	add_secret(&text, "cookie_secret");
	(void)buf_append_str(&text, STR("idp_provider: local\nlocal_users_file: "));
	add_quoted(&text, absolute_dir, "/users.yaml");
	(void)buf_printf(&text, "\nroutes:\n  # pomerium-cli tcp redis.%s:6379\n",
			 init->flags->domain);
	add_route(&text, init, "redis", 6379);
	(void)buf_printf(&text,
			 "  # ssh -o ProxyCommand='pomerium-cli tcp --listen - %%h:%%p' ssh.%s\n",
			 init->flags->domain);
	add_route(&text, init, "ssh", 22);
	result = text.is_overflown ? err_set(e, ERR_LIMIT, "the name of the directory is too long")
				   : write_file(init, "config.yaml", buf_view(&text), 0600, e);
	buf_done_secret(&text);
	return result;
}

static void show_what_is_next(const struct init *init)
{
	(void)printf(
		"Made in %s: config.yaml, users.yaml, an own CA (ca.pem) and a certificate for %s.\n",
		init->dir, init->flags->domain);
	(void)printf("User: %s\n", init->flags->user);
	if (init->is_password_generated)
		(void)printf("Password, shown only now: %s\n", init->password);
	(void)printf("Start the gateway:  pomerium --config %s/config.yaml\n", init->dir);
	(void)printf(
		"Trust its CA:       pomerium-cli tcp --alternate-ca-path %s/ca.pem redis.%s:6379\n",
		init->dir, init->flags->domain);
}

static int init_run(struct init *init, struct err *e)
{
	_cleanup_(mem_freep) char *absolute_dir = NULL;
	char hash[PASSWORD_HASH_MAX];

	if (check_nothing_is_there(init, e) < 0 || get_password(init, hash, e) < 0 ||
	    dir_create(init->dir, 0700, e) < 0)
		return -1;
	absolute_dir = realpath(init->dir, NULL);
	if (!absolute_dir)
		return err_errno(e, errno, "%s", init->dir);
	if (write_certificates(init, e) < 0 || write_users(init, hash, e) < 0 ||
	    write_config(init, absolute_dir, e) < 0)
		return -1;
	show_what_is_next(init);
	return 0;
}

static int check_flags(const struct init_flags *flags, struct err *e)
{
	struct authority domain;
	struct addr address;

	if (addr_parse_listen(str_from(flags->address), &address, e) < 0)
		return err_wrap(e, "--address");
	if (authority_parse(str_from(flags->domain), false, &domain, e) < 0 || domain.port != 0)
		return err_set(e, ERR_CONFIG, "--domain \"%s\" is not a host name", flags->domain);
	if (!email_is_valid(str_from(flags->user)))
		return err_set(e, ERR_CONFIG, "--user \"%s\" is not an e-mail address",
			       flags->user);
	return 0;
}

int command_init(int argc, char **argv)
{
	struct init_flags values = { .domain = DEFAULT_DOMAIN,
				     .user = DEFAULT_USER,
				     .address = ":443" };
	const struct flag table[] = {
		{ "domain", "NAME", "names end in this (default " DEFAULT_DOMAIN ")",
		  &values.domain },
		{ "user", "EMAIL", "the first user (default " DEFAULT_USER ")", &values.user },
		{ "address", "HOST:PORT", "where to listen (default :443)", &values.address },
		{ "password-stdin", NULL, "the password is the first line of standard input",
		  &values.password_stdin },
		{ "force", NULL, "replace what is there", &values.force },
		{ "help", NULL, "print this", &values.help },
	};
	struct init init = { .flags = &values };
	struct err e = { 0 };
	int count = flags_parse(table, ARRAY_LEN(table), argc, argv, &init.dir, 1);
	int result;

	if (count < 0)
		return EXIT_USAGE;
	if (values.help) {
		(void)printf("pomerium init DIR - makes a configuration that works\n\nFlags:\n");
		flags_print(table, ARRAY_LEN(table));
		return 0;
	}
	if (count == 0)
		return command_fail(EXIT_USAGE, "pomerium init needs the directory to make");
	if (check_flags(&values, &e) < 0)
		return command_fail(EXIT_USAGE, "%s", e.text);
	result = init_run(&init, &e);
	mem_free_secret(init.password);
	return result < 0 ? command_fail(1, "%s", e.text) : 0;
}
